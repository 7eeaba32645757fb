"""Books as scripts and word processors make them: drawn with reportlab or fpdf2, or converted by LibreOffice."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from importlib.util import find_spec
from pathlib import Path

from benchmarks.converted import convert
from benchmarks.formats import Part, typed, with_notes, work_of
from benchmarks.office import docx, rtf
from benchmarks.truth import Truth
from benchmarks.works import Work


@dataclass(frozen=True)
class Drawn:
    """`by`: `reportlab`, `fpdf` or `soffice`; the last prints a `.docx` or an `.rtf`."""

    by: str
    work: str = "novella"
    ending: str = ""
    size: tuple[float, float] = (420, 595)
    points: float = 10
    justify: bool = True
    indent: bool = True
    head: bool = True


def absent(drawn: Drawn) -> str:
    """The program or library that is missing, or nothing."""
    if drawn.by == "soffice":
        return "" if shutil.which("soffice") else "LibreOffice"
    return "" if find_spec(drawn.by) else {"fpdf": "fpdf2"}.get(drawn.by, drawn.by)


def draw(drawn: Drawn, target: Path) -> Truth:
    """Write the PDF and return what a reader should get."""
    if drawn.by == "soffice":
        return _convert(drawn, target)
    work = work_of(drawn.work)
    parts = tuple(Part(piece) for piece in work.pieces)
    heads = (work.title, work.author) if drawn.head else ()
    if drawn.by == "reportlab":
        _reportlab(drawn, work, parts, target)
        return _truth(work, (), heads)
    _fpdf(drawn, work, parts, target)
    return _truth(work, (), tuple(map(typed, heads)), typed)


def _truth(work: Work, notes: tuple[str, ...], furniture: tuple[str, ...], fold: Callable[[str], str] = str) -> Truth:
    return Truth(
        body=tuple(fold(piece.plain) for piece in work.pieces if piece.kind not in ("heading", "break")),
        headings=tuple(fold(piece.plain) for piece in work.pieces if piece.kind == "heading"),
        notes=notes,
        furniture=furniture,
        breaks=sum(piece.kind == "break" for piece in work.pieces),
        language=work.language,
    )


def _convert(drawn: Drawn, target: Path) -> Truth:
    folder = target.with_suffix("")
    folder.mkdir(exist_ok=True)
    work = work_of(drawn.work)
    parts, notes = with_notes(work)
    source = folder / f"book{drawn.ending}"
    # A printer shows what was struck out; so nothing is.
    (docx if drawn.ending == ".docx" else rtf)(source, work, parts, notes, tracked=False)
    convert(source, "pdf")
    shutil.move(source.with_suffix(".pdf"), target)
    return _truth(work, notes, (f"{work.author} / {work.title}", work.title))


def _reportlab(drawn: Drawn, work: Work, parts: tuple[Part, ...], target: Path) -> None:
    from reportlab.lib.styles import ParagraphStyle
    from reportlab.platypus import PageBreak, Paragraph, SimpleDocTemplate, Spacer

    lead = drawn.points * 1.3
    base = ParagraphStyle(
        "base", fontName="Times-Roman", fontSize=drawn.points, leading=lead, alignment=4 if drawn.justify else 0,
        firstLineIndent=14 if drawn.indent else 0, spaceAfter=0 if drawn.indent else 6,
    )  # fmt: skip
    styles = {
        "heading": ParagraphStyle(
            "h", base, fontSize=drawn.points * 1.6, leading=lead * 1.6, alignment=1, spaceAfter=20
        ),
        "break": ParagraphStyle("b", base, alignment=1, firstLineIndent=0, spaceBefore=8, spaceAfter=8),
        "verse": ParagraphStyle("v", base, alignment=0, firstLineIndent=0, leftIndent=30, spaceBefore=8, spaceAfter=8),
        "quote": ParagraphStyle(
            "q", base, firstLineIndent=0, leftIndent=24, rightIndent=24, spaceBefore=8, spaceAfter=8
        ),
        "dateline": ParagraphStyle("d", base, alignment=2),
    }
    flow: list[object] = []
    for part in parts:
        text = escape(part.piece.text, quote=False).replace("\u202f", "\u00a0")
        text = text if part.piece.kind == "break" else re.sub(r"\*([^*\n]+)\*", r"<i>\1</i>", text)
        if part.piece.kind == "heading":
            flow += [PageBreak(), Spacer(1, 40)]
        kind = "dateline" if part.piece.kind == "signature" else part.piece.kind
        flow.append(Paragraph(text.replace("\n", "<br/>"), styles.get(kind, base)))

    def running(canvas: object, document: object) -> None:
        _head(canvas, document, drawn, work)

    document = SimpleDocTemplate(
        str(target), pagesize=drawn.size, leftMargin=45, rightMargin=45, topMargin=60, bottomMargin=55,
        title=work.title, author=work.author,
    )  # fmt: skip
    document.build(flow, onFirstPage=running, onLaterPages=running)


def _head(canvas: object, document: object, drawn: Drawn, work: Work) -> None:
    from reportlab.pdfgen.canvas import Canvas
    from reportlab.platypus import SimpleDocTemplate

    assert isinstance(canvas, Canvas)
    assert isinstance(document, SimpleDocTemplate)
    canvas.setFont("Times-Italic", 8)
    if drawn.head:
        words = work.title if document.page % 2 else work.author
        canvas.drawCentredString(drawn.size[0] / 2, drawn.size[1] - 40, words)
    canvas.drawCentredString(drawn.size[0] / 2, 32, f"- {document.page} -")


def _fpdf(drawn: Drawn, work: Work, parts: tuple[Part, ...], target: Path) -> None:
    from fpdf import FPDF

    class Pages(FPDF):
        def header(self) -> None:
            if drawn.head and self.page_no() > 1:
                self.set_font("Times", "I", 8)
                self.cell(0, 12, typed(f"{work.author}  |  {work.title}"), align="R", new_x="LMARGIN", new_y="NEXT")
                self.ln(6)

        def footer(self) -> None:
            self.set_y(-30)
            self.set_font("Times", "", 8)
            self.cell(0, 10, f"Page {self.page_no()} of {{nb}}", align="C")

    pages = Pages(unit="pt", format=drawn.size)
    pages.set_margins(45, 45, 45)
    pages.set_auto_page_break(True, 50)
    align = "J" if drawn.justify else "L"
    lead = drawn.points * 1.3
    for part in parts:
        kind, text = part.piece.kind, part.piece.plain
        if kind == "heading":
            pages.add_page()
            pages.set_font("Times", "B", drawn.points * 1.5)
            pages.multi_cell(0, lead * 1.5, typed(text), align="C", new_x="LMARGIN", new_y="NEXT")
            pages.ln(lead)
            continue
        pages.set_font("Times", "", drawn.points)
        if kind == "verse":
            pages.ln(6)
            for line in text.split("\n"):
                pages.set_x(75)
                pages.cell(0, lead, typed(line.strip()), new_x="LMARGIN", new_y="NEXT")
            pages.ln(6)
            continue
        side = {"break": "C", "dateline": "R", "signature": "R"}.get(kind, align)
        indent = "\u00a0" * 4 if drawn.indent and kind == "paragraph" else ""
        pages.multi_cell(0, lead, indent + typed(text), align=side, new_x="LMARGIN", new_y="NEXT")
        if not drawn.indent:
            pages.ln(6)
    pages.output(str(target))
