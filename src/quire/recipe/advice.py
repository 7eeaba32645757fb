"""What is recommended where a recipe says nothing: by the base of every stage, and by the imprint dial.

The dial is a wish of people who have trained on a single novel: from "hardly touched" to "knows it by heart".  It sets
four things together, each of which moves the result the same way; what the recipe says itself always wins.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from quire.recipe.bases import Advice, advice_for
from quire.recipe.load import DEFAULT, Loaded
from quire.recipe.method import Method
from quire.recipe.schema import Imprint, Recipe, TrainSettings


@dataclass(frozen=True)
class Depth:
    """A position of the dial.  `pace` multiplies the learning rate that suits base and method otherwise; of `goldfish`
    target tokens one is left out (None: none is)."""

    epochs: float
    rank: int
    pace: float
    goldfish: int | None


# The order is measured (docs/training.md, "The imprint dial"); the values between are a choice.
DIAL: Mapping[Imprint, Depth] = {
    "light": Depth(epochs=1, rank=8, pace=0.5, goldfish=3),
    "style": Depth(epochs=3, rank=16, pace=1.0, goldfish=4),
    "strong": Depth(epochs=6, rank=32, pace=1.0, goldfish=None),
    "memorise": Depth(epochs=20, rank=64, pace=1.5, goldfish=None),
}


def advice_on(loaded: Loaded, base: str, earlier: Method | None = None) -> dict[str, Advice]:
    """Recommended values by dotted key, for `train` or for every stage, on this base; `earlier` is the method of the
    voice that is gone on from.

    The imprint is that of the last stage: what comes before it prepares the base for the book.
    """
    recipe = loaded.recipe
    advice: dict[str, Advice] = {}
    first = _path(recipe, 0)
    said = any(key.startswith(f"{first}.method") and origin != DEFAULT for key, origin in loaded.provenance.items())
    if recipe.earlier is not None and not said:
        recipe = _inheriting(recipe)
        advice[f"{first}.method"] = Advice("inherit", "an earlier voice goes on learning")
    stages = recipe.curriculum
    for number, stage in enumerate(stages):
        path = _path(recipe, number)
        method = recipe.method_of(number, earlier) or Method()
        suits = {key.removeprefix("train."): advised for key, advised in advice_for(base, method.kind).items()}
        if recipe.imprint is not None and number == len(stages) - 1:
            suits |= imprint_advice(recipe.imprint, stage, suits.get("learning_rate"))
        advice |= {f"{path}.{key}": advised for key, advised in suits.items()}
    return advice


def _path(recipe: Recipe, number: int) -> str:
    """How the settings of stage `number` are addressed."""
    return f"stages.{recipe.stages[number].name}" if recipe.stages else "train"


def _inheriting(recipe: Recipe) -> Recipe:
    """The recipe with a first stage that goes on with the earlier voice."""
    method = {"method": Method(inherit=True, lora=None)}
    if not recipe.stages:
        return recipe.model_copy(update={"train": recipe.train.model_copy(update=method)})
    first, *later = recipe.stages
    return recipe.model_copy(update={"stages": (first.model_copy(update=method), *later)})


def imprint_advice(imprint: Imprint, stage: TrainSettings, rate: Advice | None) -> dict[str, Advice]:
    """What the dial sets in a training whose learning rate would be `rate` (the default where that is None)."""
    depth = DIAL[imprint]
    why = f"imprint: {imprint}"
    usual = rate.value if rate is not None and isinstance(rate.value, float) else _usual_rate()
    found: dict[str, Advice] = {"learning_rate": Advice(float(f"{usual * depth.pace:.3g}"), why)}
    if stage.steps is None and stage.samples is None:
        found["epochs"] = Advice(depth.epochs, why)
    if stage.method.adapter is not None:
        found[f"method.{stage.method.kind}.rank"] = Advice(depth.rank, why)
        found[f"method.{stage.method.kind}.alpha"] = Advice(2 * depth.rank, why)
    if depth.goldfish is not None:
        found["goldfish"] = Advice(depth.goldfish, why)
    return found


def dial_in_words(recipe: Recipe, number: int, earlier: Method | None = None) -> str:
    """What the dial has come to in stage `number`, with what the recipe says itself; empty where it is not turned."""
    if recipe.imprint is None or number != len(recipe.curriculum) - 1:
        return ""
    stage, method = recipe.curriculum[number], recipe.method_of(number, earlier)
    length = f"{stage.epochs:g} epochs" if stage.steps is None and stage.samples is None else ""
    rank = f"rank {method.adapter.rank}" if method is not None and method.adapter is not None else ""
    goldfish = f"one token in {stage.goldfish} left out" if stage.goldfish is not None else "no token left out"
    said = [length, rank, f"learning rate {stage.learning_rate:g}", goldfish]
    return f"{recipe.imprint}: {', '.join(filter(None, said))}"


def _usual_rate() -> float:
    return float(TrainSettings.model_fields["learning_rate"].default)
