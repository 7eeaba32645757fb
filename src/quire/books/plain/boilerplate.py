"""What libraries of plain text other than Gutenberg's own put around a book, and what scanners print on its pages."""

from __future__ import annotations

import re
from collections.abc import Sequence

from quire.books.finishing.gutenberg import is_credit, is_headline
from quire.books.headings import recognise
from quire.books.plain.lines import Gone, Lines

HEAD_GROUPS = 30
TAIL_CHARS = 12_000
LONGEST_STAMP = 240
# Lines that scanners and libraries stamp on pages, wherever they stand.
_STAMP = re.compile(
    r"\W*(?:digiti[sz]ed (?:by|with|at)\b.{0,60}|source\s*:?\s*(?:gallica\.bnf\.fr|biblioth[eè]que nationale).{0,60}|"
    r"gallica\.bnf\.fr.{0,60}|(?:generated|original from|public domain.{0,3} google-digitized).{0,90}hathitrust.{0,60}|"
    r"public domain(?: in the united states)?,? google-digitized.{0,80}|"
    r"https?://(?:www\.)?(?:archive\.org|hdl\.handle\.net|books\.google\.|hathitrust\.org|babel\.hathitrust)\S*|"
    r"exported from wikisource on .{0,60}|(?:https?://)?www\.feedbooks\.com.{0,40}|food for the mind|"
    r"project runeberg.{0,60}|<< (?:prev\. page|föreg\. sida|forrige side).{0,80})\W*",
    re.IGNORECASE,
)
_HEAD = re.compile(
    r"\W*(?:full text of [\"“«']|(?:google\s+)?this is a digital copy of a book that was preserved|"
    r"digiti[sz]ed by the internet archive|this book (?:is|was) (?:brought to you|downloaded|produced)|"
    r"note: this book is brought to you by feedbooks|\*? ?a distributed proofreaders canada ebook|"
    r"this e-?book is made available at no cost|this e-?(?:book|text) is (?:for the use of|free)|"
    r"(?:the )?project gutenberg(?: of)? (?:australia|canada|eu)|a project gutenberg(?: of)? (?:australia|canada)|"
    r"project gutenberg(?: of)? australia e-?books are created|copyright laws are changing all over the world|"
    r"1\s*/\s*les contenus accessibles sur le site gallica|"
    r"(?:ce livre électronique|cette édition numérique).{0,40}wikisource|texte (?:libre de droits|établi par)|"
    r"ebooks libres et gratuits|un document produit en version numérique|édition électronique réalisée|"
    r"(?:online distributed proofreading team|distributed proofreaders)|see other formats$|exporté de wikisource|"
    r"faded page e-?book #|"
    # What Google and Gallica say of their scans, paragraph by paragraph.
    r"(?:it has survived long enough|public domain books are our gateways|marks, notations and other marginalia|"
    r"usage guidelines$|google is proud to partner|public domain books belong to the public|we also ask that you|"
    r"(?:make non-?commercial use|refrain from automated quer|maintain attribution|keep it legal)|"
    r"about google book search|google['’]s mission is)|"
    r"(?:la réutilisation (?:non )?commerciale de ces contenus|cliquer ici pour accéder aux tarifs|"
    r"[2-7]\s*/\s*(?:les contenus de gallica|quelques contenus|gallica constitue|les présentes conditions|"
    r"l['’]utilisateur))|"
    r"to contact project gutenberg|la bibliothèque électronique du québec|beq$|collection à tous les vents|"
    r"édité par les bourlapapey|ce livre numérique$|questo e-?book|e-?book campione liber liber|"
    r"smashwords edition|licen[sc]e notes$|this e-?book is licensed for your personal|"
    r"thank you for (?:respecting|downloading))",
    re.IGNORECASE,
)
_RIGHTS = re.compile(
    r"\W*(?:copyright\b|©|all rights reserved|tous droits (?:de .{1,60} )?réservés|entered according to act of)",
    re.IGNORECASE,
)
_LONGEST_RIGHTS = 250
_TAIL = re.compile(
    r"\W*(?:(?:à|a) propos de cette édition (?:électronique|numérique)|about this digital edition|"
    r"texte libre de droits|project gutenberg(?: of)? (?:australia|canada)|fin (?:de|du) (?:projet|project) gutenberg|"
    r"www\.feedbooks\.com|loved this book \?|cet ouvrage est le \d+\s?e publié|ce livre numérique$|"
    r"la bibliothèque électronique du québec\s+est la propriété|this site is full of free|"
    r"connect with .{2,60} online|discover other titles by|fin de ce livre numérique|"
    r"(?:the )?end of .{2,120},? by .{2,80}\]$)",
    re.IGNORECASE,
)
_FIELD = re.compile(
    r"\s*(title|titre|author|auteur|language|langue|translator|published|publication|categor(?:y|ies|ie\(s\))|source|"
    r"e-?book no\.?|edition|date (?:of )?first (?:posted|publication)|date last updated|most recent update|"
    r"character set encoding|copyright|"
    r"faded page e-?book #?\S*|isbn|release date|posting date|from|to|cc|subject|date|message-id|reply-to|sender|"
    r"mime-version|content-type|received|return-path|x-[\w-]+|newsgroups|organization|path)\s*:\s*(.*)",
    re.IGNORECASE,
)
_NAMES = {"title": "title", "titre": "title", "author": "author", "auteur": "author", "language": "language"}
_NOTE_LABEL = re.compile(
    r"\W*(?:original )?(?:transcriber['’]?s?['’]?|transcription|e-?text producer['’]?s)\s+notes?\b\s*\W*|"
    r"\W*notes? (?:du|de la|sur la|au lecteur de ce) (?:transcripteur|transcription|fichier)\w*\W*|"
    r"\W*notes on this e-?text.{0,40}",
    re.IGNORECASE,
)


def strip_boilerplate(groups: Sequence[Lines]) -> tuple[list[Lines], list[Gone], dict[str, str]]:
    """The groups that are the book's own; the others; what the head says of the work."""
    fields: dict[str, str] = {}
    gone: list[Gone] = []
    kept: list[Lines] = []
    stop = _tail(groups)
    late = _last_chars(groups, stop)
    noting = False
    for index, group in enumerate(groups):
        reason = ""
        text = group.text
        noting = noting and group.gap < 3 and not group.text.isupper() and recognise(text) is None
        if index >= stop:
            reason = "library's note"
        elif noting or ((index < HEAD_GROUPS or index >= late) and _opens_note(group)):
            reason, noting = "transcriber's note", True
        elif len(group.lines) <= 2 and len(text) <= LONGEST_STAMP and _STAMP.fullmatch(text):
            reason = "library's stamp"
        elif (index < HEAD_GROUPS and _HEAD.match(text)) or (
            (index < HEAD_GROUPS or index >= len(groups) - 4) and is_headline(text)
        ):
            reason = "library's note"
        elif index < HEAD_GROUPS and len(text) <= _LONGEST_RIGHTS and _RIGHTS.match(text):
            reason = "copyright page"
        elif (
            index < HEAD_GROUPS
            and not any(len(one.text) > 300 for one in kept)
            and (_is_fields(group) or (gone and len(group.lines) == 1 and _FIELD.match(text)))
        ):
            fields |= _read_fields(group)
            reason = "library's note"
        elif index < HEAD_GROUPS and (is_credit(text) or (len(group.lines) <= 3 and is_credit(group.lines[-1]))):
            reason = "credits"
        if reason:
            gone.append(Gone(reason, "\n".join(group.lines), group.number))
        else:
            kept.append(group)
    return kept, gone, fields


def _tail(groups: Sequence[Lines]) -> int:
    """Where what a library says after the book begins."""
    behind = 0
    stop = len(groups)
    for index in range(len(groups) - 1, max(0, len(groups) // 2), -1):
        behind += len(groups[index].text)
        if behind > TAIL_CHARS:
            break
        if _TAIL.match(groups[index].text):
            stop = index
    return stop


def _last_chars(groups: Sequence[Lines], stop: int) -> int:
    """The first group of the last characters before `stop` in which a note may begin."""
    behind = 0
    for index in range(stop - 1, -1, -1):
        behind += len(groups[index].text)
        if behind > TAIL_CHARS:
            return index
    return 0


def _opens_note(group: Lines) -> bool:
    """Whether a transcriber's note begins with this group."""
    first = group.lines[0]
    return len(first) <= 100 and bool(_NOTE_LABEL.match(first + " "))


def _is_fields(group: Lines) -> bool:
    said = sum(_FIELD.match(line) is not None for line in group.lines)
    return said >= 2 and said >= 0.6 * len(group.lines)


def _read_fields(group: Lines) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in group.lines:
        match = _FIELD.match(line)
        if match and (name := _NAMES.get(match[1].lower())):
            found.setdefault(name, match[2].strip())
    return found
