"""The words by which headings of front and back matter are known, in English, French, German, Spanish and Italian.

For each role the patterns of whole titles, one a line, without regard to case.
"""

from __future__ import annotations

TITLES = {
    "title page": r"""
        (?:half[- ])?title[- ]?page
        page de titre
        faux[- ]titre
        titelseite
        portada
        frontespizio
    """,
    "cover": r"""
        (?:front |back )?cover
        couverture
        umschlag
    """,
    "copyright page": r"""
        copyright(?: (?:page|notice|information|acknowledge?ments))?
        un-?copyright
        mentions? l[ée]gales?
        impressum
        (?:legal|rights) notice
        cr[ée]ditos
        d[ée]p[ôo]t l[ée]gal
        rechtliche hinweise
        publication (?:data|details)
    """,
    "imprint": r"""
        imprint
        achev[ée] d[’']imprimer
    """,
    "colophon": r"""
        colophon
        about (?:this|the) (?:e-?book|edition|type)
        (?:a )?note on the type
        colof[óo]n
    """,
    "licence": r"""
        (?:the )?(?:full )?(?:project gutenberg(?:™|-tm)? )?licen[cs]e
        licence d[’']utilisation
        lizenz
        end of (?:the )?project gutenberg.*
    """,
    "contents": r"""
        (?:(?:table|list) of )?(?:the )?contents
        table des (?:mati[èe]res|chapitres)
        sommaire
        inhalt(?:sverzeichnis)?
        indice(?: generale)?
        índice(?: general)?
        sumario
        inhoud(?:sopgave)?
        landmarks
        list of chapters
    """,
    "list of illustrations": r"""
        (?:list of )?(?:the )?(?:illustrations|figures|plates|maps|diagrams)(?: and .*)?
        (?:table|liste) des (?:illustrations|gravures|figures|planches|cartes)
        abbildungsverzeichnis
        verzeichnis der abbildungen
        lista de ilustraciones
        elenco delle illustrazioni
    """,
    "list of tables": r"""
        list of tables
        liste des tableaux
    """,
    "index": r"""
        (?:general |alphabetical )?index(?: (?:of|to) .*)?
        index (?:des|alphab[ée]tique).*
        register
        (?:personen|sach)register
        índice (?:alfabético|onomástico).*
        indice (?:analitico|dei nomi).*
    """,
    "about the author": r"""
        (?:a note )?(?:about|on) the (?:authors?|translators?|editors?|illustrators?)
        (?:à|a) propos de l[’']auteure?
        l[’']auteure?
        [üu]ber (?:den autor|die autorin|den [üu]bersetzer)
        (?:sobre|acerca de) (?:el autor|la autora)
        (?:sull[’']|informazioni sull[’'])autore
        meet the author
        author biography
    """,
    "about the publisher": r"""
        about the publishers?
        (?:à|a) propos de l[’'][ée]diteur
        [üu]ber den verlag
        l[’'][ée]diteur
    """,
    "other books": r"""
        (?:also|more|(?:other |more )?(?:books|works|titles|novels)) (?:by|from|published by|in this series)\b.*
        by the same author
        du m[êe]me auteur
        ouvrages? du m[êe]me auteur
        dans la m[êe]me collection
        (?:vom selben|weitere b[üu]cher (?:von|des)).*
        del mismo autor
        dello stesso autore
        about the series
        (?:other |also )?in (?:this|the same) series
        also available.*
    """,
    "advertisement": r"""
        (?:publishers?[’']?s? )?advertise?ments
        catalogue
        (?:book )?advertisement pages
        publicit[ée]
        werbung
        anzeigen
        (?:a |an )?(?:sample|excerpt|extract)(?: chapters?)? (?:of|from) .*
        read on for (?:a|an|the|more) .*
        (?:a )?(?:sneak )?preview of .*
        extrait de .*
    """,
    "praise": r"""
        (?:advance )?praise for .*
        critical acclaim.*
        what (?:readers|reviewers|people) (?:are )?say.*
    """,
    "newsletter": r"""
        (?:sign up|join|subscribe)\b.*
        (?:our |my |the )?newsletter
        want (?:more|another|a free)\b.*
        get (?:a|your) free .*
        stay in touch
        mailing list
        thank you for (?:reading|buying|downloading)\b.*
        (?:leave|write) a review.*
        connect with .*
    """,
    "transcriber's note": r"""
        transcriber[’']?s?[’']? (?:end)?notes?.*
        notes? (?:du|de|des|sur la) transcri\w*
        notes? de transcription
        anmerkungen zur transkription
        notas? del transcriptor
        nota del trascrittore
        e-?text notes?
    """,
    "errata": r"""
        errat(?:a|um)
        corrigend[au]m?
        addenda(?: et| and)? (?:errata|corrigenda)
        druckfehler
        fe de erratas
    """,
    "dedication": r"""
        (?:the |author[’']s )?dedication
        d[ée]dicace
        widmung
        zueignung
        dedicatoria
        dedica
    """,
    "epigraph": r"""
        (?:the )?epigraphs?
        [ée]pigraphes?
        mottoe?s?
        ep[íi]graf[eo]
    """,
    "preface": r"""
        (?:the |general )?(?:preface|pr[ée]face)(?: (?:to|by|of|de|du|zu[rm]?|al?|alla|à)\b.*)?
        (?:an? |the )?(?:author|translator|editor|publisher)[’']?s?[’']? preface(?: (?:to|of)\b.*)?
        avant-?propos
        (?:vorwort|vorrede|prefacio|prefazione|prefácio)(?: (?:to|by|of|de|du|zu[rm]?|al?|alla|à)\b.*)?
    """,
    "foreword": r"""
        (?:author[’']s |the )?foreword(?: (?:to|by)\b.*)?
        geleitwort
        premessa
    """,
    "introduction": r"""
        (?:the |general )?introduction(?: (?:to|by|of|de|du|zu[rm]?|al?|alla|à)\b.*)?
        (?:an? |the )?(?:author|translator|editor|publisher)[’']?s?[’']? introduction(?: (?:to|of)\b.*)?
        (?:einleitung|einf[üu]hrung|introducci[óo]n|introduzione|introdução)(?: (?:de|du|zu[rm]?|al?|alla|à)\b.*)?
        introductory(?: (?:note|remarks|essay|sketch|epistle))?
        pr[ée]ambule
        preamble
    """,
    "note": r"""
        (?:an? |the )?(?:author|translator|editor|publisher)[’']?s?[’']? notes?(?: .*)?
        (?:an? |the )?(?:historical|bibliographical|prefatory|explanatory) notes?(?: .*)?
        note de l[’'](?:auteure?|[ée]diteur)
        note du traducteur
        nota del autor
        nota dell[’']autore
        (?:a )?note (?:on|to|from|by) the (?:text|reader|author|translation|edition|translator).*
        to (?:the|my) readers?
        au lecteur
        avis au lecteur
        an den leser
        al lector
        al lettore
        advertisement
        avertissement
        vorbemerkung
        nachbemerkung
        advertencia
        avvertenza
    """,
    "afterword": r"""
        (?:author[’']s |the )?afterword(?: (?:to|by)\b.*)?
        postface
        nachwort
        posfacio
        postfazione
    """,
    "acknowledgements": r"""
        (?:author[’']s )?acknowledge?ments?
        remerciements?
        danksagung
        agradecimientos
        ringraziamenti
        thanks
    """,
    "appendix": r"""
        (?:appendix|appendices|appendice|annexe|anhang|ap[ée]ndice)(?: [A-Z\d]{1,4})?(?:\s*[.:—–-].*)?
    """,
    "glossary": r"""
        (?:a )?(?:glossary|glossaire|glossar|glosario|glossario)(?: of .*)?
    """,
    "bibliography": r"""
        (?:select )?bibliograph(?:y|ie)
        bibliograf[íi]a
        works cited
        further reading
        literaturverzeichnis
    """,
    "chronology": r"""
        chronolog(?:y|ie)(?: .*)?
        (?:chronological|biographical) (?:table|outline|note|sketch)s?(?: .*)?
        zeittafel
        cronolog[íi]a
    """,
}

# What stands on the back of a title page.
RIGHTS = r"""
    \ball rights reserved\b
    \bISBN(?:[ :-]|\d)
    ©
    \(c\) ?\d{4}
    \bcopyright\b
    tous droits r[ée]serv[ée]s
    d[ée]p[ôo]t l[ée]gal
    alle rechte vorbehalten
    todos los derechos reservados
    tutti i diritti riservati
    \bfirst published (?:in|by)\b
    \bprinted (?:in|by|and bound)\b
    library of congress
    british library
    no part of this (?:book|publication)
    achev[ée] d[’']imprimer
"""

# What a bookseller's list says of each book: its pages and its price.
PRICES = r"""
    \bprice:? (?:£|\$|\d+ ?s\b|\d+ ?d\b|\d+/|\d+ ?(?:fr|cents?|cts|c|marks?)\b|(?:one|two|three|five|ten) )
    \b\d+s\. ?(?:\d+d\. ?)?(?:net|each)\b
    \bpp\. [ivxlc\d]+ ?\+ ?\d+
    \b(?:crown|demy|post|royal|imperial|fcap\.?|foolscap|small|large) (?:8|4|12|16)(?:vo|to|mo)\b
    \b(?:in-8|in-12|in-18)°?.{0,40}\bfr\b
"""
