"""What a SOURCE argument comes to: a recipe, and the works themselves where they have been read already."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from quire.books.book import Shelf
from quire.errors import BookError
from quire.recipe.bases import Advice
from quire.recipe.load import Loaded, load_recipe, recipe_for
from quire.recipe.schema import Recipe
from quire.run.folder import RUNS, RunFolder, folder_name, is_run

Source = str | Path | Shelf | Recipe


def load_source(
    source: Source, base: str | None, settings: Mapping[str, object], advice: Mapping[str, Advice] | None = None
) -> Loaded:
    """The recipe that `source` means, with `base` and `settings` over it and `advice` under it."""
    overrides = {**settings, **({"base": base} if base is not None else {})}
    if isinstance(source, Recipe):
        return load_recipe(source.model_dump(mode="json", by_alias=True, exclude_unset=True), overrides, advice)
    if isinstance(source, Shelf):
        if not source.sources:
            raise BookError("these works name no file that they came from", "read them with quire.read")
        return load_recipe({"shelf": list(source.sources)}, overrides, advice, source.title)
    named = RunFolder(RUNS / source) if isinstance(source, str) else None
    if named is not None and not Path(source).exists() and is_run(named.path):
        return recipe_for(named.path, overrides, advice)
    return recipe_for(source, overrides, advice)


def run_path(source: Source, run: str | Path | None, recipe: Recipe) -> Path:
    """Where the run of `source` lies: as told, the run itself where that is the source, or runs/NAME."""
    if run is not None:
        return Path(run)
    if isinstance(source, str | Path):
        for path in (Path(source), RUNS / source):
            if is_run(path):
                return path
    return RUNS / folder_name(recipe.name or name_of(source, recipe))


def name_of(source: Source, recipe: Recipe) -> str:
    """A name for what the recipe reads, where it gives none itself."""
    item = (recipe.shelf or recipe.curriculum[-1].shelf)[0]
    first = item.sample or Path(item.path or (item.hub or "").partition("@")[0]).stem or "run"
    if isinstance(source, Shelf) and len(source) == 1:
        return source.title or first
    return first
