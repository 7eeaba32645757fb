"""What one stage learns from: rows, held-out rows, and where every word of its text went."""

from __future__ import annotations

from dataclasses import dataclass

from quire.books.book import Shelf
from quire.planner.facts import TextFacts
from quire.planner.schedule import BatchChoice
from quire.recipe.schema import Recipe
from quire.tokens.rows import Rows
from quire.tokens.tokenizer import Tokenizer
from quire.verbs.material import Account, Material, account, count_text, cut_shelf, gather, rows_of


@dataclass(frozen=True)
class StageData:
    rows: tuple[Rows, ...]
    validation: tuple[Rows, ...]
    material: Material
    facts: TextFacts
    tokenizer: Tokenizer

    def account(self, choice: BatchChoice) -> Account:
        return account(self.material, self.tokenizer, self.rows, choice)


def prepare_stage(recipe: Recipe, number: int, tokenizer: Tokenizer, shelf: Shelf | None) -> StageData:
    plain = recipe.as_plain(number)
    material = cut_shelf(plain, shelf) if shelf is not None else gather(plain)
    parts = range(plain.train.parts)
    rows = tuple(rows_of(material, tokenizer, "train", part) for part in parts)
    validation = tuple(rows_of(material, tokenizer, "validation", part) for part in parts)
    return StageData(rows, validation, material, count_text(material, tokenizer, rows), tokenizer)
