"""Which runs can be compared by which number, and why not.

A loss in nats per token compares only where the tokens, the held-out text and its cut into windows are the same.  Bits
per byte do not mind the tokenizer; they want the same held-out text all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from quire.recipe.schema import ShelfItem, Stage
from quire.verbs.comparing.line import RunLine

Trait = tuple[str, Callable[[RunLine], Any]]
# What of a source decides which text is read and which of it is held out.
_READ = ("format", "text", "where", "matter", "ocr", "split", "validation", "test")


def _last(line: RunLine) -> Stage:
    return line.resolved.recipe.curriculum[-1]


def _hashes(line: RunLine) -> Any:
    """Of the files that the last stage reads, wherever they lie."""
    sources = line.resolved.sources
    own = [value for name, value in sources.items() if any(_is_of(name, item) for item in _last(line).shelf)]
    return sorted(own or sources.values())


def _is_of(name: str, item: ShelfItem) -> bool:
    """Whether a file that was read, by its name in the run's recipe, comes from that source."""
    if item.path is not None:
        return name == item.path or name.startswith(item.path.rstrip("/") + "/") or fnmatch(name, item.path)
    if item.hub is not None:
        return name.startswith("hub:") and item.hub.startswith(name.removeprefix("hub:"))
    return Path(name).stem == item.sample


def _reading(line: RunLine) -> Any:
    def of(item: ShelfItem) -> tuple[str, ...]:
        return tuple(repr(vars(item)[name]) for name in _READ)

    return sorted(of(item) for item in _last(line).shelf), line.resolved.versions.get("quire")


_TEXT: tuple[Trait, ...] = (
    ("they read different texts", _hashes),
    ("their texts are read or shared out differently", _reading),
    ("their seeds hold out different text", lambda line: line.resolved.recipe.seed),
    ("their parts hold out different text", lambda line: _last(line).parts),
)
_TOKENS: tuple[Trait, ...] = (
    (
        "their bases count in different tokens",
        lambda line: (line.resolved.decided.base, line.resolved.decided.base_revision),
    ),
    (
        "their held-out text is cut into different windows",
        lambda line: (_last(line).window, _last(line).pack, _last(line).chunk),
    ),
    ("of conversations, one measures the answers and another every word", lambda line: _last(line).loss),
)


def why_not_by_text(lines: Sequence[RunLine]) -> list[str]:
    """Reasons not to compare what the reports found on held-out text; none where that can be done."""
    return _differing(lines, _TEXT)


def why_not_by_loss(lines: Sequence[RunLine]) -> list[str]:
    """Reasons not to compare losses in nats per token; none where that can be done."""
    return _differing(lines, _TEXT + _TOKENS)


def _differing(lines: Sequence[RunLine], traits: Sequence[Trait]) -> list[str]:
    found = []
    for reason, trait in traits:
        values: list[Any] = []
        for line in lines:
            if (value := trait(line)) not in values:
                values.append(value)
        if len(values) > 1:
            found.append(reason)
    return found
