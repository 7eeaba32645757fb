"""Stage after stage: what each starts from, what it inherits and what it overrides, and what it leaves for the next."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from quire.errors import RunError
from quire.model.machine import set_threads
from quire.planner.bases import BaseFiles
from quire.planner.cautions import Warned
from quire.planner.foreseen import foreseen_of
from quire.planner.memory import disk_of
from quire.planner.plan import Plan
from quire.planner.schedule import BatchChoice, seed_of_stage
from quire.recipe.advice import dial_in_words
from quire.recipe.method import Method
from quire.recipe.resolved import Decided
from quire.recipe.schema import Recipe, Stage
from quire.run.atomic import link_tree, require_space
from quire.run.events import JSON
from quire.run.folder import RunFolder
from quire.run.manifest import spoiled
from quire.training.checkpoints import Checkpoint
from quire.training.learner import Learner, Start
from quire.training.loop import Part
from quire.training.parts import train_parts
from quire.training.relief import begin_peak, peak_memory
from quire.training.session import Session
from quire.training.standing import ended, standing_of_all, tell_resume, voice_of
from quire.training.state import TrainState
from quire.verbs.stages.decide import load_learner
from quire.verbs.stages.inheritance import inherited, start_of
from quire.verbs.stages.saving import save_and_check, write_samples
from quire.verbs.texts.prepare import StageData


@dataclass
class Undertaking:
    """A recipe being carried out.  `decided` grows: what a stage finds out is kept for whoever resumes it.  `foreseen`
    has the stages that this start begins; `inherits` is the method of the voice in `earlier`."""

    session: Session
    recipe: Recipe
    decided: Decided
    files: BaseFiles
    earlier: Start | None
    inherits: Method | None
    data: Mapping[int, StageData]
    foreseen: Mapping[int, Plan | None]
    unwatched: str
    keep: Callable[[Decided, bool], None]

    def settle(self, number: int, alone: bool = False, **found: object) -> None:
        """Keep what was found out about stage `number`: the same in all processes, or by this one `alone`."""
        settled = self.decided.stages[number].model_copy(update=found)
        self.decided = self.decided.with_stage(number, settled)
        self.keep(self.decided, alone)

    @property
    def named(self) -> str:
        """The base that the run began with, as a stranger may read it: of a folder its name alone."""
        name = self.decided.base
        return Path(name).name if Path(name).is_dir() else name

    def agree(self) -> None:
        """Take the first process's findings, which were measured there."""
        self.decided = Decided.model_validate_json(self.session.ranks.told(self.decided.model_dump_json()))


def carry_out(work: Undertaking, resumes: bool, only: str | None, beware: Sequence[Warned] = ()) -> TrainState:
    """Train what is left of the curriculum, or of it the stage `only`; then the run's voice is that of the last one.
    `beware` is what a resume is to warn of."""
    folder, stages = work.session.folder, work.recipe.curriculum
    ranks = work.session.ranks
    at = standing_of_all(folder, stages, ranks)
    state, checkpoint = at.state, at.checkpoint
    if resumes:
        tell_resume(work.session, at)
        for warned in beware:  # after the resume, or that would make readers forget it
            work.session.warn(warned)
    for number in range(at.done, len(stages)):
        if only is not None and number > names_of(stages).index(only):
            return state
        state = train_stage(work, number, state if state.stage == number else state.next_stage(), checkpoint)
        checkpoint = None
    if len(stages) > 1 and (not folder.has_voice or spoiled(folder.voice)):
        ranks.lead(lambda: link_tree(voice_of(folder, len(stages) - 1, stages[-1]), folder.voice))
    work.session.emit("done", state, {"voice": folder.voice.name})
    return state


def require_turn(folder: RunFolder, stages: Sequence[Stage], only: str) -> bool:
    """Whether the stage `only` is to be trained now: False where that was done.  RunError where others come before."""
    names = names_of(stages)
    done = len(ended(folder, stages))
    if names.index(only) > done:
        raise RunError(
            f"stage {only} goes on from {names[names.index(only) - 1]}, and {names[done]} is not trained yet",
            f"train it first: --stage {names[done]}; or leave --stage out to train all in order",
            "stages",
        )
    return names.index(only) == done


def require_known(stages: Sequence[Stage], only: str) -> None:
    """RunError where no stage has that name."""
    if only not in names_of(stages):
        raise RunError(f"there is no stage {only}", f"the stages are {', '.join(names_of(stages))}", "stages")


def names_of(stages: Sequence[Stage]) -> list[str]:
    return [stage.name for stage in stages]


def train_stage(work: Undertaking, number: int, state: TrainState, resume: Checkpoint | None) -> TrainState:
    """Load what the stage starts from, say what it inherits and overrides, train it, save what it has learned."""
    session, recipe, data = work.session, work.recipe, work.data[number]
    stages = recipe.curriculum
    stage, began = stages[number], time.monotonic()
    held = begin_peak(work.decided.device)
    if (plan := work.foreseen.get(number)) is not None:
        known = work.decided.stages[number].checkpointing  # a recovery from too little memory may have turned it on
        work.settle(number, checkpointing=known or plan.checkpointing)
    work.agree()
    made = bases_of(session.folder, number, stage).exists()
    melted = plan.melted_bytes if plan is not None and not made else 0
    session.ranks.lead(lambda: require_space(session.folder.path, melted))
    load = loader(work, number, work.decided.device)
    learner = session.ranks.lead(load) or load()  # the others find what the first has made
    session.ranks.lead(lambda: require_space(session.folder.path, disk_of(learner.trainable, stage.keep)))
    work.settle(number, packs=learner.computation.packs)
    introduce(work, number, state, learner, plan, held)
    watched = {str(recipe.earlier): data.forgetting} if data.forgetting is not None else {}
    parts = [
        Part(part, rows, held_out, watched)
        for part, (rows, held_out) in enumerate(zip(data.rows, data.validation, strict=True))
    ]

    def save(learner: Learner, state: TrainState, target: Path) -> None:
        save_and_check(session, learner, recipe, work.named, data.material, data.rows, state, target)

    state, whole = train_parts(
        session,
        learner,
        recipe.carried_out(number, work.inherits),  # an inherited adapter learns at its own ratio of rates
        work.decided.stages[number],
        seed_of_stage(recipe.seed, number),
        state,
        resume,
        parts,
        after_part=lambda learner, state: write_samples(session, learner, recipe, work.decided.prompts, state),
        save_part=save,
        keep=lambda settled, alone: work.settle(number, alone, **settled.model_dump()),
        remake=loader(work, number, "cpu"),
    )
    target = voice_of(session.folder, number, stage) if len(stages) > 1 else session.folder.voice
    session.ranks.lead(lambda: save(whole, state, target))
    ends: dict[str, JSON] = {"tokens_total": state.tokens, "skipped": state.skipped, "best_loss": state.best_loss}
    ends |= {"memory_bytes": peak_memory(work.decided.device)}
    ends |= {"seconds": time.monotonic() - began} if resume is None else {}
    session.emit("stage_end", state, ends)
    return state


def loader(work: Undertaking, number: int, device: str) -> Callable[[], Learner]:
    """What loads the model of stage `number` as it stands at the stage's beginning, on a `device`."""
    session, recipe = work.session, work.recipe
    stage = recipe.curriculum[number]
    start = start_of(session.folder, recipe.curriculum, number, work.files, work.earlier)
    bases = bases_of(session.folder, number, stage)

    def load() -> Learner:
        decided = work.decided.model_copy(update={"device": device})
        made = load_learner(start, stage, decided, number, seed_of_stage(recipe.seed, number), bases)
        if session.ranks.several:  # the run may have been started by fewer, with more threads for each
            set_threads(min(work.decided.threads, session.ranks.threads))
        return made

    return load


def bases_of(folder: RunFolder, number: int, stage: Stage) -> Path:
    """Where the base lies that is made for a stage, if an adapter is melted in for it."""
    return folder.path / "bases" / f"{number + 1:02d}-{stage.name}"


def introduce(
    work: Undertaking, number: int, state: TrainState, learner: Learner, plan: Plan | None, held: int | None
) -> None:
    """Say what a stage inherits and overrides, what was decided, what is foreseen, and what to beware of.

    `held`: the bytes of this process before its learner was loaded.
    """
    session, recipe, settled = work.session, work.recipe, work.decided.stages[number]
    if recipe.stages or work.earlier is not None:
        start = start_of(session.folder, recipe.curriculum, number, work.files, work.earlier)
        session.emit("inherited", state, inherited(recipe, number, start))
    choice = BatchChoice(settled.batch, settled.accumulate, settled.batch_reason)
    if work.unwatched:
        session.warn(Warned(f"{work.unwatched}: whether it is forgotten cannot be seen", "", "from"))
    ledger = work.data[number].account(choice, seed_of_stage(recipe.seed, number))
    dial = dial_in_words(recipe, number, work.inherits)
    facts = {"imprint": dial, **learner.facts()} if dial else learner.facts()
    session.announce(state, work.decided, settled, facts, {"words": ledger.words, "tokens": ledger.tokens})
    if settled.accumulate < session.ranks.count:
        session.warn(_idle(settled.batch, settled.accumulate, session.ranks.count))
    if plan is not None:
        foreseen = foreseen_of(recipe.curriculum[number].name, plan, work.decided.device, held)
        session.emit("foreseen", state, foreseen.to_json())
        for warned in plan.warnings:
            session.warn(warned)


def _idle(batch: int, batches: int, processes: int) -> Warned:
    """Batches are shared out whole, so that no number of processes changes what is computed."""
    rows = "a single row" if batch == 1 else f"{batch} rows"
    text = f"a step is {batches} batch{'es' if batches > 1 else ''} of {rows}, and there are {processes} processes"
    return Warned(f"{text}: some have nothing to do", "raise train.effective_batch, or lower train.batch", "processes")
