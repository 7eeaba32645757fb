"""Where sentences of dialogue end: sets with a sentence a line and a blank line after each paragraph."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from quire.books.sentences import split_sentences

DATA = Path(__file__).parent.parent / "tests" / "books" / "data"


@dataclass(frozen=True)
class Sentences:
    """One set: how many sentences, F1 of the ends that lie within paragraphs, and what went wrong."""

    name: str
    count: int
    f1: float
    wrong: tuple[str, ...]


def measure_sentences(folder: Path = DATA) -> list[Sentences]:
    """All sets, also those held out."""
    return [_measure(path) for path in sorted(folder.glob("sentences-*.txt"))]


def _measure(path: Path) -> Sentences:
    language = path.stem.split("-")[1]
    right = found = true = count = 0
    wrong: list[str] = []
    for paragraph in path.read_text(encoding="utf-8").strip().split("\n\n"):
        lines = paragraph.split("\n")
        text = " ".join(lines)
        ends = {sum(map(len, lines[:n])) + n - 1 for n in range(1, len(lines))}
        made = {stop for _, stop in split_sentences(text, language)[:-1]}
        right, found, true, count = right + len(ends & made), found + len(made), true + len(ends), count + len(lines)
        wrong += [f"{text[max(0, at - 30) : at]} | {text[at : at + 20]}" for at in sorted(ends ^ made)]
    return Sentences(path.stem, count, 2 * right / (found + true), tuple(wrong))
