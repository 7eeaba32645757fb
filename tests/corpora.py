"""Corpora and books of words that nobody else has, small enough for tests."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path


def words_of(seed: int, count: int = 2000) -> list[str]:
    """A vocabulary that another seed does not share."""
    draw = random.Random(seed)
    return ["".join(draw.choices("abcdefghijklmnoprstuvz", k=draw.randint(3, 9))) for _ in range(count)]


def prose(draw: random.Random, vocabulary: Sequence[str], words: int) -> str:
    """A sentence or two of so many words."""
    return " ".join(draw.choices(vocabulary, k=words)).capitalize() + "."


def works(seed: int, count: int, paragraphs: int = 4, words: int = 40) -> list[str]:
    """Texts of some paragraphs."""
    draw, vocabulary = random.Random(seed), words_of(seed)
    return ["\n\n".join(prose(draw, vocabulary, words) for _ in range(paragraphs)) for _ in range(count)]


def write_tables(folder: Path, texts: Sequence[str], tables: int = 3) -> str:
    """The texts as rows of so many tables; returns the glob that names them all."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(tables):
        lines = (json.dumps({"text": text}) for text in texts[number::tables])
        (folder / f"part-{number}.jsonl").write_text("".join(line + "\n" for line in lines), encoding="utf-8")
    return str(folder / "part-*.jsonl")


def write_novel(path: Path, seed: int, chapters: int = 12, paragraphs: int = 5, words: int = 60) -> Path:
    """A Markdown novel of its own words."""
    draw, vocabulary = random.Random(seed), words_of(seed)
    written = [f"# Novel {seed}"]
    for number in range(chapters):
        text = "\n\n".join(prose(draw, vocabulary, words) for _ in range(paragraphs))
        written.append(f"## Chapter {number + 1}\n\n{text}")
    path.write_text("\n\n".join(written) + "\n", encoding="utf-8")
    return path


def other_edition(text: str, share: float = 0.1, seed: int = 3) -> str:
    """The same text with some words spelt otherwise, in capitals."""
    draw = random.Random(seed)
    return "\n\n".join(
        " ".join(word[::-1] if draw.random() < share else word for word in paragraph.split())
        for paragraph in text.split("\n\n")
    ).upper()
