"""Pages of text as the voice saw them while it learned, and as many that it never saw."""

from __future__ import annotations

from quire.books.book import Split
from quire.tokens.rows import Rows
from quire.tokens.stream import Stream
from quire.tokens.tokenizer import Tokenizer
from quire.verbs.material import Material, rows_of

MOST_TOKENS = 12_000
"""Enough to tell differences of a few hundredths of the loss, and a minute for a base of 1B on two cores."""


def pages(material: Material, tokenizer: Tokenizer, split: Split) -> list[str]:
    """Texts of about a window each, of at most MOST_TOKENS tokens in all.

    Of the training text those that certainly were learned: the first that the last part's order gives out.
    """
    parts = material.recipe.train.parts
    rows = rows_of(material, tokenizer, split, parts - 1 if split == "train" else None)
    if len(rows) == 0:
        return []
    order = Stream(len(rows), material.recipe.seed, parts - 1).take(len(rows))
    texts: list[str] = []
    tokens = 0
    for index in order:
        if tokens >= MOST_TOKENS:
            break
        texts += (text for text in _texts(rows, index, tokenizer) if text.strip())
        tokens += rows.targets_in(index)
    return texts


def _texts(rows: Rows, index: int, tokenizer: Tokenizer) -> list[str]:
    """The row's segments as text."""
    return [
        tokenizer.decode(rows.stretches[segment.stretch].ids[segment.first : segment.last].tolist())
        for segment in rows.rows[index]
    ]
