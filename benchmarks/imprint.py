"""The imprint dial, measured: one voice for each of its positions on the same book, and where each ended.

Written to benchmarks/results/imprint.json, with the machine.  `python -m benchmarks.imprint [BOOK] [--base BASE]`
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import quire
from benchmarks import facts
from quire.recipe.advice import DIAL
from quire.run.events import read_events
from quire.run.folder import RunFolder

RESULTS = Path(__file__).parent / "results" / "imprint.json"


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and judge; print the table; 1 where the order is not the dial's."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.imprint", description=__doc__.splitlines()[0])
    parser.add_argument("book", nargs="?", default="sample:novella")
    parser.add_argument("--base", default="embedded")
    parser.add_argument("--only", action="append", choices=list(DIAL), help="this position alone")
    asked = parser.parse_args(arguments)
    rows, machine = [], facts.machine()
    with tempfile.TemporaryDirectory(prefix="quire-imprint-") as home:
        for position in asked.only or DIAL:
            rows.append(measure(asked.book, asked.base, position, Path(home) / position))
            print(line_of(rows[-1]), flush=True)
    if asked.only:
        return 0
    facts.write(RESULTS, {"machine": machine, "book": Path(asked.book).name, "base": asked.base, "rows": rows})
    shares = [row["memory_share"] or 0.0 for row in rows]
    return 0 if shares == sorted(shares) else 1


def measure(book: str, base: str, position: str, path: Path) -> dict[str, float | str | None]:
    """One voice and its findings."""
    settings = {"imprint": position, "write.max_new_tokens": 120}
    run = quire.train(book, base=base, run=path, settings=settings)
    report = quire.judge(run)
    share, bits = report.finding("memory share"), report.finding("bits per byte")
    gains = {other.name: other.value for other in share.compared_with}
    copied = next(finding for finding in report.findings if finding.question == "copying")
    steps = [event for event in read_events(RunFolder(path).events_file) if event.kind == "step"]
    return {
        "position": position,
        "steps": run.steps,
        "seconds_in_steps": round(sum(float(str(event.values["seconds"])) for event in steps), 1),
        "gain_on_trained_pages": gains["gain on trained pages"],
        "gain_on_unseen_pages": gains["gain on unseen pages"],
        "memory_share": share.value,
        "memory_share_low": share.low,
        "memory_share_high": share.high,
        "bits_per_byte": bits.value,
        "bits_per_byte_of_base": bits.compared_with[0].value,
        "longest_copied_run_of_words": copied.value,
    }


def line_of(row: dict[str, float | str | None]) -> str:
    shown = [f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()]
    return "  ".join(shown)


if __name__ == "__main__":
    sys.exit(main())
