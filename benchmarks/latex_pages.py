"""Books as LaTeX sets them, in the two encodings of its fonts."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.formats import Part, chapters_of, with_notes, work_of
from benchmarks.truth import Truth
from benchmarks.works import Work

_SIGNS = {"\\": r"\textbackslash{}", **{sign: f"\\{sign}" for sign in "#$%&_{}"}, "~": r"\textasciitilde{}",
          "£": r"\pounds{}", "“": "``", "”": "''", "‘": "`", "’": "'", "—": "---", "–": "--", "…": r"\dots{}",
          "\u00a0": "~", "\u202f": r"\,",
          "«": r"\guillemotleft{}", "»": r"\guillemotright{}", "œ": r"\oe{}"}  # fmt: skip


@dataclass(frozen=True)
class Latex:
    """How a book is set; `encoding` is that of its fonts."""

    work: str = "novella"
    kind: str = "book"
    options: str = "10pt,a5paper,twoside"
    encoding: str = "T1"
    fonts: str = ""
    heads: bool = True
    notes: bool = False
    contents: bool = False
    initials: bool = False
    spaced: bool = False
    symbols: bool = False
    plain_parts: bool = False
    preamble: str = ""


def absent(_: Latex) -> str:
    """`pdflatex` where it is missing."""
    return "" if shutil.which("pdflatex") else "pdflatex"


def set_latex(latex: Latex, target: Path) -> Truth:
    """Write the PDF and return what a reader should get."""
    work = work_of(latex.work)
    parts, notes = with_notes(work) if latex.notes else (tuple(Part(piece) for piece in work.pieces), ())
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "book.tex"
        source.write_text(_source(latex, work, parts, notes), encoding="utf-8")
        for _ in range(2):
            command = ["pdflatex", "-interaction=batchmode", source.name]
            subprocess.run(command, cwd=folder, capture_output=True, timeout=120, check=False)  # noqa: S603
        shutil.copy(source.with_suffix(".pdf"), target)
    titles = tuple(piece.plain for piece in work.pieces if piece.kind == "heading")
    word = "Chapter" if work.language == "en" else "Chapitre"
    names = tuple(line for n, title in enumerate(titles, 1) for line in (f"{word} {n}", title))
    return Truth(
        body=tuple(piece.plain for piece in work.pieces if piece.kind not in ("heading", "break")),
        headings=names if latex.kind in ("book", "report") else titles,
        notes=notes,
        furniture=(work.author, work.title, *titles) if latex.heads else (),
        breaks=sum(piece.kind == "break" for piece in work.pieces),
        language=work.language,
    )


def _safe(text: str) -> str:
    shown = "".join(_SIGNS.get(char, char) for char in text)
    return re.sub(r"\*([^*\n]+)\*", r"\\emph{\1}", shown)


def _source(latex: Latex, work: Work, parts: tuple[Part, ...], notes: tuple[str, ...]) -> str:
    french = work.language == "fr"
    lines = [
        rf"\documentclass[{latex.options}]{{{latex.kind}}}",
        rf"\usepackage[{latex.encoding}]{{fontenc}}\usepackage[utf8]{{inputenc}}{latex.fonts}",
        # Without the glyphs' names in the file a reader has the codes alone.
        r"\usepackage{fancyhdr}\usepackage{lettrine}\emergencystretch=2em\clubpenalty=0\widowpenalty=0",
        latex.preamble,
    ]
    if french:
        lines.append(r"\language=\csname l@french\endcsname\def\chaptername{Chapitre}\def\contentsname{Table}")
    if latex.symbols:
        lines.append(r"\renewcommand{\thefootnote}{\fnsymbol{footnote}}\usepackage{perpage}\MakePerPage{footnote}")
    if latex.spaced:
        lines.append(r"\setlength{\parindent}{0pt}\setlength{\parskip}{6pt}")
    if latex.heads:
        lines.append(
            r"\pagestyle{fancy}\fancyhf{}\renewcommand{\chaptermark}[1]{\markboth{#1}{}}"
            rf"\fancyhead[LE,RO]{{\thepage}}\fancyhead[RE]{{\textsc{{{_safe(work.author)}}}}}"
            r"\fancyhead[LO]{\textit{\leftmark}}"
        )
    lines.append(rf"\title{{{_safe(work.title)}}}\author{{{_safe(work.author)}}}\date{{}}\begin{{document}}\maketitle")
    if latex.contents:
        lines.append(r"\tableofcontents")
    for title, inside in chapters_of(parts):
        level = "chapter" if latex.kind in ("book", "report") else "section*"
        lines.append(rf"\{level}{{{_safe(title)}}}")
        first = True
        for part in inside:
            lines.append(_piece(latex, part, notes, first))
            first = False
    return "\n".join([*lines, r"\end{document}"])


def _piece(latex: Latex, part: Part, notes: tuple[str, ...], first: bool) -> str:
    kind, text = part.piece.kind, part.piece.text
    if kind == "break":
        return "\n\\begin{center}* * *\\end{center}\n"
    if kind == "verse":
        lines = "\\\\\n".join(_safe(line.strip()) for line in text.split("\n"))
        return f"\\begin{{verse}}{lines}\\end{{verse}}\n"
    if kind == "quote":
        return f"\\begin{{quotation}}{_safe(text)}\\end{{quotation}}\n"
    if kind in ("dateline", "signature"):
        return f"\\begin{{flushright}}{_safe(text)}\\end{{flushright}}\n"
    if part.note:
        head, _, tail = text.partition(". ")
        return f"{_safe(head)}.\\footnote{{{_safe(notes[part.note - 1])}}} {_safe(tail)}\n"
    if first and latex.initials and text[0].isalpha():
        word, _, rest = text.partition(" ")
        return f"\\lettrine{{{_safe(word[0])}}}{{{_safe(word[1:])}}} {_safe(rest)}\n"
    return f"{_safe(text)}\n"
