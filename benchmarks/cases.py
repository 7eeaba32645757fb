"""What the reading bench reads: each case knows how its file is made, and what should come out of it."""

from __future__ import annotations

import gc
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pypdfium2

from benchmarks.around import furniture_of
from benchmarks.converted import CONVERTED
from benchmarks.designs import DESIGNS, Design
from benchmarks.formats import FORMATS, write_one
from benchmarks.given import find_books, given_works
from benchmarks.makers import SHEETS, Sheet
from benchmarks.measure import measure
from benchmarks.truth import Measured, Truth
from benchmarks.typeset import typeset
from benchmarks.works import Work, named
from quire.books.kinds import find_kind
from quire.books.limits import ReadOptions
from quire.books.readers import read_kind
from quire.errors import BookError

_COLUMNS = re.compile(r"two-column|columns")
UNMADE = "unmade"
_SHORT = 0.2
_SHORT_READINGS = 3
# Every so many designs is set with the text of a given book too.
_EVERY = 3


@dataclass(frozen=True)
class Case:
    """A file to read: `make` writes it into a folder, where it is not there yet, and says what is true of it."""

    name: str
    make: Callable[[Path], tuple[Path, Truth]]

    @property
    def group(self) -> str:
        """Which row of the goals the file belongs to."""
        if self.name == "41568-pdf.pdf":
            return "whitehead"
        if "scanned" in self.name:
            return "image-only"
        suffix = self.name.rpartition(".")[2].lower()
        if suffix == "pdf":
            return "pdf columns" if _COLUMNS.search(self.name) else "pdf"
        return {"xml": "tei", "htm": "html", "xhtml": "html"}.get(suffix, suffix)


def given_cases(folder: Path) -> list[Case]:
    """The books of a folder that have their true text beside them."""
    return [Case(path.name, partial(_given, path, truth)) for path, truth in find_books(folder)]


def written_cases() -> list[Case]:
    """The bench's own works in every other format."""
    return [Case(f"{name}{ending}", partial(write_one, name, ending)) for name, ending in FORMATS]


def set_cases() -> list[Case]:
    """The bench's own works in every design."""
    return [Case(f"{design.name}.pdf", partial(_set, design, design.name, None)) for design in DESIGNS]


def made_cases() -> list[Case]:
    """Pages of other programs than typst."""
    return [Case(f"{sheet.name}.pdf", partial(_made, sheet)) for sheet in SHEETS]


def converted_cases() -> list[Case]:
    """The bench's own works as other programs write them."""
    return [Case(one.name, one.make) for one in CONVERTED]


def books_in_designs(folder: Path) -> list[Case]:
    """True texts of given books, the start of each, in designs in turn."""
    works = given_works(folder)
    if not works:
        return []
    designs = [design for design in DESIGNS if design.work != "poems"]
    cases = []
    for number, design in enumerate(designs[1::_EVERY]):
        alike = [work for work in works if work.language == design.name[:2]]
        if alike:
            work = alike[number % len(alike)]
            name = f"{design.name}-{work.title.split()[-1].casefold()}"
            cases.append(Case(f"{name}.pdf", partial(_set, design, name, work)))
    return cases


def named_cases(texts: Path) -> Iterator[Case]:
    """Texts that someone names, in every design."""
    for number, work in enumerate(named(texts)):
        for design in DESIGNS:
            if design.work != "poems" and design.name[:2] == work.language:
                name = f"{design.name}-{number}"
                yield Case(f"{name}.pdf", partial(_set, design, name, work))


def _given(path: Path, truth: Truth, _: Path) -> tuple[Path, Truth]:
    return path, truth


def _set(design: Design, name: str, work: Work | None, folder: Path) -> tuple[Path, Truth]:
    target = folder / f"{name}.pdf"
    return target, typeset(design, target, work)


def _made(sheet: Sheet, folder: Path) -> tuple[Path, Truth]:
    target = folder / f"{sheet.name}.pdf"
    return target, sheet.make(target)


def score(case: Case, folder: Path) -> Measured:
    """Make a book, read it, read it again by the clock, and compare it with its truth."""
    try:
        path, truth = case.make(folder)
    except Exception as error:  # whatever a maker does: the other books are measured
        return Measured(case.name, UNMADE, "", refused=f"could not be made ({type(error).__name__}: {error})")
    result = Measured(case.name, case.group, truth.language)
    options = ReadOptions()
    try:
        kind = find_kind(path)
        books = read_kind(kind, path, options)
        result.seconds = _seconds(lambda: read_kind(kind, path, options))
    except BookError as error:
        result.refused = error.what.removeprefix(str(path)).strip(" :")
        return result
    result.source_bytes = path.stat().st_size
    pages = raw_pages(path) if kind == "pdf" else ()
    return measure(result, books[0], heads_of(truth, pages), pages)


def _seconds(read: Callable[[], object]) -> float:
    """Processor time of this process for one reading: the better of two, three where they are short.

    What the bench itself holds is kept out of the collector's sight, as it is in a child of its own.
    """
    gc.collect()
    gc.freeze()
    times: list[float] = []
    while len(times) < (_SHORT_READINGS if times and times[0] < _SHORT else 2):
        began = time.process_time()
        read()
        times.append(time.process_time() - began)
    gc.unfreeze()
    return min(times)


def heads_of(truth: Truth, pages: Sequence[str]) -> Truth:
    """With the lines at the edges of many pages where the truth knows no running heads."""
    if not pages or truth.furniture:
        return truth
    return replace(truth, furniture=tuple(head for head in furniture_of(pages) if head not in truth.body))


def raw_pages(path: Path) -> tuple[str, ...]:
    """What PDFium itself says stands on each page; soft hyphens only where a line ends."""
    return tuple(_raw(page.get_textpage()) for page in pypdfium2.PdfDocument(path))


def _raw(page: pypdfium2.PdfTextPage) -> str:
    text = page.get_text_range()
    if "\xad" not in text or len(text) != page.count_chars():
        return str(text)
    kept = []
    for place, char in enumerate(text):
        if char == "\xad" and 0 < place < len(text) - 1:
            above, below = page.get_charbox(place - 1), page.get_charbox(place + 1)
            if below[3] > above[1] and below[1] < above[3] and below[0] >= above[0]:
                continue
        kept.append(char)
    return "".join(kept)
