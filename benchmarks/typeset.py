"""Books set by the `typst` package, with what a reader of their pages should get."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.designs import Design
from benchmarks.extras import EXTRAS
from benchmarks.given import TITLES
from benchmarks.truth import Truth
from benchmarks.works import Piece, Work, enrich, own, poems, sample

_PREAMBLE = Path(__file__).with_name("typeset.typ")
_STARS = {
    "stars": r"#align(center)[\* \* \*]",
    "asterism": "#align(center)[⁂]",
    "flower": "#align(center)[❦]",
    "space": "#v(1.6em)",
    "rule": "#align(center, line(length: 25%))",
}
_NUMBERED = re.compile(r"([IVXLC]+|\d+)\.\s+(.+)", re.DOTALL)
_ORDINALS = {
    "en": "One Two Three Four Five Six Seven Eight Nine Ten Eleven Twelve Thirteen Fourteen Fifteen".split(),
    "fr": "premier deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze".split(),
}
_PART = {"en": "Part", "fr": "Partie"}
_LIGATURES = (("ffi", "ﬃ"), ("ffl", "ﬄ"), ("ff", "ﬀ"), ("fi", "ﬁ"), ("fl", "ﬂ"))
_MATTER = {
    "en": ("Contents", "Printed for the Quire Authors. All rights reserved. First printing, 2026.", "Preface"),
    "fr": ("Table des matières", "Imprimé pour The Quire Authors. Tous droits réservés. Première édition, 2026.",
           "Avant-propos"),
}  # fmt: skip


@dataclass
class _Made:
    """The typst source so far, and the truth that goes with it."""

    source: list[str]
    body: list[str] = field(default_factory=list)
    either: list[str] = field(default_factory=list)
    headings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    breaks: int = 0
    chapters: int = 0


def work_of(design: Design, given: Work | None = None) -> Work:
    """The text of a design: its own, or the one that is given, with the verse and letters that it shows."""
    if given is not None:
        work = given
    elif design.work == "poems":
        work = poems()
    else:
        work = own(design.work) if design.work == "garde" else sample(design.work)
    extras = EXTRAS[work.language if work.language in EXTRAS else "en"]
    long = design.verse in ("hang", "wrap")
    verse = [text for text in extras["verse"] if long == (max(map(len, text.split("\n"))) > 70)]
    work = enrich(
        work,
        verse if design.verse else (),
        extras["quotes"] if design.quotes else (),
        extras["letters"] if design.letters else (),
    )
    if not design.thin_spaces:
        return work
    pieces = (replace(p, text=re.sub(r"(?<=\w) (?=[;!?])", "\u202f", p.text)) for p in work.pieces)
    return replace(work, pieces=tuple(pieces))


def typeset(design: Design, target: Path, given: Work | None = None) -> Truth:
    """Write the PDF of a design and return what a reader should get.  Raises ImportError where typst is missing."""
    import typst

    work = work_of(design, given)
    source, truth = compose(work, design)
    page = target.with_suffix(".typ")
    page.write_text(source, encoding="utf-8")
    target.write_bytes(typst.compile(page))
    page.unlink()
    return truth


def compose(work: Work, design: Design) -> tuple[str, Truth]:
    """The typst source of a book, and the text that a reader of its pages should get."""
    made = _Made(_settings(work, design))
    if design.matter:
        _front(made, work)
    first = True
    for number, piece in enumerate(work.pieces):
        if piece.kind == "heading":
            if design.parts and made.chapters % 3 == 0:
                _part(made, work.language)
            _open(made, piece.plain, design, work.language)
            first = True
            continue
        if piece.kind == "break":
            made.source.append(_STARS[design.stars])
            made.breaks += 1
            continue
        made.source.append(_piece(made, piece, number, design, work.language, first))
        shown = first and design.initial == "capitals" and piece.kind == "paragraph"
        made.body.append(_capitals(piece.plain) if shown else piece.plain)
        first = False
        if design.figure and number % 40 == 20:
            made.source.append("#rect(width: 100%, height: 35mm, fill: luma(210))")
        if design.captions and number % 15 == 9:
            _figure(made, work.language)
    if design.index:
        _index(made, work)
    heads = [work.author, work.title, *(p.plain for p in work.pieces if p.kind == "heading")]
    if not design.head and design.folio != "title":
        heads = []
    heads += [part for head in heads if (parts := _NUMBERED.fullmatch(head)) for part in parts.groups()[1:]]
    truth = Truth(
        body=tuple(made.body),
        headings=tuple(made.headings),
        notes=tuple(made.notes),
        either=tuple(made.either),
        furniture=tuple(heads),
        breaks=made.breaks,
        language=work.language,
    )
    return "\n".join(made.source), truth


def _part(made: _Made, language: str) -> None:
    """A page with the number of a part."""
    name = f"{_PART[language]} {('I', 'II', 'III', 'IV', 'V', 'VI')[made.chapters // 3 % 6]}"
    made.source.append(f"#partpage[{name}]")
    made.headings.append(name)


def _figure(made: _Made, language: str) -> None:
    """A picture with its number and name below."""
    names = TITLES[language]
    words = f"{'Fig.' if language == 'en' else 'Figure'} {len(made.either) + 1}. {names[len(made.either) % len(names)]}"
    made.either.append(words)
    made.source.append(f"#picture[{escape(words)}]")


def _index(made: _Made, work: Work) -> None:
    """Names of the book with made-up pages."""
    text = " ".join(piece.plain for piece in work.pieces)
    names = sorted(set(re.findall(r"(?<=[a-zé] )[A-Z][a-z]{4,}", text)))
    lines = [
        f"{name}, {', '.join(str(7 + 11 * n % 90 + 13 * k) for k in range(1 + n % 4))}" for n, name in enumerate(names)
    ]
    shown = ", ".join(f"[{escape(line)}]" for line in lines)
    made.source.append(f'#opening("centred", "Index", ([Index],))\n#names(({shown},))')


def escape(text: str) -> str:
    """Text as typst markup that shows it unchanged, but for `*…*`, which becomes italic."""
    text = re.sub(r"([\\#$_`<>@\[\]~=/+\-'\"])", r"\\\1", text).replace("...", r"\.\.\.")
    text = re.sub(r"^(\d+)\.", r"\1\\.", text, flags=re.MULTILINE)
    return re.sub(r"\*([^*\n]+)\*", r"#emph[\1]", text).replace("*", r"\*")


def _piece(made: _Made, piece: Piece, number: int, design: Design, language: str, first: bool) -> str:
    if piece.kind == "verse":
        return _verse(piece.text.split("\n"), design.verse or "indent")
    if piece.kind == "quote":
        return f"#quotation[{escape(piece.text)}]"
    if piece.kind in ("dateline", "signature"):
        return f"#align(right)[{escape(piece.text)}]\n"
    noted = _noted(made, piece.text, number, design, language)
    if noted:
        return noted
    if design.ligatures or design.soft_hyphens:
        return f"{escape(_disguise(piece.text, design))}\n"
    if first and design.initial and piece.plain[0].isalpha():
        return _initial(piece.plain, design)
    return f"{escape(piece.text)}\n"


def _noted(made: _Made, text: str, number: int, design: Design, language: str) -> str:
    """A paragraph with a note after its first sentence, or `""` where it gets none."""
    every = {"": 0, "numbers": 9, "symbols": 13, "long": 21, "paged": 7}[design.notes]
    head, mark, tail = text.partition(". ")
    if not every or number % every != 4 or not tail or "*" in text or len(text) < 120:
        return ""
    stock = EXTRAS[language]["long notes" if design.notes == "long" else "notes"]
    note = stock[len(made.notes) % len(stock)]
    made.notes.append(note)
    return f"{escape(head + mark.strip())}#footnote[{escape(note)}] {escape(tail)}\n"


def _disguise(text: str, design: Design) -> str:
    """The text as some files hold it: with ligatures for letters, or soft hyphens within long words."""
    if design.ligatures:
        for letters, sign in _LIGATURES:
            text = text.replace(letters, sign)
    if design.soft_hyphens:
        text = re.sub(r"\b([^\W\d_]{3}[bcdfglmnprst])(?=[^\W\d_]{4})", "\\1\u00ad", text)
    return text


def _initial(text: str, design: Design) -> str:
    if design.initial in ("drop", "drop3"):
        lines = 3 if design.initial == "drop3" else 2
        words = ", ".join(json.dumps(word, ensure_ascii=False) for word in text[1:].split(" "))
        return f"#dropcap({json.dumps(text[0], ensure_ascii=False)}, ({words},), {lines})\n"
    if design.initial == "raised":
        return f"#text(size: 2.6em)[{escape(text[0])}]{escape(text[1:])}\n"
    if design.initial == "capitals":
        return f"{escape(_capitals(text))}\n"
    start, rest = _first_words(text)
    if design.initial == "smallcaps":
        return f"#smallcaps[{escape(start)}] {escape(rest)}\n"
    # Small capitals made of smaller capitals: only their size tells that they are none.
    small = re.sub(r"[^\W\d_A-Z]+", lambda run: f"#text(size: 0.8em)[{run[0].upper()}]", start)
    return f"{small} {escape(rest)}\n"


def _first_words(text: str) -> tuple[str, str]:
    words = text.split(" ")
    return " ".join(words[:4]), " ".join(words[4:])


def _capitals(text: str) -> str:
    start, rest = _first_words(text)
    return f"{start.upper()} {rest}"


def _verse(lines: Sequence[str], how: str) -> str:
    joined = " \\\n".join(("#h(1em)" if line.startswith(" ") else "") + escape(line.strip()) for line in lines)
    return f'#stanza("{how}")[{joined}]'


def _open(made: _Made, title: str, design: Design, language: str) -> None:
    """A chapter's opening; its lines go to the true headings."""
    parts = _NUMBERED.fullmatch(title)
    number, name = parts.groups() if parts else ("", title)
    count = made.chapters
    made.chapters += 1
    if design.opening == "number-title" and number:
        word = "Chapter" if language == "en" else "Chapitre"
        lines = [f"{word} {number}", name]
    elif design.opening == "words" and number:
        ordinals = _ORDINALS[language]
        lines = [f"{'Chapter' if language == 'en' else 'Chapitre'} {ordinals[count % len(ordinals)]}", name]
    elif design.opening == "roman" and number:
        lines = [number]
    elif design.opening == "ornament" and number:
        lines = [f"— {number} —", name]
    else:
        lines = [title]
    made.headings += [line.strip("— ") for line in lines]
    shown = ", ".join(f"[{escape(line)}]" for line in lines)
    made.source.append(f'#opening("{design.opening}", {json.dumps(title, ensure_ascii=False)}, ({shown},))')
    if design.epigraphs:
        stock = EXTRAS[language]["epigraphs"]
        words, source = stock[count % len(stock)].split("\n\n")
        made.source.append(f"#epigraph[{escape(words)}][{escape(source)}]")
        made.body += [words, source]


def _front(made: _Made, work: Work) -> None:
    """Half-title, title page, imprint, contents with leaders, and a preface, which is the author's."""
    contents, imprint, preface = _MATTER[work.language]
    titles = [piece.plain for piece in work.pieces if piece.kind == "heading"]
    made.source.append(f"#titlepages([{escape(work.title)}], [{escape(work.author)}], [{escape(imprint)}])")
    made.source.append(
        f"#contents([{escape(contents)}], ({', '.join(json.dumps(t, ensure_ascii=False) for t in titles)},))"
    )
    made.source.append(f'#opening("centred", "{preface}", ([{preface}],))')
    made.headings.append(preface)
    for text in EXTRAS[work.language]["preface"]:
        made.source.append(f"{escape(text)}\n")
        made.body.append(text)


def _settings(work: Work, design: Design) -> list[str]:
    """Page, type and running lines."""
    every = str(design.initial.startswith("drop")).lower()
    indent = f"(amount: 1.3em, all: {every})"
    gap = f"{design.leading}, first-line-indent: {indent}" if design.indent else "1.2em"
    hyphenate = str(design.justify).lower()
    symbols = '"*"' if design.notes == "symbols" else '"1"'
    heads = ", ".join(json.dumps(value, ensure_ascii=False) for value in (work.author, work.title))
    bare, rule = str(design.bare).lower(), str(design.rule).lower()
    again = str(design.notes == "paged").lower()
    running = f'running("{design.head}", "{design.folio}", {bare}, {rule}, {again}, {heads})'
    footing = f'footing("{design.folio}", {bare})'
    settings = [
        f"#let recto = {str(design.recto).lower()}",
        _PREAMBLE.read_text(encoding="utf-8"),
        f"#set page({design.page}, columns: {design.columns}, header: {running}, footer: {footing})",
        "#set text(costs: (hyphenation: 5%))",
        f'#set text(font: ("{design.font}", "Libertinus Serif"), size: {design.size})',
        f'#set text(lang: "{work.language}", hyphenate: {hyphenate})',
        "#set smartquote(enabled: false)",
        f"#set par(justify: {hyphenate}, leading: {design.leading}, spacing: {gap})",
        f"#set footnote(numbering: {symbols})",
    ]
    if design.old_figures:
        settings.append('#set text(number-type: "old-style")')
    if design.line_numbers:
        settings.append("#set par.line(numbering: n => if calc.rem(n, 5) == 0 [#n])")
    return settings
