"""What a stage learns from, prepared once: rows on the disk, used again while nothing that they are made of changes."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from quire.books.book import Shelf
from quire.planner.facts import TextFacts
from quire.planner.schedule import BatchChoice
from quire.recipe.schema import Recipe, Stage
from quire.run.atomic import remove_leftovers, write_text
from quire.run.lock import hold
from quire.tokens.rows import Rows
from quire.tokens.tokenizer import Tokenizer
from quire.verbs.texts.library import Library, open_library
from quire.verbs.texts.making import Company, Making
from quire.verbs.texts.material import Account, Material, count_text
from quire.verbs.texts.streamed import Mixed, Streamed, account_of_all, facts_with_streams

PREPARED = Path("prepared")
MADE_OF = "made-of.json"
ALONE = Company()


@dataclass(frozen=True)
class StageData:
    """What one stage learns from, and what it is measured on; one of `rows` and `validation` for each part.

    `forgetting` is held-out text of the earlier run's book; `parts` says where rows come from, `streamed` what became
    of streams.  All of it lies in `folder`.
    """

    material: Material
    validation: tuple[Rows, ...]
    facts: TextFacts
    tokenizer: Tokenizer
    folder: Path
    parts: tuple[Mixed, ...]
    streamed: tuple[Streamed, ...] = ()
    forgetting: Rows | None = None

    @property
    def rows(self) -> tuple[Rows, ...]:
        return tuple(part.joined for part in self.parts)

    def account(self, choice: BatchChoice, seed: int | None = None) -> Account:
        """Where every word and token of the sources went; `seed` is that of the stage's order of rows."""
        return account_of_all(self.material, self.tokenizer, self.parts, self.streamed, choice, seed)


def prepare_stage(
    recipe: Recipe,
    stage: Stage | int,
    tokenizer: Tokenizer,
    home: Path,
    shelf: Shelf | None = None,
    tell: Callable[[str], None] = lambda _text: None,
    earlier: Recipe | None = None,
    library: Library | None = None,
    company: Company = ALONE,
) -> StageData:
    """The rows of one stage, prepared in `home` or found there.

    `shelf` are the last stage's works, where they have been read, and `library` all texts, where they have; `earlier`
    is the recipe of the run that this one goes on from.  `tell` hears, a line each, how far it is and what had to be
    made again; it may raise, and the next call goes on from there.  Several processes share the tables of streams as
    `company` says.  May raise BookError, RecipeError, DiskFull.
    """
    number = stage if isinstance(stage, int) else [one.name for one in recipe.curriculum].index(stage.name)
    if library is None:
        before = open_library(earlier, home, tell=tell) if earlier is not None else None
        library = open_library(recipe, home, shelf, before, tell)
    making = Making(library, number, tokenizer, home, tell if company.first else _nobody, company)
    # The others work under the first one's lock.
    with hold(home / f"{making.key}.lock", wait=True) if company.first else nullcontext():
        if company.first:
            remove_leftovers(making.folder)
        company.meet()
        return _carry_out(making)


def _carry_out(making: Making) -> StageData:
    parts, streamed, books = making.mixed()
    facts = facts_with_streams(count_text(making.material, making.tokenizer, [p.joined for p in parts]), streamed)
    if making.company.first:
        said = [stream.describe() for stream in streamed]
        made_of = json.dumps({**making.made_of, "streams": said}, indent=2, ensure_ascii=False) + "\n"
        target = making.folder / MADE_OF
        if not target.is_file() or target.read_text(encoding="utf-8") != made_of:
            write_text(target, made_of)
        for line in said:
            making.tell(line)
    making.company.meet()
    validation = tuple(books[f"validation-{part}"] for part in range(len(parts)))
    return StageData(
        making.material,
        validation,
        facts,
        making.tokenizer,
        making.folder,
        parts,
        streamed,
        books.get("forgetting"),
    )


def _nobody(_text: str) -> None:
    """Hears nothing."""
