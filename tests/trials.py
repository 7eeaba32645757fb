"""Trials that cost nothing: their losses are a function of their settings, everything else is as training leaves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from quire.recipe.load import as_written, load_recipe, recipe_for
from quire.recipe.resolved import Decided, ResolvedRecipe, StageDecided
from quire.recipe.schema import Recipe
from quire.recipe.yaml_text import dump_yaml
from quire.run.atomic import write_text
from quire.run.events import Event, EventLog
from quire.run.folder import RunFolder
from quire.training.watch import StopWish
from quire.verbs.searching.course import Course
from quire.verbs.searching.journal import Asked, Journal, read_journal
from quire.verbs.searching.trainer import Ended, Wish

SETTINGS: dict[str, object] = {"train.window": 64, "train.steps": 20, "train.method.lora.rank": 8}
RATE, RANK = "train.learning_rate", "train.method.lora.rank"
SPACE = (f"{RATE}=1e-5..1e-1/log", f"{RANK}=2|4|8|16")

Losses = Callable[[Recipe], list[float]]


class Killed(BaseException):
    """What stands for the end of the process."""


def bowl(recipe: Recipe) -> list[float]:
    """Eleven losses that fall towards a bottom, which is deepest at a learning rate of 1e-2 and rank 16; a hundredth of
    it is the seed's own."""
    import math

    adapter = recipe.train.method.adapter
    assert adapter is not None
    away = math.log10(recipe.train.learning_rate) + 2
    bottom = 2 + 0.3 * away**2 - 0.02 * math.log2(adapter.rank) + 0.001 * (recipe.seed % 5)
    return [bottom + (4 - bottom) * (1 - tenth / 10) for tenth in range(11)]


@dataclass
class Scripted:
    """Stands for `Trainer`: writes the folder of a run, and tells its events.  `killed_at` counts events down."""

    losses: Losses = bowl
    killed_at: int | None = None
    ends: Callable[[Mapping[str, Any]], Ended | None] = lambda request: None
    sources: Mapping[str, str] = field(default_factory=dict)
    requests: list[Mapping[str, Any]] = field(default_factory=list)
    _recipes: dict[str, dict[str, Any]] = field(default_factory=dict)

    def carry_out(self, request: Mapping[str, Any], heard: Callable[[Event], bool], wish: Wish) -> Ended:
        self.requests.append(request)
        overrides = {**request["settings"], **({"base": request["base"]} if request["base"] else {})}
        if request["source"] not in self._recipes:
            self._recipes[request["source"]] = as_written(recipe_for(request["source"]).recipe)
        recipe = load_recipe(self._recipes[request["source"]], overrides).recipe
        folder = RunFolder.create(Path(request["run"]))
        folder.events_file.unlink(missing_ok=True)
        folder.voice.mkdir(exist_ok=True)
        write_text(folder.voice / "adapter_model.safetensors", "weights")
        decided = Decided(base="embedded", stages=(StageDecided(),))
        resolved = ResolvedRecipe(recipe=recipe, decided=decided, sources=dict(self.sources))
        first = "train.learning_rate" not in overrides and "seed" not in overrides
        kept = resolved.to_yaml() if first else dump_yaml({"quire": {"sources": dict(self.sources)}})
        write_text(folder.recipe_file, kept)
        with EventLog(folder.events_file) as log:

            def tell(kind: str, step: int = 0, **values: Any) -> bool:
                go_on = heard(log.append(kind, "train", 0, step, values))
                if self.killed_at is not None:
                    self.killed_at -= 1
                    if self.killed_at < 0:
                        raise Killed
                return go_on

            tell("decided")
            if (ended := self.ends(request)) is not None:
                return ended
            tell("part_start", steps=20)
            for tenth, loss in enumerate(self.losses(recipe)):
                if tenth:
                    tell("step", 2 * tenth, loss=loss, tokens=100, seconds=0.5)
                if wish.reason is not None:
                    return Ended("Stopped", "stopped", fixable=True)
                if not tell("validation", 2 * tenth, loss=loss):
                    return Ended("Pruned", "given up", fixable=True)
        return Ended("done")


def asked(space: tuple[str, ...] = SPACE, prune: str = "none", seed: int = 7) -> Asked:
    return Asked("sample:tale", "", "embedded", SETTINGS, list(space), prune, seed)


def course(
    folder: Path,
    trainer: Scripted,
    trials: int = 6,
    repeats: int = 0,
    what: Asked | None = None,
    wish: StopWish | None = None,
    heard: Callable[[Event], None] = lambda event: None,
) -> Course:
    """A course in `folder`: a new one, or one that goes on."""
    from dataclasses import replace

    folder.mkdir(exist_ok=True)
    journal = replace(read_journal(folder) or Journal(what or asked()), wanted=trials, repeats_wanted=repeats)
    return Course(folder, journal, "sample:tale", False, trainer, wish or StopWish(), heard)
