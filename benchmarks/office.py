"""Files of word processors, written for the bench: with notes, a page header and changes that were tracked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from benchmarks.formats import Part
    from benchmarks.works import Work

_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_TYPES = "application/vnd.openxmlformats-officedocument.wordprocessingml"
_RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_O = "urn:oasis:names:tc:opendocument:xmlns"
_EVERY = 17  # so many paragraphs lie between two that were changed
_STRUCK = {"en": "as nobody will ever read", "fr": "comme personne ne le lira"}
_RAISED = '<w:rPr><w:vertAlign w:val="superscript"/></w:rPr>'
_SMALL = '<w:rPr><w:sz w:val="18"/></w:rPr>'
# How word processors name these styles inside the file.
_STYLES = {"heading": "Heading1", "quote": "Quote", "verse": "Verse", "signature": "Signature", "dateline": "Date"}


def _changed(number: int, part: Part, tracked: bool) -> bool:
    return tracked and number % _EVERY == 8 and part.piece.kind == "paragraph"


def _runs(text: str) -> list[tuple[str, bool]]:
    """The text in pieces, and whether each is italic."""
    return [(piece, n % 2 == 1) for n, piece in enumerate(re.split(r"\*([^*\n]+)\*", text)) if piece]


def _split(part: Part) -> tuple[str, str]:
    """Before and after the note."""
    if not part.note:
        return part.piece.text, ""
    head, _, tail = part.piece.text.partition(". ")
    return f"{head}.", f" {tail}"


def docx(path: Path, work: Work, parts: Sequence[Part], notes: Sequence[str], tracked: bool = True) -> None:
    """A Word document as python-docx begins it, with notes, a header and tracked changes put into its parts."""
    import docx as library
    from docx.enum.style import WD_STYLE_TYPE
    from docx.opc.constants import RELATIONSHIP_TYPE
    from docx.opc.packuri import PackURI
    from docx.opc.part import Part as FilePart
    from docx.oxml import parse_xml
    from docx.shared import Pt

    document = library.Document()
    for name in ("Verse", "Signature", "Date"):
        document.styles.add_style(name, WD_STYLE_TYPE.PARAGRAPH)
    document.styles["Verse"].paragraph_format.left_indent = Pt(30)
    document.core_properties.title, document.core_properties.author = work.title, work.author
    document.sections[0].header.paragraphs[0].text = f"{work.author} / {work.title}"
    document.add_paragraph(work.title, "Title")
    body = document.element.body
    for number, part in enumerate(parts):
        struck = _STRUCK[work.language] if _changed(number, part, tracked) else ""
        xml = f"<w:p {_W}>{_word_style(part)}{_word_inside(part, struck)}</w:p>"
        body.insert(len(body) - 1, parse_xml(xml))
    below = "".join(
        f'<w:footnote w:id="{n}"><w:p><w:r>{_RAISED}<w:footnoteRef/></w:r><w:r>{_SMALL}<w:t xml:space="preserve">'
        f" {escape(note)}</w:t></w:r></w:p></w:footnote>"
        for n, note in enumerate(notes, 1)
    )
    data = f'<w:footnotes {_W}><w:footnote w:type="separator" w:id="0"><w:p/></w:footnote>{below}</w:footnotes>'
    name = PackURI("/word/footnotes.xml")
    footnotes = FilePart(name, f"{_TYPES}.footnotes+xml", data.encode(), document.part.package)
    document.part.relate_to(footnotes, RELATIONSHIP_TYPE.FOOTNOTES)
    document.save(str(path))


def _word_style(part: Part) -> str:
    style = _STYLES.get(part.piece.kind)
    return f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""


def _word_inside(part: Part, struck: str) -> str:
    def runs(text: str) -> str:
        made = ""
        for piece, italic in _runs(text):
            lines = '</w:t><w:br/><w:t xml:space="preserve">'.join(
                escape(line.strip("\n")) for line in piece.split("\n")
            )
            made += f'<w:r>{"<w:rPr><w:i/></w:rPr>" if italic else ""}<w:t xml:space="preserve">{lines}</w:t></w:r>'
        return made

    head, tail = _split(part)
    if struck:
        # The first word was put in, a clause was struck out.
        first, _, rest = head.partition(" ")
        when = 'w:author="Editor" w:date="2026-01-01T00:00:00Z"'
        gone = f'<w:del w:id="1" {when}><w:r><w:delText xml:space="preserve"> {struck}</w:delText></w:r></w:del>'
        return f'<w:ins w:id="2" {when}>{runs(first)}</w:ins>{gone}{runs(f" {rest}")}{_word_note(part)}{runs(tail)}'
    return runs(head) + _word_note(part) + runs(tail)


def _word_note(part: Part) -> str:
    return f'<w:r>{_RAISED}<w:footnoteReference w:id="{part.note}"/></w:r>' if part.note else ""


def odt(path: Path, work: Work, parts: Sequence[Part], notes: Sequence[str]) -> None:
    """An OpenDocument text: headings, line breaks, notes in their place, one tracked deletion in some paragraphs."""
    from benchmarks.formats import _zip

    body, changes = "", ""
    for number, part in enumerate(parts):
        head, tail = _split(part)
        note = ""
        if part.note:
            words = escape(notes[part.note - 1])
            note = (
                f'<text:note text:id="n{part.note}" text:note-class="footnote"><text:note-citation>{part.note}'
                f"</text:note-citation><text:note-body><text:p>{words}</text:p></text:note-body></text:note>"
            )
        change = ""
        if _changed(number, part, True):
            change = f'<text:change text:change-id="c{number}"/>'
            changes += (
                f'<text:changed-region text:id="c{number}"><text:deletion><text:p>{_STRUCK[work.language]}</text:p>'
                "</text:deletion></text:changed-region>"
            )
        inside = f"{_odt_runs(head)}{note}{change}{_odt_runs(tail)}"
        if part.piece.kind == "heading":
            body += f'<text:h text:outline-level="1">{inside}</text:h>'
        else:
            style = {"quote": "Quotations", "verse": "Verse"}.get(part.piece.kind, "Text_20_body")
            body += f'<text:p text:style-name="{style}">{inside}</text:p>'
    names = "".join(f' xmlns:{key}="{_O}:{key}:1.0"' for key in ("office", "text", "style", "meta"))
    content = (
        f"<office:document-content{names}><office:body><office:text><text:tracked-changes>{changes}"
        f"</text:tracked-changes>{body}</office:text></office:body></office:document-content>"
    )
    meta = (
        f'<office:document-meta{names} xmlns:dc="http://purl.org/dc/elements/1.1/"><office:meta><dc:title>'
        f"{escape(work.title)}</dc:title><dc:creator>{work.author}</dc:creator><dc:language>{work.language}</dc:language>"
        "</office:meta></office:document-meta>"
    )
    entries = {"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": content, "meta.xml": meta}
    _zip(path, entries)


def _odt_runs(text: str) -> str:
    made = ""
    for piece, italic in _runs(text):
        safe = escape(piece).replace("\n", "<text:line-break/>")
        made += f'<text:span text:style-name="I">{safe}</text:span>' if italic else safe
    return made


def rtf(path: Path, work: Work, parts: Sequence[Part], notes: Sequence[str], tracked: bool = True) -> None:
    """Rich text: a style sheet, a header, notes as destinations, deleted runs."""
    lines = [
        r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0 Georgia;}}",
        r"{\stylesheet{\s0 Normal;}{\s1\outlinelevel0 heading 1;}{\s2 Quote;}{\s3 Verse;}}",
        rf"{{\info{{\title {_rtf(work.title)}}}{{\author {_rtf(work.author)}}}}}",
        rf"{{\header\pard {_rtf(work.title)}\par}}",
    ]
    for number, part in enumerate(parts):
        head, tail = _split(part)
        note = ""
        if part.note:
            note = rf"{{\super\chftn{{\footnote\pard\plain\fs18{{\super\chftn}} {_rtf(notes[part.note - 1])}}}}}"
        struck = ""
        if _changed(number, part, tracked):
            struck = rf"{{\deleted\revauthdel1 {_rtf(_STRUCK[work.language])} }}"
        style = {"heading": r"\s1\outlinelevel0\b\fs32", "quote": r"\s2\li720", "verse": r"\s3\li720"}.get(
            part.piece.kind, r"\s0\fi360"
        )
        lines.append(rf"{{\pard{style} {_rtf_runs(head)}{note}{struck}{_rtf_runs(tail)}\par}}")
    path.write_bytes(("\n".join(lines) + "\n}").encode("ascii"))


def _rtf_runs(text: str) -> str:
    return "".join(rf"{{\i {_rtf(piece)}}}" if italic else _rtf(piece) for piece, italic in _runs(text))


def _rtf(text: str) -> str:
    made = []
    for char in text:
        if char in "\\{}":
            made.append("\\" + char)
        elif char == "\n":
            made.append("\\line ")
        elif char < "\x80":
            made.append(char)
        else:
            code = ord(char)
            made.append(f"\\u{code if code < 0x8000 else code - 0x10000}?")
    return "".join(made)
