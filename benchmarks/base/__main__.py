"""What the embedded base is worth: all figures of docs/embedded-base.md and of the model card, measured again.

    python -m benchmarks.base --run runs/embedded-base                     # all parts, then the pages
    python -m benchmarks.base held-out words --run runs/embedded-base      # some; the others' figures stay
    python -m benchmarks.base pages                                        # only write the tables anew

The works that the run has read and held out are cut again as it cut them, once, and kept in --home.  For a base whose
run is gone they come from the corpus itself, with the ids of the works that it has not read:

    python -m benchmarks.base texts --corpus ../shared/data/base_corpus --hold-out eltec-eng:ENG18481_Dickens …

Figures go to benchmarks/results/base.json, each part with its date, commit and machine.  A part is measured alone on
its process's threads: OMP_NUM_THREADS=1 and nice make it a quiet neighbour.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import facts
from benchmarks.base import byte_models, copies, curves, held_out, loading, pages, samples, shares, tuning, words
from benchmarks.base.task import FIRST_VERSION, Task, tell
from benchmarks.base.texts import of_corpus, of_run
from quire.errors import QuireError
from quire.verbs.quiet import hush, hush_bars

PARTS: Mapping[str, Callable[[Task], dict[str, Any]]] = {
    "shares": shares.measure,
    "curves": curves.measure,
    "loading": loading.measure,
    "held-out": held_out.measure,
    "byte-models": byte_models.measure,
    "samples": samples.measure,
    "words": words.measure,
    "copies": copies.measure,
    "tuning": tuning.measure,
}
TEXTS, WRITTEN = "texts", "pages"
NAMES = (*PARTS, TEXTS, WRITTEN)
HOME = Path(".bench/base-texts")
BOOKS = facts.ROOT.parent / "shared" / "data" / "books"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, keep each part as soon as it is there, write the pages; the exit code."""
    asked = parser().parse_args(arguments)
    named = asked.parts or list(PARTS)
    unknown = [name for name in named if name not in NAMES]
    if unknown:
        sys.exit(f"error: there is no part {unknown[0]}\ntry: one of {', '.join(NAMES)}")
    hush()
    hush_bars()
    try:
        if TEXTS in named:
            make_texts(asked)
        measure([part for part in PARTS if part in named], task_of(asked), asked.results)
    except (QuireError, FileNotFoundError) as error:
        print(f"error: {error.what if isinstance(error, QuireError) else error}", file=sys.stderr)
        print(f"try: {error.then if isinstance(error, QuireError) else '--help'}", file=sys.stderr)
        return 2
    if asked.results == pages.RESULTS and (WRITTEN in named or not asked.parts):
        pages.write_pages(facts.read(asked.results).get("parts", {}))
    return 0


def parser() -> argparse.ArgumentParser:
    """The command line."""
    made = argparse.ArgumentParser(
        prog="python -m benchmarks.base", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(NAMES)}; all but texts unasked")
    made.add_argument("--run", type=Path, help="the pretraining run")
    made.add_argument("--base", default="embedded", help="a base instead of the embedded one")
    made.add_argument("--home", type=Path, default=HOME, help="where texts and what was written are kept")
    made.add_argument("--books", type=Path, default=BOOKS, help="books by authors that the corpus lacks")
    made.add_argument("--bytes", type=int, default=0, help="the most to measure of each work; 0 for all of it")
    made.add_argument("--first", default=FIRST_VERSION, help="commit of the base to compare with; '' for none")
    made.add_argument("--count", type=int, default=40, help="texts to write in each language")
    made.add_argument("--tokens", type=int, default=200, help="of each")
    made.add_argument("--pictures", type=Path, default=facts.ROOT / "docs", help="where curves are drawn")
    made.add_argument("--results", type=Path, default=pages.RESULTS)
    made.add_argument("--corpus", type=Path, help=f"for {TEXTS}: the corpus, where there is no run")
    made.add_argument("--hold-out", nargs="+", default=[], metavar="ID", help="ids of works that the base has not read")
    return made


def task_of(asked: argparse.Namespace) -> Task:
    books: Path = asked.books
    return Task(
        home=asked.home,
        run=asked.run,
        base=asked.base,
        books=books if books.is_dir() else None,
        bytes=asked.bytes,
        first=asked.first,
        count=asked.count,
        tokens=asked.tokens,
        pictures=asked.pictures,
    )


def make_texts(asked: argparse.Namespace) -> None:
    """Keep the texts anew."""
    if asked.corpus is not None:
        of_corpus(asked.corpus, asked.hold_out, asked.home, tell)
    elif asked.run is not None:
        of_run(asked.run, asked.home, tell)
    else:
        raise FileNotFoundError("texts come from --run, or from --corpus with --hold-out")


def measure(parts: Sequence[str], task: Task, results: Path) -> None:
    """Measure parts one after the other; each stands in the results as soon as it is there."""
    for name in parts:
        tell(f"{name}")
        machine, started = facts.machine(), time.monotonic()
        found = PARTS[name](task)
        kept = facts.read(results).get("parts", {})
        kept[name] = {"base": task.base, "machine": machine, **found}
        facts.write(results, {"parts": {part: kept[part] for part in PARTS if part in kept}})
        tell(f"{name}: {(time.monotonic() - started) / 60:.1f} minutes")


if __name__ == "__main__":
    sys.exit(main())
