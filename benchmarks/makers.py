"""Pages of other makers than typst.  Each is optional: a sheet whose program is missing is named and left out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks import drawn_pages, latex_pages, web_pages
from benchmarks.drawn_pages import Drawn
from benchmarks.latex_pages import Latex
from benchmarks.truth import Truth
from benchmarks.web_pages import Web


@dataclass(frozen=True)
class Sheet:
    """One book of one maker."""

    name: str
    how: Web | Latex | Drawn

    @property
    def absent(self) -> str:
        """What is missing to make it, or nothing."""
        match self.how:
            case Web():
                return web_pages.absent(self.how)
            case Latex():
                return latex_pages.absent(self.how)
            case Drawn():
                return drawn_pages.absent(self.how)

    def make(self, target: Path) -> Truth:
        """Write the PDF and return what a reader should get."""
        match self.how:
            case Web():
                return web_pages.print_web(self.how, target)
            case Latex():
                return latex_pages.set_latex(self.how, target)
            case Drawn():
                return drawn_pages.draw(self.how, target)


_FOLIO = ("", "counter(page)", "")
_CHARTER = r"\usepackage{mathpazo}"
SHEETS = (
    Sheet("en-web-footnotes", Web(notes=True, top=("", "chapter", "counter(page)"), bottom=("", "", ""))),
    Sheet("en-web-matter", Web(matter=True, extras=True, top=("", "title", ""), bottom=_FOLIO, initial="drop")),
    Sheet("en-web-sans", Web(font="sans", size="letter", margin="25mm", points=11, indent=False, justify=False,
                             extras=True,
                             bottom=("", "", '"Page " counter(page) " of " counter(pages)'), facing=False)),
    Sheet("en-web-figures", Web(figures=True, size="148mm 200mm", top=("", 'chapter " · " counter(page)', ""),
                                bottom=("", "", ""), initial="drop3")),
    Sheet("en-web-dashes", Web(size="110mm 178mm", margin="15mm 11mm", points=8.5, line=1.2, capitals=True, extras=True,
                               top=("", "title", ""), bottom=("", '"– " counter(page) " –"', ""), initial="capitals")),
    Sheet("en-web-columns", Web(columns=2, size="A4", margin="22mm 18mm", top=("author", "", "title"))),
    Sheet("en-web-browser", Web(chromium=True, extras=True, points=12)),
    Sheet("fr-web-footnotes", Web("garde", notes=True, extras=True, size="120mm 190mm", margin="17mm 13mm",
                                  top=("counter(page)", "", "chapter"), bottom=("", "", ""))),
    Sheet("fr-web-matter", Web("garde", matter=True, figures=True, top=("", "author", ""), initial="drop3",
                               bottom=("", "", "counter(page)"))),
    Sheet("en-latex-t1", Latex(notes=True, contents=True)),
    Sheet("en-latex-ot1", Latex(encoding="OT1", options="11pt,letterpaper,oneside", initials=True)),
    Sheet("en-latex-symbols", Latex(notes=True, symbols=True, fonts=_CHARTER, options="12pt,a4paper,twoside")),
    Sheet("en-latex-lm", Latex(fonts=r"\usepackage{lmodern}\usepackage{microtype}", spaced=True, heads=False)),
    Sheet("en-latex-columns", Latex(kind="article", options="10pt,a4paper,twocolumn", notes=True, heads=False)),
    Sheet("en-latex-columns-ot1", Latex(options="9pt,letterpaper,twocolumn", encoding="OT1", contents=True)),
    Sheet("fr-latex-t1", Latex("garde", notes=True, initials=True)),
    Sheet("fr-latex-lm", Latex("garde", fonts=r"\usepackage{lmodern}", kind="report", options="11pt,a5paper,oneside")),
    Sheet("en-reportlab", Drawn("reportlab")),
    Sheet("en-reportlab-spaced", Drawn("reportlab", size=(612, 792), points=12, justify=False, indent=False)),
    Sheet("fr-reportlab", Drawn("reportlab", "garde", size=(340, 500), points=9, head=False)),
    Sheet("en-fpdf", Drawn("fpdf")),
    Sheet("fr-fpdf-spaced", Drawn("fpdf", "garde", size=(595, 842), points=12, indent=False)),
    Sheet("en-office-docx", Drawn("soffice", ending=".docx")),
    Sheet("fr-office-docx", Drawn("soffice", "garde", ending=".docx")),
    Sheet("en-office-rtf", Drawn("soffice", ending=".rtf")),
    Sheet("fr-office-rtf", Drawn("soffice", "garde", ending=".rtf")),
)  # fmt: skip
