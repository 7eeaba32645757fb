"""Quire teaches a language model to write like a book.

    import quire

    book = quire.read("novel.epub")
    run = quire.train(book, base="embedded")
    for piece in quire.write(run, "K. opened the door."):
        print(piece, end="")
    report = quire.judge(run)

Importing it costs nothing: each name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quire.books.book import Book, Chapter, Shelf
    from quire.errors import QuireError, Stopped
    from quire.judging.report import Report
    from quire.recipe.schema import Recipe
    from quire.run.events import Event
    from quire.run.finding import Finding
    from quire.verbs.bench import Bench, bench
    from quire.verbs.chat import Chat, chat
    from quire.verbs.compare import Comparison, compare
    from quire.verbs.doctor import Checkup, doctor
    from quire.verbs.judge import judge
    from quire.verbs.plan import PlanReport, plan
    from quire.verbs.read import read
    from quire.verbs.runs import RunEntry, remove_run, runs
    from quire.verbs.search import Search, search
    from quire.verbs.train import Run, train
    from quire.verbs.write import Written, write, write_all

__version__ = "0.1.0"

_HOMES = {
    "Bench": "quire.verbs.bench",
    "Book": "quire.books.book",
    "Chapter": "quire.books.book",
    "Chat": "quire.verbs.chat",
    "Checkup": "quire.verbs.doctor",
    "Comparison": "quire.verbs.compare",
    "Event": "quire.run.events",
    "Finding": "quire.run.finding",
    "PlanReport": "quire.verbs.plan",
    "QuireError": "quire.errors",
    "Recipe": "quire.recipe.schema",
    "Report": "quire.judging.report",
    "Run": "quire.verbs.train",
    "RunEntry": "quire.verbs.runs",
    "Search": "quire.verbs.search",
    "Shelf": "quire.books.book",
    "Stopped": "quire.errors",
    "Written": "quire.verbs.write",
    "bench": "quire.verbs.bench",
    "chat": "quire.verbs.chat",
    "compare": "quire.verbs.compare",
    "doctor": "quire.verbs.doctor",
    "judge": "quire.verbs.judge",
    "plan": "quire.verbs.plan",
    "read": "quire.verbs.read",
    "remove_run": "quire.verbs.runs",
    "runs": "quire.verbs.runs",
    "search": "quire.verbs.search",
    "train": "quire.verbs.train",
    "write": "quire.verbs.write",
    "write_all": "quire.verbs.write",
}

__all__ = [
    "Bench",
    "Book",
    "Chapter",
    "Chat",
    "Checkup",
    "Comparison",
    "Event",
    "Finding",
    "PlanReport",
    "QuireError",
    "Recipe",
    "Report",
    "Run",
    "RunEntry",
    "Search",
    "Shelf",
    "Stopped",
    "Written",
    "__version__",
    "bench",
    "chat",
    "compare",
    "doctor",
    "judge",
    "plan",
    "read",
    "remove_run",
    "runs",
    "search",
    "train",
    "write",
    "write_all",
]


def __getattr__(name: str) -> object:
    """Load a public name from its home on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'quire' has no attribute {name!r}")
    value = vars(import_module(_HOMES[name]))[name]
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
