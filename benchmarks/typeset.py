"""Books for the reading bench, set from the sample works by the `typst` package.

`python -m benchmarks.reading --typeset` reads them.  Each design is one that books have: heads by parity, folios,
notes, hyphenation in English and French, two columns, space instead of indents, verse in prose.  Beside each PDF stands
its true text.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from quire.books import markdown
from quire.books.book import Book
from quire.books.reading import sample_path

VERSE = (
    "The lamp is out, the lock is fast,",
    "The ledger lies unread;",
    "Who counts the hours that have passed",
    "Has none of them ahead.",
)
NOTE = "So in the first printing; later ones leave the word out."


@dataclass(frozen=True)
class Design:
    """How one book is set.  Lengths as typst writes them."""

    name: str
    sample: str
    page: str = 'paper: "a5", margin: (x: 18mm, y: 20mm)'
    size: str = "10pt"
    font: str = "Libertinus Serif"
    indent: bool = True
    justify: bool = True
    columns: int = 1
    head: bool = True
    notes: bool = False
    verse: bool = False


A4 = 'paper: "a4", margin: 25mm'
LETTER = 'paper: "us-letter", margin: 18mm'
DESIGNS = (
    Design("novella-heads-notes", "novella", notes=True, verse=True),
    Design("novella-spaced-ragged", "novella", indent=False, justify=False, size="11pt", page=A4),
    Design("novella-two-columns", "novella", columns=2, size="9pt", page=LETTER, verse=True),
    Design("tale-dialogue", "tale", notes=True),
    Design("tale-two-columns", "tale", columns=2, size="9pt", font="New Computer Modern", page=A4),
    Design("tale-spaced", "tale", indent=False, head=False, verse=True),
)


def escape(text: str) -> str:
    return re.sub(r"([\\#$*_`<>@\[\]~=/+\-'\"])", r"\\\1", text)


def typeset(folder: Path, designs: Sequence[Design] = DESIGNS) -> None:
    """Write `NAME.pdf` and `NAME.truth.txt` for each design.  Raises ImportError where typst is not installed."""
    import typst

    for design in designs:
        (book,) = markdown.read(sample_path(design.sample))
        source, truth = compose(book, design)
        target = folder / f"{design.name}.typ"
        target.write_text(source, encoding="utf-8")
        (folder / f"{design.name}.pdf").write_bytes(typst.compile(target))
        (folder / f"{design.name}.truth.txt").write_text(truth, encoding="utf-8")
        target.unlink()


def compose(book: Book, design: Design) -> tuple[str, str]:
    """The typst source of a book, and the text that a reader of its pages should get."""
    body: list[str] = []
    truth: list[str] = []
    for chapter in book.chapters:
        title = " ".join(chapter.heading.split())
        opening = f"#align(center, text(size: 1.5em)[{escape(title)}])"
        body.append(f'#pagebreak(weak: true)\n#chapter.update("{title}")\n#v(15mm)\n{opening}\n#v(8mm)')
        for number, block in enumerate(chapter.blocks):
            if block.kind == "break":
                body.append(r"#align(center)[\* \* \*]")
                continue
            lines = block.text.split("\n")
            marked = escape(block.text)
            if design.notes and number % 9 == 4 and len(block.text) > 120:
                head, _, tail = block.text.partition(". ")
                marked = f"{escape(head)}.#footnote[{NOTE}] {escape(tail)}" if tail else marked
            body.append(_stanza(lines) if block.kind == "verse" else f"{marked}\n")
            truth.append(block.text)
            if design.verse and number % 11 == 6:
                body.append(_stanza(VERSE))
                truth.append("\n".join(VERSE))
    return "\n".join([*_settings(book, design), *body]), "\n\n".join(truth)  # fmt: skip


def _stanza(lines: Sequence[str]) -> str:
    joined = " \\\n".join(escape(line) for line in lines)
    still = "#set par(justify: false, first-line-indent: 0em)"
    return f"#block(above: 1em, below: 1em, inset: (left: 2em))[{still}\n{joined}]"


def _settings(book: Book, design: Design) -> list[str]:
    gap = "0.65em, first-line-indent: 1.3em" if design.indent else "1.2em"
    head = (
        "context { let n = counter(page).get().first(); if calc.even(n) { [#n #h(1fr) "
        f"{escape(book.author or book.title)}] }} else {{ [#emph(chapter.get()) #h(1fr) #n] }} }}"
    )
    foot = "context align(center)[— #counter(page).display() —]"
    edge = f"header: {head}, footer: []" if design.head else f"footer: {foot}"
    hyphenate = str(design.justify).lower()
    return [
        '#let chapter = state("chapter", "")',
        f"#set page({design.page}, columns: {design.columns}, {edge})",
        f'#set text(font: "{design.font}", size: {design.size}, lang: "{book.language}", hyphenate: {hyphenate})',
        "#set smartquote(enabled: false)",
        f"#set par(justify: {hyphenate}, leading: 0.65em, spacing: {gap})",
    ]
