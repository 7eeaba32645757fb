"""How well Quire reads books: `make bench-reading`, or `python -m benchmarks.reading [options]`.

Three kinds of books are read and compared with their true text: those of a folder (`--books`, the developers' data
beside the checkout), pages that the bench sets itself with the `typst` package, and files that it writes from the same
texts in every other format.  docs/reading.md explains the figures.  They go to benchmarks/results/reading.json too.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pypdfium2

from benchmarks.designs import DESIGNS
from benchmarks.formats import write_all
from benchmarks.given import find_books
from benchmarks.goals import Outcome, judge
from benchmarks.measure import Measured, Truth, furniture_of, measure
from benchmarks.sentences import measure_sentences
from benchmarks.typeset import typeset
from benchmarks.works import named
from quire.books.kinds import find_kind
from quire.books.limits import ReadOptions
from quire.books.readers import read_kind
from quire.errors import BookError

BOOKS = Path("../shared/data/books")
RESULTS = Path(__file__).parent / "results" / "reading.json"
_COLUMNS = re.compile(r"two-column|columns")


@dataclass(frozen=True)
class Case:
    """One file to read, and what should come out."""

    path: Path
    truth: Truth
    group: str

    @property
    def name(self) -> str:
        return self.path.name


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the tables, write the results; 1 if a goal is missed and `--strict` is given."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reading", description=__doc__.splitlines()[0])
    parser.add_argument("folder", nargs="?", type=Path, help="measure the books of this folder alone")
    parser.add_argument("--books", type=Path, default=BOOKS, help=f"books with their true text (default: {BOOKS})")
    parser.add_argument("--typeset", action="store_true", help="only the pages that the bench sets itself")
    parser.add_argument("--texts", type=Path, help="set these texts too (.txt, .jsonl.xz) in every design of one page")
    parser.add_argument("--only", help="only files whose names hold this regular expression")
    parser.add_argument("--keep", type=Path, help="keep what the bench sets and writes in this folder")
    parser.add_argument("--with-peers", action="store_true", help="pypdf, pdfminer.six, PDFium beside it, if installed")
    parser.add_argument("--examples", action="store_true", help="print what went wrong, a few of each")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a goal is missed")
    asked = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        cases, missing = _cases(asked, folder)
        cases = [case for case in cases if not asked.only or re.search(asked.only, case.name)]
        _print_head()
        results = []
        for case in cases:
            result = score(case)
            results.append(result)
            _print_row(result, asked.examples)
        peers = _peers(cases) if asked.with_peers else []
    only_some = asked.folder or asked.typeset or asked.only
    outcomes = judge(results, () if only_some else measure_sentences())
    _print_outcomes(outcomes, missing)
    if not (only_some or asked.texts):
        write(results, outcomes, missing, peers)
    return int(asked.strict and any(outcome.passed is False for outcome in outcomes))


def _cases(asked: argparse.Namespace, folder: Path) -> tuple[list[Case], list[str]]:
    """What to read, and what cannot be measured here."""
    cases: list[Case] = []
    missing: list[str] = []
    given = asked.folder or asked.books
    if asked.folder or not asked.typeset:
        if given.is_dir():
            cases += [Case(path, truth, _group(path)) for path, truth in find_books(given)]
        else:
            missing.append(f"{given} is no folder: the books with their true text were not measured")
    if asked.folder:
        return cases, missing
    if not asked.typeset:
        cases += [Case(path, truth, _group(path)) for path, truth in write_all(folder)]
    try:
        cases += list(_set(folder, asked.texts, asked.only))
    except ImportError:
        missing.append("typst is not installed (pip install typst): the pages that the bench sets were not measured")
    return cases, missing


def _set(folder: Path, texts: Path | None, only: str | None) -> Iterator[Case]:
    for design in DESIGNS:
        target = folder / f"{design.name}.pdf"
        if not only or re.search(only, target.name):
            yield Case(target, typeset(design, target), _group(target))
    if texts is None:
        return
    for number, work in enumerate(named(texts)):
        for design in DESIGNS:
            target = folder / f"{design.name}-{number}.pdf"
            if (only and not re.search(only, target.name)) or design.work == "poems":
                continue
            yield Case(target, typeset(design, target, work), _group(target))


def _group(path: Path) -> str:
    """Which row of the goals a file belongs to."""
    if path.name == "41568-pdf.pdf":
        return "whitehead"
    if "scanned" in path.name:
        return "image-only"
    suffix = path.suffix.lower().lstrip(".")
    if suffix == "pdf":
        return "pdf columns" if _COLUMNS.search(path.name) else "pdf"
    return {"xml": "tei", "htm": "html", "xhtml": "html"}.get(suffix, suffix)


def score(case: Case) -> Measured:
    """Read a book twice, the second time by the clock, and compare it with its truth."""
    result = Measured(case.name, case.group, case.truth.language)
    options = ReadOptions()
    try:
        kind = find_kind(case.path)
        read_kind(kind, case.path, options)
        began = time.process_time()
        books = read_kind(kind, case.path, options)
        result.seconds = time.process_time() - began
    except BookError as error:
        result.refused = error.what.removeprefix(str(case.path)).strip(" :")
        return result
    result.source_bytes = case.path.stat().st_size
    pages = raw_pages(case.path) if kind == "pdf" else ()
    truth = case.truth
    if pages and not truth.furniture:
        truth = _with_furniture(truth, pages)
    return measure(result, books[0], truth, pages)


def _with_furniture(truth: Truth, pages: Sequence[str]) -> Truth:
    return replace(truth, furniture=furniture_of(pages))


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


def _peers(cases: Sequence[Case]) -> list[dict[str, object]]:
    from benchmarks.peers import compare

    return compare([(case.path, case.truth) for case in cases if case.path.suffix == ".pdf"])


_HEADS = ("words", "F1", "letters", "edges", "whole", "verse", "heads", "leaks", "notes", "hyphens", "breaks", "rate")


def _print_head() -> None:
    print(f"{'file':<34}" + "".join(f"{head:>9}" for head in _HEADS))


def _print_row(result: Measured, examples: bool) -> None:
    if result.refused:
        print(f"{result.name[:33]:<34}refused: {result.refused}", flush=True)
        return

    def share(value: float | None) -> str:
        return "–" if value is None else f"{value:.4f}"

    notes = f"{result.notes}" if result.notes else "–"
    row = (
        result.words,
        share(result.f1) if result.f1 is not None else f"r{result.recall:.4f}",
        share(result.letters),
        share(result.edges),
        share(result.paragraphs),
        f"{result.verse or ''}{f'+{result.verse_made_up}' if result.verse_made_up else ''}" or "–",
        f"{result.headings or ''}{f'+{result.headings_made_up}' if result.headings_made_up else ''}" or "–",
        f"{result.furniture}+{result.notes_leaked}",
        notes,
        f"{result.hyphens}" if result.hyphens and result.hyphens.all else "–",
        f"{result.breaks or '–'}",
        _rate(result),
    )
    print(f"{result.name[:33]:<34}" + "".join(f"{value:>9}" for value in row), flush=True)
    if examples:
        for kind, items in result.examples.items():
            for item in items:
                print(f"    {kind}: {item}")


def _rate(result: Measured) -> str:
    seconds = max(result.seconds, 1e-9)
    return f"{result.pages / seconds:.0f} p/s" if result.pages else f"{result.text_bytes / seconds / 1e6:.1f} MB"


def _print_outcomes(outcomes: Sequence[Outcome], missing: Sequence[str]) -> None:
    print()
    for outcome in outcomes:
        verdict = "" if outcome.passed is None else "pass" if outcome.passed else "MISS"
        print(f"{verdict:<6}{outcome.goal:<62}{outcome.reached:<20}{outcome.worst}")
    for line in missing:
        print(f"not measured: {line}")


def write(
    results: Sequence[Measured], outcomes: Sequence[Outcome], missing: Sequence[str], peers: Sequence[dict[str, object]]
) -> None:
    """The figures of a whole run, with the machine they were taken on."""
    machine = {
        "system": platform.system(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "pypdfium2": pypdfium2.version.PYPDFIUM_INFO.version,
        "date": time.strftime("%Y-%m-%d"),
    }
    told = {
        "machine": machine,
        "goals": [asdict(outcome) for outcome in outcomes],
        "books": [_told(result) for result in results],
        "not measured": list(missing),
        "peers": list(peers),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"written to {RESULTS}")


def _told(result: Measured) -> dict[str, object]:
    values = asdict(result)
    values["f1"] = result.f1
    # Sentences of the books themselves stay out of the file of results.
    values.pop("examples")
    return {key: round(value, 5) if isinstance(value, float) else value for key, value in values.items()}


if __name__ == "__main__":
    sys.exit(main())
