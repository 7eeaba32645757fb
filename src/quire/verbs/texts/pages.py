"""Pages of text as the voice saw them while it learned, and as many that it never saw."""

from __future__ import annotations

from collections.abc import Mapping

from quire.books.book import Split
from quire.prompts.conversation import conversation_of, shown
from quire.tokens.rows import Rows
from quire.tokens.stream import Stream
from quire.tokens.tokenizer import Tokenizer
from quire.verbs.texts.material import Material, rows_of

MOST_TOKENS = 12_000
"""Enough to tell differences of a few hundredths of the loss, and a minute for a base of 1B on two cores."""


def pages(material: Material, tokenizer: Tokenizer, split: Split, seed: int) -> list[str]:
    """Texts of about a window each, of at most MOST_TOKENS tokens in all.

    Of the training text the first that the last part's order gives out, which were learned even where it ended within
    its first epoch; `seed` is that of its stage.  With replay or streams beside it the order is another: where such a
    stage ends so early, some of them were not learned, and what is known by heart is told too small.
    """
    parts = material.recipe.train.parts
    rows = rows_of(material, tokenizer, split, parts - 1 if split == "train" else None)
    if len(rows) == 0:
        return []
    said = {passage.book: shown(conversation_of(passage)) for passage in material.passages if passage.turns}
    order = Stream(len(rows), seed, parts - 1, rows.weights).take(rows.per_epoch)
    texts: list[str] = []
    tokens = 0
    for index in order:
        if tokens >= MOST_TOKENS:
            break
        texts += (text for text in _texts(rows, index, tokenizer, said) if text.strip() and text not in texts)
        tokens += rows.targets_in(index)
    return texts


def _texts(rows: Rows, index: int, tokenizer: Tokenizer, said: Mapping[int, str]) -> list[str]:
    """The row's segments as text; of a conversation all of it, as it is shown."""
    stretches = [(rows.stretches[segment.stretch], segment) for segment in rows.rows[index]]
    return [
        said[stretch.book]
        if stretch.book in said
        else tokenizer.decode(stretch.ids[segment.first : segment.last].tolist())
        for stretch, segment in stretches
    ]
