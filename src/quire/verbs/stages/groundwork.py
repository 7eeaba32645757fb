"""What must stand before the first step: the base's files, the data of every stage, and what is foreseen of them."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from quire.planner.bases import BaseFiles
from quire.planner.pace import tokens_written
from quire.planner.plan import Plan
from quire.recipe.method import Method
from quire.recipe.resolved import Decided, ResolvedRecipe, versions_here
from quire.recipe.schema import Recipe
from quire.run.events import Event
from quire.tokens.tokenizer import Tokenizer
from quire.training.session import Session
from quire.training.state import TrainState
from quire.training.together.ranks import Ranks
from quire.verbs.stages.decide import base_files, foresee
from quire.verbs.stages.earlier import hashes_of_voice
from quire.verbs.stages.resume import same_base, same_sources
from quire.verbs.texts.library import Library
from quire.verbs.texts.making import Company
from quire.verbs.texts.material import require_rows
from quire.verbs.texts.prepare import StageData, prepare_stage


def settle_base(
    recipe: Recipe, decided: Decided, library: Library, run: Path, earlier: ResolvedRecipe | None, ranks: Ranks
) -> tuple[BaseFiles, Decided]:
    """The base's files, found, fetched or made; a run that goes on must find the same ones."""

    def find() -> BaseFiles:
        made = earlier is not None or not ranks.first
        return base_files(recipe, decided, lambda: library.training_texts(0), run, resumes=made)

    files = ranks.lead(find) or find()  # the others find what the first has made or fetched
    if earlier is None:
        return files, decided.model_copy(update={"base_revision": files.revision})
    same_base(files.revision, files.name, decided)
    return files, decided


def prepare_all(
    session: Session,
    recipe: Recipe,
    decided: Decided,
    wanted: Iterable[int],
    tokenizer: Tokenizer,
    home: Path,
    library: Library,
) -> dict[int, StageData]:
    """The data of the wanted stages, made ready or found ready; whoever listens hears how far it is."""
    ranks = session.ranks
    company = Company(ranks.rank, ranks.count, ranks.meet)
    data = {}
    for number in wanted:
        state = TrainState(stage=number)

        def tell(text: str, name: str = recipe.curriculum[number].name) -> None:
            session.listener(Event(time.time(), "preparing", name, values={"text": text}))

        data[number] = prepare_stage(recipe, number, tokenizer, home, tell=tell, library=library, company=company)
        require_rows(recipe.curriculum[number].name, [len(rows) for rows in data[number].rows])
        if recipe.curriculum[number].name not in decided.prepared:
            rows = sum(len(part) for part in data[number].rows)
            session.emit("prepared", state, {"rows": rows, "path": data[number].folder.name})
    return data


def hold_to_sources(
    session: Session, recipe: Recipe, wanted: Iterable[int], earlier: ResolvedRecipe, library: Library
) -> None:
    """RunError where a text is not what it was when its stage was first prepared; nothing is written before."""
    stages = recipe.curriculum
    known = [n for n in wanted if stages[n].name in earlier.decided.prepared]
    hashes = _joined(library.material(number).hashes() for number in known)
    voice = hashes_of_voice(recipe.earlier) if recipe.earlier is not None else {}
    if session.ranks.first:
        same_sources(session.folder, earlier, {**earlier.sources, **hashes, **voice})


def resolve(
    recipe: Recipe, decided: Decided, data: Mapping[int, StageData], earlier: ResolvedRecipe | None
) -> ResolvedRecipe:
    """The recipe as the run keeps it, with the hashes of all that was read for it so far, and the versions that it was
    started with."""
    stages = recipe.curriculum
    hashes = {stages[number].name: part.material.hashes() for number, part in data.items()}
    sources = {**(earlier.sources if earlier is not None else {}), **_joined(hashes.values())}
    if recipe.earlier is not None:
        sources |= hashes_of_voice(recipe.earlier)
    decided = decided.model_copy(update={"prepared": tuple(dict.fromkeys([*decided.prepared, *hashes]))})
    versions = earlier.versions if earlier is not None else versions_here()
    return ResolvedRecipe(recipe=recipe, decided=decided, versions=versions, sources=sources)


def foresee_all(
    recipe: Recipe,
    inherits: Method | None,
    decided: Decided,
    files: BaseFiles,
    data: Mapping[int, StageData],
    run: Path,
    processes: int,
) -> dict[int, Plan | None]:
    """What each stage will take, for those that the planner knows enough of; `inherits` is the method of the voice that
    is gone on from."""
    written = tokens_written(recipe)
    found = {}
    for number, part in data.items():
        stage, melts = recipe.carried_out(number, inherits), recipe.melts(number, inherits)
        found[number] = foresee(stage, decided, number, files, part.facts, run, processes, written, melts)
    return found


def _joined(found: Iterable[Mapping[str, str]]) -> dict[str, str]:
    return {name: value for hashes in found for name, value in hashes.items()}
