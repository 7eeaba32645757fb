"""Going on with a run: it holds to what it was started with; whatever else is asked of it is refused by name."""

from __future__ import annotations

from collections.abc import Mapping

from quire.errors import RunError
from quire.planner.cautions import Warned
from quire.recipe.load import DEFAULT, Loaded
from quire.recipe.resolved import Decided, Difference, ResolvedRecipe, changed_sources, differences, load_resolved
from quire.recipe.schema import Recipe
from quire.run.events import read_all_events
from quire.run.folder import RunFolder

# Whatever these say, of a training or of a stage, the same is learned: they may be given anew at every start.
WITHOUT_EFFECT = ("keep", "log_every", "save_every")
OF_LATER_VERBS = ("write", "judge")
OF_THE_BITS = ("torch", "transformers", "peft")  # what computes, and so decides how numbers are rounded
_SHOWN = 5


def earlier_start(folder: RunFolder) -> ResolvedRecipe | None:
    """What the run has been learning by; None where it has learned nothing yet, so that everything may still change."""
    return load_resolved(folder.recipe_file) if _has_begun(folder) else None


def go_on_with(folder: RunFolder, earlier: ResolvedRecipe, now: Loaded) -> Recipe:
    """The run's own recipe.  RunError shows what is given now and says otherwise than it.

    Only what is given counts: a default, or the advice for a base, may have changed with an upgrade of Quire.
    """
    given = {key for key, origin in now.provenance.items() if origin != DEFAULT and not origin.startswith("advice:")}
    sections = ["train", *(f"stages.{stage.name}" for stage in earlier.recipe.stages)]
    free = [f"{section}.{key}" for section in sections for key in WITHOUT_EFFECT]
    changed = [
        difference
        for difference in differences(earlier.recipe, now.recipe, ignore=free)
        if difference.key in given or _is_lost_source(difference, given)
    ]
    if changed:
        raise _other_settings(folder, changed)
    return _given_anew(earlier.recipe, now.recipe, given)


def _given_anew(own: Recipe, now: Recipe, given: set[str]) -> Recipe:
    """The run's `own` recipe with what is given `now` of the keys that make no difference.

    A run's recipe.yaml writes every key under every stage: what a stage has in common with `train` changes with it.
    """
    of_train = {key: value for key, value in now.train if key in WITHOUT_EFFECT and f"train.{key}" in given}
    named = {stage.name: stage for stage in now.stages}
    stages = []
    for stage in own.stages:
        common = {key: value for key, value in of_train.items() if dict(stage)[key] == dict(own.train)[key]}
        said = {key: value for key, value in named.get(stage.name, stage) if key in WITHOUT_EFFECT}
        changed = {key: value for key, value in said.items() if value != dict(stage)[key]}
        changed = {key: value for key, value in changed.items() if f"stages.{stage.name}.{key}" in given}
        stages.append(stage.model_copy(update=common | changed))
    train = own.train.model_copy(update=of_train)
    return own.model_copy(update={"train": train, "stages": tuple(stages)})


def same_sources(folder: RunFolder, earlier: ResolvedRecipe, hashes: Mapping[str, str]) -> None:
    """RunError where a text that the run learns from is not what it was."""
    changed = changed_sources(earlier.sources, hashes)
    if changed:
        raise RunError(
            f"{', '.join(changed[:3])} changed since {folder.path} was started",
            "put the old text back, or start another run with --run NEW",
            "resume",
        )


def other_versions(earlier: ResolvedRecipe, here: Mapping[str, str]) -> list[Warned]:
    """A warning where what computes is not what the run was started with: it goes on, but not bit by bit."""
    then = {name: earlier.versions.get(name, here[name]) for name in OF_THE_BITS}
    other = [name for name in OF_THE_BITS if then[name] != here[name]]
    if not other:
        return []
    changed = ", ".join(f"{name} {then[name]} → {here[name]}" for name in other)
    wanted = " ".join(f"{name}=={then[name]}" for name in other)
    return [
        Warned(
            f"not what the run was started with: {changed}; what it learns may differ in the last bits",
            f"it goes on all the same; for the very same result stop it and pip install {wanted}",
            "resume",
        )
    ]


def lost_kernels(earlier: ResolvedRecipe) -> list[Warned]:
    """A warning where the run was started with Quire's compiled kernels and this machine has none."""
    from quire.model.kernels.native import why_not

    why = why_not()
    if earlier.decided.kernels == "plain" or why is None:
        return []
    return [
        Warned(
            f"the run was started with Quire's compiled kernels, which are missing here: {why}",
            "it goes on more slowly, and what it learns may differ in the last bits",
            "resume",
        )
    ]


def same_device(folder: RunFolder, decided: Decided) -> None:
    """RunError where the run computes on a GPU and this machine has none."""
    if decided.device == "cpu":
        return
    from quire.model.machine import device_name

    if device_name() == "cpu":
        raise RunError(
            f"{folder.path} was started on a GPU, and there is none here",
            "go on there, or start another run with --run NEW",
            "resume",
        )


def same_base(revision: str, name: str, decided: Decided) -> None:
    """RunError where the hub's base is not the one that the run was started with."""
    if revision != decided.base_revision:
        raise RunError(
            f"{name} was at revision {decided.base_revision} when the run was started, now {revision}",
            "start another run with --run NEW",
            "resume",
        )


def _has_begun(folder: RunFolder) -> bool:
    """Whether anything was learned: a checkpoint, a voice, or the event of a step is there."""
    saved = folder.checkpoints.is_dir() and any(path.name.isdigit() for path in folder.checkpoints.iterdir())
    return saved or folder.has_voice or any(event.kind == "step" for event in read_all_events(folder.events_file))


def _is_lost_source(difference: Difference, given: set[str]) -> bool:
    """A shelf is given as a whole: a source that the run reads and that is not named now is a difference too."""
    return difference.new is None and difference.key.startswith("shelf.") and any(k.startswith("shelf.") for k in given)


def _other_settings(folder: RunFolder, changed: list[Difference]) -> RunError:
    shown = "; ".join(str(difference) for difference in changed[:_SHOWN])
    more = f" and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
    later = sorted({section for d in changed if (section := d.key.split(".")[0]) in OF_LATER_VERBS})
    note = "".join(f"quire {verb} {folder.name} takes {verb} keys with --set; " for verb in later)
    return RunError(
        f"{folder.path} was made with other settings ({shown}{more})",
        f"{note}go on with the run's own settings, or start another run with --run NEW",
        "resume",
    )
