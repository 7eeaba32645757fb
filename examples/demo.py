"""The way from a book to its voice, in about a minute: `make demo`.

Every number that is shown is measured here and now.  It is a script like one you could write yourself: everything that
does the work is a function of `quire`; only the tables and bars are borrowed from the command line.
"""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape

import quire
from quire.cli.judge import show_findings
from quire.cli.plan import show_plan
from quire.cli.progress import watching
from quire.units import show_duration

BOOK = "sample:novella"
RUN = Path("runs/demo")
PROMPTS = ["“You ask me why we wait,” said", "The tide had turned, and", "It was a dark morning when"]
SETTINGS: dict[str, object] = {"judge.prompts": PROMPTS}


def main() -> None:
    """Read, plan, train, judge, write."""
    started = time.monotonic()
    console = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    shutil.rmtree(RUN, ignore_errors=True)

    chapter(console, "1. Read a book")
    shelf = quire.read(BOOK)
    book = shelf.books[0]
    console.print(f"[bold]{escape(book.title)}[/bold]: {len(book.chapters)} chapters, {book.words:,} words. It begins:")
    console.print(f"[italic]{escape(book.chapters[0].blocks[0].text[:220])}…[/italic]")

    chapter(console, "2. Plan the training")
    show_plan(quire.plan(shelf, base="embedded", settings=SETTINGS), console)

    chapter(console, "3. Train the small model that ships inside Quire")
    with watching(console) as display:
        run = quire.train(shelf, base="embedded", run=RUN, settings=SETTINGS, listener=display)

    chapter(console, "4. Judge it on chapters that it has never seen")
    with watching(console) as display:
        report = quire.judge(run, listener=display)
    show_findings(report.findings, console)
    for verdict in report.verdicts:
        console.print(escape(verdict))

    chapter(console, "5. The same beginning, continued by both")
    sample = report.samples[0]
    for who, text in (("the model as it was", sample.base), ("after reading the book", sample.voice)):
        console.print(f"[dim]{who}:[/dim]\n[bold]{escape(sample.prompt)}[/bold]{escape(text)}\n")

    console.print(f"report: {report.page}")
    console.print(f"voice:  {run.voice}")
    console.print(f'more:   .venv/bin/quire write {RUN.name} "The boat"')
    console.print(f"All this took {show_duration(time.monotonic() - started)}.")


def chapter(console: Console, title: str) -> None:
    """A heading."""
    console.print(f"\n[bold]{title}[/bold]\n")


if __name__ == "__main__":
    try:
        main()
    except quire.QuireError as error:
        sys.exit(f"error: {error.what}\ntry: {error.then}")
