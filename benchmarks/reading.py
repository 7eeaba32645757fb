"""How well Quire reads books: `make bench-reading`, or `python -m benchmarks.reading [options]`.

Four kinds of books are read and compared with their true text: those of a folder (`--books`, the developers' data
beside the checkout), pages that the bench sets itself with the `typst` package, pages of other makers where they are
installed, and files that the bench writes from the same texts in every other format.  docs/reading.md explains the
figures; `--write` keeps those of a whole run in benchmarks/results/reading.json and in the tables of docs/reading.md.

The columns: words read; F1 of words (r: recall, where only a part of the truth is known); F1 of characters; F1 of
the ends of paragraphs, and of whole ones; lines of verse kept + made up; headings found + made up; leaks: running heads
and folios + notes + marks of notes in the text; notes kept aside; line-end hyphens resolved; scene breaks; pages or
megabytes of text a second.
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
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from importlib.util import find_spec
from itertools import repeat
from pathlib import Path

import pypdfium2

from benchmarks.cases import (
    UNMADE,
    Case,
    books_in_designs,
    converted_cases,
    given_cases,
    made_cases,
    named_cases,
    score,
    set_cases,
    written_cases,
)
from benchmarks.converted import CONVERTED
from benchmarks.goals import Outcome, judge
from benchmarks.makers import SHEETS
from benchmarks.report import write_docs
from benchmarks.sentences import measure_sentences
from benchmarks.truth import Measured

BOOKS = Path("../shared/data/books")
RESULTS = Path(__file__).parent / "results" / "reading.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, print the tables, write the results; 1 if a goal is missed and `--strict` is given."""
    asked = _parser().parse_args(arguments)
    if asked.docs:
        write_docs(json.loads(RESULTS.read_text(encoding="utf-8")))
        return 0
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as scratch:
        folder = asked.keep or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        cases, missing = _cases(asked)
        if asked.peers:
            return _peers(asked, cases, folder)
        _print_head()
        results = []
        for result in _score_all(cases, folder, asked.jobs):
            _print_row(result, asked.examples)
            if result.group == UNMADE:
                missing.append(f"{result.name}: {result.refused}")
            else:
                results.append(result)
    only_some = bool(asked.folder or asked.typeset or asked.only or asked.texts)
    outcomes = judge(results, () if only_some else measure_sentences())
    _print_outcomes(outcomes, missing)
    print(f"{len(results)} books in {time.monotonic() - began:.0f} s")
    if asked.out or (asked.write and not only_some):
        told = write(results, outcomes, missing, asked.out or RESULTS)
        if not asked.out:
            write_docs(told)
    return int(asked.strict and any(outcome.passed is False for outcome in outcomes))


def _parser() -> argparse.ArgumentParser:
    about = (__doc__ or "").split("\n\n", 1)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.reading",
        description=about[0],
        epilog=about[1],
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", nargs="?", type=Path, help="measure the books of this folder alone")
    parser.add_argument("--books", type=Path, default=BOOKS, help=f"books with their true text (default: {BOOKS})")
    parser.add_argument("--typeset", action="store_true", help="only the pages that the bench sets or has made")
    parser.add_argument("--texts", type=Path, help="set these texts too (.txt, .jsonl.xz) in every design")
    parser.add_argument("--only", help="only files whose names hold this regular expression")
    parser.add_argument("--keep", type=Path, help="keep what the bench sets and writes in this folder")
    parser.add_argument("--jobs", type=int, default=min(2, os.cpu_count() or 1), help="processes (default: 2)")
    parser.add_argument("--out", type=Path, help="write the figures to this file")
    parser.add_argument("--peers", action="store_true", help="plain readers on the same pages: pypdf, PDFium, …")
    parser.add_argument("--examples", action="store_true", help="print what went wrong, a few of each")
    parser.add_argument("--write", action="store_true", help="write the figures to results/reading.json and the docs")
    parser.add_argument("--docs", action="store_true", help="only write the kept figures into the docs")
    parser.add_argument("--strict", action="store_true", help="exit 1 when a goal is missed")
    return parser


def _cases(asked: argparse.Namespace) -> tuple[list[Case], list[str]]:
    """What to read, and what cannot be measured here."""
    cases: list[Case] = []
    missing: list[str] = []
    given = asked.folder or asked.books
    if asked.folder or not asked.typeset:
        if given.is_dir():
            cases += given_cases(given)
        else:
            missing.append(f"{given} is no folder: the books with their true text were not measured")
    if not asked.folder:
        if not asked.typeset:
            cases += written_cases() + converted_cases()
        if find_spec("typst"):
            cases += set_cases() + books_in_designs(asked.books)
            cases += named_cases(asked.texts) if asked.texts else ()
        else:
            missing.append("typst is not installed (pip install typst): the pages that the bench sets")
        gone = {f"{sheet.name}.pdf": sheet.absent for sheet in SHEETS if sheet.absent}
        gone |= {one.name: one.absent for one in CONVERTED if one.absent}
        missing += [f"{name}: {program} is not installed" for name, program in gone.items()]
        cases += made_cases()
        cases = [case for case in cases if case.name not in gone]
    return [case for case in cases if not asked.only or re.search(asked.only, case.name)], missing


def _score_all(cases: Sequence[Case], folder: Path, jobs: int) -> Iterator[Measured]:
    """In order, as they come."""
    if jobs < 2 or len(cases) < 2:
        yield from map(score, cases, repeat(folder))
        return
    with ProcessPoolExecutor(jobs) as pool:
        yield from pool.map(score, cases, repeat(folder))


def _peers(asked: argparse.Namespace, cases: Sequence[Case], folder: Path) -> int:
    """Plain readers beside Quire; their figures join those of the last whole run."""
    from benchmarks.reading_peers import compare

    pdfs = [case for case in cases if case.group in ("pdf", "pdf columns")]
    # Some of these readers take a second for ten pages: of the books that the bench makes every eighth.
    given = {case.name for case in given_cases(asked.books)} if asked.books.is_dir() else set()
    made = [case for case in pdfs if case.name not in given]
    rows = compare([case for case in pdfs if case.name in given] + (made if asked.only else made[::8]), folder)
    if asked.write and not asked.only and not asked.folder:
        told = json.loads(RESULTS.read_text(encoding="utf-8"))
        told["peers"] = rows
        RESULTS.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        write_docs(told)
    return 0


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
        f"{result.furniture}+{result.notes_leaked}+{result.marks_left}",
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
        print(f"{verdict:<6}{outcome.goal:<64}{outcome.mean:<10}{outcome.reached:<20}{outcome.worst}")
    for line in missing:
        print(f"not measured: {line}")


def write(
    results: Sequence[Measured], outcomes: Sequence[Outcome], missing: Sequence[str], target: Path
) -> dict[str, object]:
    """The figures of a run, with the machine they were taken on; what plain readers gave stays."""
    machine = {
        "system": platform.system(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        "pypdfium2": pypdfium2.version.PYPDFIUM_INFO.version,
        "date": time.strftime("%Y-%m-%d"),
    }
    peers = json.loads(target.read_text(encoding="utf-8")).get("peers", []) if target.exists() else []
    told = {
        "machine": machine,
        "goals": [asdict(outcome) for outcome in outcomes],
        "books": [_told(result) for result in results],
        "not measured": list(missing),
        "peers": peers,
    }
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"written to {target}")
    return told


def _told(result: Measured) -> dict[str, object]:
    values = asdict(result)
    values["f1"] = result.f1
    # Sentences of the books themselves stay out of the file of results.
    values.pop("examples")
    return {key: round(value, 5) if isinstance(value, float) else value for key, value in values.items()}


if __name__ == "__main__":
    sys.exit(main())
