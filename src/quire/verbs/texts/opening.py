"""All texts of a recipe, and what the run that it goes on from has read; a plan needs both without torch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from quire.books.book import Shelf
from quire.errors import BookError, RecipeError
from quire.recipe.resolved import load_resolved
from quire.recipe.schema import Recipe
from quire.run.folder import find_run, require_voice
from quire.verbs.texts.library import LOOKED_AT, Library, open_library


@dataclass(frozen=True)
class Texts:
    """All that the stages read.  `unwatched` says why the book of an earlier run is not among it, if it is not."""

    library: Library
    unwatched: str = ""


def open_texts(
    recipe: Recipe,
    home: Path | None,
    shelf: Shelf | None,
    tell: Callable[[str], None],
    patience: float | None = None,
) -> Texts:
    """All that the stages read, and what an earlier run has read before them.  `shelf` are the last stage's works,
    where they have been read; with `patience` streams are only looked into for so many seconds.  RecipeError where text
    of an earlier run is to be mixed in and cannot be had."""
    if recipe.earlier is None:
        return Texts(open_library(recipe, home, shelf, None, tell, patience=patience))
    earlier, why = _earlier_library(recipe.earlier, home, tell, patience)
    if earlier is None and any(stage.replay is not None for stage in recipe.curriculum):
        raise RecipeError(f"train.replay: {why}", "put it back, or leave replay out", "from")
    return Texts(open_library(recipe, home, shelf, earlier, tell, patience=patience), why)


def _earlier_library(
    name: str, home: Path | None, tell: Callable[[str], None], patience: float | None
) -> tuple[Library | None, str]:
    """What the run of an earlier voice has read; or None, and why it cannot be had."""
    found = find_run(name)
    require_voice(found)
    if found.run is None:
        return None, f"{name} is a voice without its run, so the text that it learned from is not known"
    resolved = load_resolved(found.run.recipe_file)
    try:
        library = open_library(resolved.recipe, home, tell=tell, patience=patience)
    except BookError as error:
        return None, f"the text of {name} cannot be read any more: {error.what}"
    hashes = library.material(len(resolved.recipe.curriculum) - 1).hashes()
    known = {one: value for one, value in hashes.items() if value != LOOKED_AT}
    changed = [one for one, value in known.items() if resolved.sources.get(one, value) != value]
    if changed:
        return None, f"{changed[0]} is not what {name} has learned from"
    return library, ""
