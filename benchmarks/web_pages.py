"""Books as programs that print web pages set them: WeasyPrint with the rules of paged media, Chromium as it comes."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from html import escape
from pathlib import Path

from benchmarks.extras import EXTRAS
from benchmarks.formats import Part, chapters_of, with_notes, work_of
from benchmarks.given import TITLES
from benchmarks.truth import Truth
from benchmarks.works import Work, own, sample

_WORDS = {
    "en": ("Contents", "All rights reserved. Printed for the Quire Authors, 2026.", "Preface", "Index", "Figure"),
    "fr": ("Table", "Tous droits réservés. Imprimé pour The Quire Authors, 2026.", "Avant-propos", "Index", "Figure"),
}
_FONTS = {"serif": "Liberation Serif, Times, serif", "sans": "Liberation Sans, Arial, sans-serif",
          "mono": "Liberation Mono, DejaVu Sans Mono, monospace"}  # fmt: skip


@dataclass(frozen=True)
class Web:
    """How a book is laid out as a page of the web that is printed.

    `top` and `bottom` are the contents of the margins at the left, middle and right of a right-hand page, in words of
    CSS; on left-hand pages left and right change places where `facing` is set.
    """

    work: str = "novella"
    size: str = "A5"
    margin: str = "18mm 16mm"
    font: str = "serif"
    points: float = 10
    line: float = 1.3
    top: tuple[str, str, str] = ("", "", "")
    bottom: tuple[str, str, str] = ("", "counter(page)", "")
    facing: bool = True
    justify: bool = True
    indent: bool = True
    columns: int = 1
    initial: str = ""
    notes: bool = False
    extras: bool = False
    matter: bool = False
    figures: bool = False
    capitals: bool = False
    chromium: bool = False


def absent(web: Web) -> str:
    """The program that is missing, or nothing."""
    if web.chromium:
        return "" if shutil.which("chromium") else "chromium"
    try:
        import weasyprint  # noqa: F401
    except (ImportError, OSError):
        return "weasyprint"
    return ""


def print_web(web: Web, target: Path) -> Truth:
    """Write the PDF and return what a reader should get."""
    work = work_of(web.work) if web.extras else own(web.work) if web.work == "garde" else sample(web.work)
    html, truth = _page(web, work)
    if not web.chromium:
        import weasyprint

        weasyprint.HTML(string=html).write_pdf(target)
        return truth
    source = target.with_suffix(".html")
    source.write_text(html, encoding="utf-8")
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--print-to-pdf={target}", source.as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)  # noqa: S603
    return truth


def _page(web: Web, work: Work) -> tuple[str, Truth]:
    parts, notes = with_notes(work) if web.notes else (tuple(Part(piece) for piece in work.pieces), ())
    body: list[str] = []
    headings: list[str] = []
    either: list[str] = []
    shown: list[str] = []
    if web.matter:
        shown.append(_front(work, parts))
        headings.append(_WORDS[work.language][2])
        shown.append(f'<h2 class="chapter">{headings[0]}</h2>')
        for text in EXTRAS[work.language]["preface"]:
            shown.append(f"<p>{escape(text)}</p>")
            body.append(text)
    for number, (title, inside) in enumerate(chapters_of(parts)):
        headings.append(title)
        shown.append(f'<h2 class="chapter" id="c{number}">{escape(title)}</h2>')
        first = True
        for place, part in enumerate(inside):
            shown.append(_piece(part, notes, first))
            if part.piece.kind != "break":
                body.append(part.piece.plain)
                first = False
            if web.figures and place % 14 == 9:
                name = TITLES[work.language][(number + place) % len(TITLES[work.language])]
                either.append(f"{_WORDS[work.language][4]} {len(either) + 1}. {name}")
                shown.append(f'<figure><div class="box"></div><figcaption>{escape(either[-1])}</figcaption></figure>')
    if web.matter:
        shown.append(_index(work))
    heads = [work.title, work.author, *(piece.plain for piece in work.pieces if piece.kind == "heading")]
    truth = Truth(
        body=tuple(body),
        headings=tuple(headings),
        notes=notes,
        furniture=tuple(heads) if any(web.top) or web.chromium else (),
        either=tuple(either),
        breaks=sum(piece.kind == "break" for piece in work.pieces),
        language=work.language,
    )
    head = f'<meta charset="utf-8"><title>{escape(work.title)}</title><style>{_css(web, work)}</style>'
    return f'<html lang="{work.language}"><head>{head}</head><body>{"".join(shown)}</body></html>', truth


def _piece(part: Part, notes: tuple[str, ...], first: bool) -> str:
    text = escape(part.piece.text, quote=False)
    if part.note:
        text = text.replace(". ", f'.<span class="note">{escape(notes[part.note - 1])}</span> ', 1)
    text = re.sub(r"\*([^*\n]+)\*", r"<i>\1</i>", text)
    kind = part.piece.kind
    if kind == "break":
        return '<p class="stars">* * *</p>'
    if kind == "verse":
        return '<div class="verse">' + "".join(f"<p>{line.strip()}</p>" for line in text.split("\n")) + "</div>"
    if kind == "quote":
        return f"<blockquote><p>{text}</p></blockquote>"
    return f'<p class="{kind}{" first" if first and kind == "paragraph" else ""}">{text}</p>'


def _front(work: Work, parts: tuple[Part, ...]) -> str:
    contents, imprint, *_ = _WORDS[work.language]
    links = "".join(f'<li><a href="#c{n}">{escape(title)}</a></li>' for n, (title, _) in enumerate(chapters_of(parts)))
    return (
        f'<section class="front"><p class="half">{work.title}</p></section><section class="front"><p class="title">'
        f'{work.title}</p><p class="author">{work.author}</p></section><section class="front"><p class="small">'
        f'{imprint}</p></section><section class="front list"><h2>{contents}</h2><ol>{links}</ol></section>'
    )


def _index(work: Work) -> str:
    """Names of the book with made-up pages."""
    names = sorted({name for piece in work.pieces for name in re.findall(r"(?<=[a-z] )[A-Z][a-z]{4,}", piece.text)})
    lines = "".join(
        f"<p>{name}, {', '.join(str(7 + 11 * n % 90 + 13 * k) for k in range(1 + n % 4))}</p>"
        for n, name in enumerate(names)
    )
    return f'<section class="index"><h2 class="chapter">{_WORDS[work.language][3]}</h2>{lines}</section>'


def _css(web: Web, work: Work) -> str:
    named = {"title": f'"{work.title}"', "author": f'"{work.author}"', "chapter": "string(chapter)"}

    def margins(shown: tuple[str, str, str], edge: str, turn: bool) -> str:
        places = zip(("left", "center", "right"), shown[::-1] if turn and web.facing else shown, strict=True)
        return "".join(f"@{edge}-{place} {{ content: {named.get(what, what)} }}" for place, what in places if what)

    def side(turn: bool) -> str:
        return margins(web.top, "top", turn) + margins(web.bottom, "bottom", turn)

    initials = {
        "drop": "p.first::first-letter { float: left; font-size: 2.6em; line-height: .9; padding-right: 2pt }",
        "drop3": "p.first::first-letter { float: left; font-size: 3.9em; line-height: .85; padding-right: 3pt }",
        "capitals": "p.first::first-line { font-variant: small-caps }",
    }
    gap = "text-indent: 1.4em; margin: 0" if web.indent else "margin: 0 0 .8em"
    columns = f"body {{ columns: {web.columns}; column-gap: 6mm }}" if web.columns > 1 else ""
    pages = "" if web.chromium else (
        f"@page {{ size: {web.size}; margin: {web.margin}; @footnote {{ border-top: .4pt solid; padding-top: 3pt }} }}"
        f"@page :right {{ {side(False)} }} @page :left {{ {side(True)} }}"
        "@page bare { @top-left { content: none } @top-center { content: none } @top-right { content: none }"
        " @bottom-center { content: counter(page, lower-roman) } }"
    )  # fmt: skip
    return (
        pages + f"body {{ font: {web.points}pt/{web.line} {_FONTS[web.font]}; margin: 0;"
        f" text-align: {'justify' if web.justify else 'left'}; hyphens: {'auto' if web.justify else 'none'} }}"
        f"p {{ {gap} }} h2 {{ text-align: center; margin: 2em 0 1.5em; hyphens: none; string-set: chapter content() }}"
        f"h2.chapter {{ break-before: {'auto' if web.columns > 1 else 'page'};"
        f" text-transform: {'uppercase' if web.capitals else 'none'} }}"
        "p.stars { text-align: center; text-indent: 0; margin: 1em 0 } p.dateline, p.signature { text-align: right }"
        "div.verse { margin: 1em 2em } div.verse p { text-indent: 0; margin: 0; text-align: left }"
        "blockquote { margin: 1em 2em; font-size: .9em } figure { margin: 1em 0; text-align: center }"
        "div.box { height: 25mm; background: #ddd } figcaption { font-size: .8em } .index p { text-indent: 0 }"
        "span.note { float: footnote; font-size: .8em; text-indent: 0 }"
        "section.front { page: bare; break-after: page; text-align: center } p.title { font-size: 2em }"
        "section.list a::after { content: leader('.') target-counter(attr(href), page) } ol { list-style: none }"
        f"{initials.get(web.initial, '')} {columns}"
    )
