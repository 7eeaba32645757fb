"""The works of the bench written as files of every other format, each with its true text.

They are made as programs make them: with the running matter, contents lists, notes and tracked changes that such files
have around the text.
"""

from __future__ import annotations

import re
import textwrap
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape
from pathlib import Path

from benchmarks.extras import EXTRAS
from benchmarks.truth import Truth
from benchmarks.works import Piece, Work, enrich, own, sample

Wrap = Callable[[str], str]
NOTE = "\x00"


@dataclass(frozen=True)
class Part:
    """A piece with the number of the note that stands after its first sentence, 0 for none."""

    piece: Piece
    note: int = 0


def work_of(name: str) -> Work:
    """A work in English or French, with verse, quotations and letters put in."""
    work = sample(name) if name == "novella" else own(name)
    extras = EXTRAS[work.language]
    return enrich(work, extras["verse"], extras["quotes"], extras["letters"])


def write_one(name: str, ending: str, folder: Path) -> tuple[Path, Truth]:
    """One of `FORMATS`."""
    work = work_of(name)
    parts, notes = with_notes(work)
    target = folder / f"{name}{ending}"
    _WRITERS[ending](target, work, parts, notes)
    return target, truth_of(work, () if ending in _NO_NOTES else notes, ending)


def truth_of(work: Work, notes: tuple[str, ...], ending: str = "") -> Truth:
    fold = typed if "latin1" in ending else str
    return Truth(
        body=tuple(fold(p.plain) for p in work.pieces if p.kind not in ("heading", "break")),
        headings=tuple(fold(p.plain) for p in work.pieces if p.kind == "heading"),
        notes=notes,
        breaks=sum(p.kind == "break" for p in work.pieces),
        language=work.language,
    )


def with_notes(work: Work) -> tuple[tuple[Part, ...], tuple[str, ...]]:
    stock = EXTRAS[work.language]["notes"]
    parts: list[Part] = []
    count = 0
    for number, piece in enumerate(work.pieces):
        fits = piece.kind == "paragraph" and number % 9 == 4 and ". " in piece.text and len(piece.text) > 120
        count += fits
        parts.append(Part(piece, count if fits else 0))
    return tuple(parts), tuple(stock[n % len(stock)] for n in range(count))


def _marked(part: Part, reference: str, safe: Wrap = escape, italic: tuple[str, str] = ("<i>", "</i>")) -> str:
    """The text of a piece in some mark-up, with the reference to its note after the first sentence."""
    text = part.piece.text.replace(". ", f".{NOTE} ", 1) if part.note else part.piece.text
    text = re.sub(r"\*([^*\n]+)\*", rf"{italic[0]}\1{italic[1]}".replace("<", "\x01").replace(">", "\x02"), text)
    return safe(text).replace("\x01", "<").replace("\x02", ">").replace(NOTE, reference)


def _zip(path: Path, entries: Mapping[str, str]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            stored = zipfile.ZIP_STORED if name == "mimetype" else zipfile.ZIP_DEFLATED
            archive.writestr(name, data, stored)


def chapters_of(parts: tuple[Part, ...]) -> list[tuple[str, list[Part]]]:
    chapters: list[tuple[str, list[Part]]] = []
    for part in parts:
        if part.piece.kind == "heading":
            chapters.append((part.piece.plain, []))
        else:
            chapters[-1][1].append(part)
    return chapters


def xhtml(part: Part, reference: str, semantic: bool) -> str:
    """A piece as XHTML, as a careful or as an ordinary producer writes it."""
    kind = part.piece.kind
    text = _marked(part, reference)
    if kind == "break":
        return "<hr/>" if semantic else '<p class="centered">* * *</p>'
    if kind == "verse":
        lines = text.split("\n")
        if semantic:
            spans = "<br/>".join(f"<span>{line.strip()}</span>" for line in lines)
            return f'<blockquote epub:type="z3998:verse"><p>{spans}</p></blockquote>'
        return '<div class="poem">' + "".join(f'<p class="line">{line.strip()}</p>' for line in lines) + "</div>"
    if kind == "quote":
        return f"<blockquote><p>{text}</p></blockquote>"
    return f'<p class="{kind}">{text}</p>'


_XHTML = (
    '<html xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"><head><title>{title}</title>'
)
_CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container" version="1.0"><rootfiles><rootfile '
    'full-path="OPS/book.opf" media-type="application/oebps-package+xml"/></rootfiles></container>'
)


def _opf(work: Work, names: list[str], version: str, extra: str = "") -> str:
    items = "".join(f'<item id="{n[:-6]}" href="{n}" media-type="application/xhtml+xml"/>' for n in names)
    spine = "".join(f'<itemref idref="{n[:-6]}"/>' for n in names)
    return (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/" '
        f'version="{version}">'
        f"<metadata><dc:title>{escape(work.title)}</dc:title><dc:creator>{work.author}</dc:creator><dc:language>"
        f'{work.language}</dc:language></metadata><manifest>{items}{extra}</manifest><spine toc="ncx">{spine}</spine>'
        "</package>"
    )


def _epub3(path: Path, work: Work, parts: tuple[Part, ...], notes: tuple[str, ...]) -> None:
    """One file a chapter, every section named by its type, notes in a file of their own."""

    def page(kind: str, inside: str) -> str:
        return f'{_XHTML.format(title=kind)}</head><body><section epub:type="{kind}">{inside}</section></body></html>'

    chapters = chapters_of(parts)
    pages = {"titlepage.xhtml": page("titlepage", f"<h1>{work.title}</h1><p>{work.author}</p>")}
    pages["imprint.xhtml"] = page("imprint", "<p>This edition was made for a bench and is not for sale.</p>")
    for number, (title, inside) in enumerate(chapters, 1):
        mark = '<a epub:type="noteref" href="notes.xhtml#n{0}">{0}</a>'
        body = "".join(xhtml(part, mark.format(part.note), True) for part in inside)
        pages[f"chapter-{number}.xhtml"] = page("chapter", f'<h2 epub:type="title">{escape(title)}</h2>{body}')
    items = "".join(
        f'<li id="n{n}" epub:type="endnote"><p>{escape(note)} <a epub:type="backlink" href="x">↩</a></p></li>'
        for n, note in enumerate(notes, 1)
    )
    pages["notes.xhtml"] = page("endnotes", f"<h2>Notes</h2><ol>{items}</ol>")
    pages["colophon.xhtml"] = page("colophon", "<p>Set in nothing, by nobody.</p>")
    links = "".join(f'<li><a href="chapter-{n}.xhtml">{escape(t)}</a></li>' for n, (t, _) in enumerate(chapters, 1))
    nav = f'{_XHTML.format(title="Contents")}</head><body><nav epub:type="toc"><ol>{links}</ol></nav></body></html>'
    extra = '<item id="nav" href="nav.xhtml" media-type="application/xhtml+xml" properties="nav"/>'
    entries = {"mimetype": "application/epub+zip", "META-INF/container.xml": _CONTAINER}
    entries["OPS/book.opf"] = _opf(work, list(pages), "3.0", extra)
    _zip(path, entries | {"OPS/nav.xhtml": nav} | {f"OPS/{name}": text for name, text in pages.items()})


def _epub2(path: Path, work: Work, parts: tuple[Part, ...], notes: tuple[str, ...]) -> None:
    """No types at all: a title page, a list of contents, three chapters a file, notes at the end of each file."""
    chapters = chapters_of(parts)
    head = _XHTML.format(title=escape(work.title)) + "</head><body>"
    pages = {"title.xhtml": f'{head}<p class="t">{work.title}</p><p class="a">by {work.author}</p></body></html>'}
    links = "".join(
        f'<p><a href="text{n // 3}.xhtml#c{n}">{escape(title)}</a></p>' for n, (title, _) in enumerate(chapters)
    )
    pages["contents.xhtml"] = f"{head}<h2>Contents</h2>{links}</body></html>"
    for first in range(0, len(chapters), 3):
        body, below = "", ""
        for number, (title, inside) in enumerate(chapters[first : first + 3], first):
            body += f'<h2 id="c{number}">{escape(title)}</h2>'
            for part in inside:
                body += xhtml(part, f'<sup><a id="r{part.note}" href="#f{part.note}">[{part.note}]</a></sup>', False)
                if part.note:
                    note = escape(notes[part.note - 1])
                    below += (
                        f'<p class="footnote"><a id="f{part.note}" href="#r{part.note}">[{part.note}]</a> {note}</p>'
                    )
        pages[f"text{first // 3}.xhtml"] = f'{head}{body}<div class="footnotes">{below}</div></body></html>'
    points = "".join(
        f'<navPoint id="p{n}" playOrder="{n}"><navLabel><text>{escape(title)}</text></navLabel>'
        f'<content src="text{n // 3}.xhtml#c{n}"/></navPoint>'
        for n, (title, _) in enumerate(chapters)
    )
    ncx = f'<ncx xmlns="http://www.daisy.org/z3986/2005/ncx/" version="2005-1"><navMap>{points}</navMap></ncx>'
    extra = '<item id="ncx" href="toc.ncx" media-type="application/x-dtbncx+xml"/>'
    entries = {"mimetype": "application/epub+zip", "META-INF/container.xml": _CONTAINER, "OPS/toc.ncx": ncx}
    entries["OPS/book.opf"] = _opf(work, list(pages), "2.0", extra)
    _zip(path, entries | {f"OPS/{name}": text for name, text in pages.items()})


def _html(path: Path, work: Work, parts: tuple[Part, ...], notes: tuple[str, ...]) -> None:
    """A page of a site: its own header, links and footer around the article, notes below it."""
    chapters = chapters_of(parts)
    links = "".join(f'<li><a href="#c{n}">{escape(title)}</a></li>' for n, (title, _) in enumerate(chapters))
    body = ""
    for number, (title, inside) in enumerate(chapters):
        body += f'<h2 id="c{number}">{escape(title)}</h2>\n'
        for part in inside:
            body += xhtml(part, f'<sup id="r{part.note}"><a href="#f{part.note}">{part.note}</a></sup>', False) + "\n"
    items = "".join(f'<li id="f{n}">{escape(note)} <a href="#r{n}">↩</a></li>' for n, note in enumerate(notes, 1))
    path.write_text(
        f'<!doctype html><html lang="{work.language}"><head><meta charset="utf-8"><title>{escape(work.title)}</title>'
        '<style>p { margin: 0 }</style><script>var page = "none of the text";</script></head><body>'
        f'<header><a href="/">Library</a> · <a href="/new">New books</a></header><nav><ul>{links}</ul></nav>'
        f'<main><h1>{escape(work.title)}</h1><p class="byline">{work.author}</p>{body}'
        f'<section class="footnotes"><ol>{items}</ol></section></main><footer><p>All pages of this site are alike.</p>'
        "</footer></body></html>",
        encoding="utf-8",
    )


def _markdown(path: Path, work: Work, parts: tuple[Part, ...], notes: tuple[str, ...]) -> None:
    def safe(text: str) -> str:
        return re.sub(r"^(\d+)\.", r"\1\\.", text)

    lines = [f"---\ntitle: {work.title}\nauthor: {work.author}\nlanguage: {work.language}\n---", f"# {work.title}"]
    for part in parts:
        text = _marked(part, f"[^{part.note}]", safe, ("*", "*"))
        kind = part.piece.kind
        if kind == "heading":
            lines.append(f"## {text}")
        elif kind == "verse":
            lines.append("  \n".join(line.strip() for line in text.split("\n")))
        elif kind == "quote":
            lines.append("\n".join(f"> {line}" for line in textwrap.wrap(text, 80)))
        else:
            lines.append(text if kind == "break" else "\n".join(textwrap.wrap(text, 100, break_on_hyphens=False)))
    lines += [f"[^{n}]: {note}" for n, note in enumerate(notes, 1)]
    path.write_text("\n\n".join(lines) + "\n", encoding="utf-8")


def _tei(path: Path, work: Work, parts: tuple[Part, ...], notes: tuple[str, ...]) -> None:
    body = ""
    for title, inside in chapters_of(parts):
        body += f'<div type="chapter"><head>{escape(title)}</head>\n'
        for part in inside:
            note = f'<note place="foot">{escape(notes[part.note - 1])}</note>' if part.note else ""
            text = _marked(part, note, escape, ("<hi>", "</hi>"))
            kind = part.piece.kind
            if kind == "verse":
                body += "<lg>" + "".join(f"<l>{line.strip()}</l>" for line in text.split("\n")) + "</lg>\n"
            elif kind == "break":
                body += '<milestone unit="section" rend="stars"/>\n'
            else:
                body += f"<quote><p>{text}</p></quote>\n" if kind == "quote" else f"<p>{text}</p>\n"
        body += "</div>"
    path.write_text(
        '<?xml version="1.0" encoding="UTF-8"?><TEI xmlns="http://www.tei-c.org/ns/1.0"><teiHeader><fileDesc><titleStmt>'
        f"<title>{escape(work.title)}</title><author>{work.author}</author></titleStmt><publicationStmt><p>For a bench."
        f'</p></publicationStmt></fileDesc><profileDesc><langUsage><language ident="{work.language}"/></langUsage>'
        f"</profileDesc></teiHeader><text><front><titlePage><docTitle><titlePart>{escape(work.title)}</titlePart>"
        f"</docTitle></titlePage></front><body>{body}</body></text></TEI>",
        encoding="utf-8",
    )


def _text(encoding: str, wrapped: bool) -> Callable[[Path, Work, tuple[Part, ...], tuple[str, ...]], None]:
    """Plain text, a paragraph a line or in lines of 72 with a blank line between; verse is indented."""

    def write(path: Path, work: Work, parts: tuple[Part, ...], _: tuple[str, ...]) -> None:
        lines = [work.title, f"{'par' if work.language == 'fr' else 'by'} {work.author}"]
        for part in parts:
            text = part.piece.plain
            if part.piece.kind == "verse":
                lines.append("\n".join(f"    {line}" for line in text.split("\n")))
            elif wrapped and part.piece.kind not in ("heading", "break"):
                lines.append("\n".join(textwrap.wrap(text, 72, break_on_hyphens=False)))
            else:
                lines.append(text)
        text = "\n\n".join(lines) + "\n"
        path.write_bytes((typed(text) if encoding == "latin-1" else text).encode(encoding))

    return write


def typed(text: str) -> str:
    """What a typist of Latin-1 writes for the signs that it lacks."""
    for sign, typed in (
        ("“", '"'),
        ("”", '"'),
        ("‘", "'"),
        ("’", "'"),
        ("—", "--"),
        ("–", "-"),
        ("…", "..."),
        ("œ", "oe"),
    ):
        text = text.replace(sign, typed)
    return text


def _load() -> Mapping[str, Callable[[Path, Work, tuple[Part, ...], tuple[str, ...]], None]]:
    from benchmarks.office import docx, odt, rtf

    return {
        ".3.epub": _epub3,
        ".2.epub": _epub2,
        ".html": _html,
        ".md": _markdown,
        ".xml": _tei,
        ".docx": docx,
        ".odt": odt,
        ".rtf": rtf,
        ".utf8.txt": _text("utf-8", False),
        ".wrapped.txt": _text("utf-8", True),
        ".utf16.txt": _text("utf-16", True),
        ".cp1252.txt": _text("cp1252", True),
        ".mac.txt": _text("mac-roman", True),
        ".latin1.txt": _text("latin-1", True),
    }


_NO_NOTES = tuple(f".{name}.txt" for name in ("utf8", "wrapped", "utf16", "cp1252", "mac", "latin1"))
_WRITERS = _load()
FORMATS = tuple((name, ending) for name in ("novella", "garde") for ending in _WRITERS)
"""Every work in every format."""
