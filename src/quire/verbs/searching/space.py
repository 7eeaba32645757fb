"""What a search may vary: ranges and choices of recipe keys, given by hand or derived from the recipe's own values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from quire.errors import RecipeError
from quire.recipe.keys import STAGES, field_of, flatten, nearest, steps_to
from quire.recipe.load import parse_setting, read_recipe_file
from quire.recipe.schema import Recipe, Stage
from quire.recipe.yaml_text import parse_value

Params = Mapping[str, Any]

_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"\s*({_NUMBER}?)\.\.({_NUMBER})\s*(/\s*log)?\s*")
_FORM = "write a range as 1e-5..1e-3/log or 1..6, and choices as 8|16|32"
_DIGITS = 3  # significant ones of a drawn number: more say nothing, and are hard to read

_OTHER_TEXT = "it changes which text is held out, or what a token is, so that the losses could not be compared"
_OTHER_MEASURE = "it changes how held-out text is cut or read, so that the losses could not be compared"
_NOTHING = "it changes nothing that is learned"
# Of the recipe, and of the training whose held-out loss decides.
_REFUSED = {
    **dict.fromkeys(("shelf", "base", "from", "language", "seed"), _OTHER_TEXT),
    **dict.fromkeys(("name", "rights", "write", "judge", "track", "push"), _NOTHING),
    "imprint": "the recipe has it in its single settings already: vary epochs, rank and learning rate",
}
_REFUSED_IN_TRAINING = {
    "shelf": _OTHER_TEXT,
    **dict.fromkeys(("window", "chunk", "pack", "parts", "loss"), _OTHER_MEASURE),
    **dict.fromkeys(("keep", "log_every", "save_every"), _NOTHING),
}
# What the two matrices that read and answer are called in the families that Quire knows (field notes, 4).
_ATTENTION = (("q_proj", "v_proj"), ("c_attn",), ("query_key_value",))


@dataclass(frozen=True)
class Dimension:
    """One key and what it may be: one of `choices`, or else from `low` to `high`, evenly or by factors (`log`)."""

    key: str
    choices: tuple[Any, ...] = ()
    low: float | int = 0
    high: float | int = 0
    log: bool = False

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)

    @property
    def name(self) -> str:
        """The key's last word, which tables have room for."""
        return self.key.rpartition(".")[2]

    @property
    def edges(self) -> tuple[Any, ...]:
        """Values at which a mistake in it would show."""
        return self.choices or (self.low, self.high)

    def holds(self, value: Any) -> bool:
        """Whether `value` lies in it."""
        if self.choices:
            return value in self.choices
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and self.low <= value <= self.high and (not self.whole or value == int(value))

    def neat(self, value: Any) -> Any:
        """A drawn number with as many digits as tell something, still within the range."""
        if self.choices or self.whole:
            return value
        return min(max(float(f"{value:.{_DIGITS}g}"), self.low), self.high)

    def __str__(self) -> str:
        if self.choices:
            return f"{self.key}: {' | '.join(shown(value) for value in self.choices)}"
        return f"{self.key}: {self.low:g} … {self.high:g}{', by factors' if self.log else ''}"

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "choices": list(self.choices)}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Dimension:
        return cls(**{**data, "choices": tuple(data["choices"])})


def shown(value: Any) -> str:
    """A value as a table shows it."""
    if isinstance(value, float):
        return f"{value:.{_DIGITS}g}"
    return ",".join(value) if isinstance(value, list) and all(isinstance(v, str) for v in value) else _plain(value)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def parse_space(given: Iterable[str]) -> tuple[Dimension, ...]:
    """`train.learning_rate=1e-5..1e-3/log`, `train.method.lora.rank=8|16`, or the name of a YAML file of such pairs.

    RecipeError where one cannot be understood or a key is given twice.
    """
    found: dict[str, Dimension] = {}
    for text in given:
        for key, value in [_pair(text)] if "=" in text else read_recipe_file(Path(text)).data.items():
            dimension = _dimension(str(key).strip(), value)
            if dimension.key in found:
                raise RecipeError(f"--space gives {dimension.key} twice", "leave one of them out", "search")
            found[dimension.key] = dimension
    return tuple(found.values())


def check_space(space: Sequence[Dimension], recipe: Recipe) -> list[str]:
    """What is wrong with the space for `recipe`, a line each; see also whether its edges load."""
    problems = []
    for dimension in space:
        key = field_of(dimension.key)
        if key is None:
            near = nearest(tuple(steps_to(dimension.key)))
            problems.append(f"{dimension.key}: unknown key" + (f", did you mean {near}?" if near else ""))
        elif reason := _refusal(dimension.key, recipe):
            problems.append(f"{dimension.key} cannot be searched: {reason}")
    return problems


def own_values(space: Sequence[Dimension], recipe: Recipe) -> dict[str, Any]:
    """What the recipe itself says to the keys of the space; a key that it does not have is left out."""
    flat = flatten(recipe)
    return {dimension.key: flat[dimension.key] for dimension in space if dimension.key in flat}


def default_space(recipe: Recipe, layers: Sequence[str]) -> tuple[Dimension, ...]:
    """Around the recipe's own values, for the training whose held-out loss decides: the last stage's.

    `layers` names the linear layers of the base.  An adapter that the stage inherits keeps its shape: varying it would
    train the earlier stages anew for every trial.
    """
    stage, path = decisive(recipe)
    rate = stage.learning_rate
    space = [Dimension(f"{path}.learning_rate", low=_neat(rate / 5), high=_neat(rate * 5), log=True)]
    adapter = stage.method.adapter
    if adapter is not None:
        where = f"{path}.method.{stage.method.kind}"
        rank, alpha = adapter.rank, adapter.alpha
        space.append(Dimension(f"{where}.rank", tuple(sorted({max(1, rank // 2), rank, 2 * rank, 4 * rank}))))
        space.append(Dimension(f"{where}.alpha", (alpha / 2, alpha, alpha * 2)))
        space.append(Dimension(f"{where}.dropout", tuple(sorted({0.0, 0.05, 0.1, adapter.dropout}))))
        space += _targets(f"{where}.targets", adapter.targets, layers)
    elif stage.method.full:
        space.append(Dimension(f"{path}.weight_decay", tuple(sorted({0.0, 0.01, 0.1, stage.weight_decay}))))
    return (*space, _length(stage, path))


def decisive(recipe: Recipe) -> tuple[Stage, str]:
    """The training whose held-out loss decides, and where its keys stand in the recipe."""
    last = recipe.curriculum[-1]
    return last, f"{STAGES}.{last.name}" if recipe.stages else "train"


def _length(stage: Stage, path: str) -> Dimension:
    """From half to twice as long, in the word that the recipe uses for it."""
    if stage.steps is not None or stage.samples is not None:
        name, length = ("steps", stage.steps) if stage.steps is not None else ("samples", stage.samples)
        assert length is not None
        return Dimension(f"{path}.{name}", low=max(1, length // 2), high=length * 2, log=True)
    epochs = stage.epochs
    if epochs >= 2 and epochs == int(epochs):
        return Dimension(f"{path}.epochs", low=int(epochs) // 2, high=int(epochs) * 2)
    return Dimension(f"{path}.epochs", low=_neat(epochs / 2), high=_neat(epochs * 2))


def _targets(key: str, own: list[str] | str, layers: Sequence[str]) -> list[Dimension]:
    attention = next((list(names) for names in _ATTENTION if set(names) <= set(layers)), None)
    choices: list[Any] = ["all-linear"]
    choices += [names for names in (own, attention) if names is not None and names not in choices]
    choices = list({json.dumps(choice): choice for choice in choices}.values())
    return [Dimension(key, tuple(choices))] if len(choices) > 1 else []


def _refusal(key: str, recipe: Recipe) -> str | None:
    first, *rest = key.split(".")
    if first in _REFUSED:
        return _REFUSED[first]
    if first == "train" and recipe.stages:
        return f"this recipe's stages say it themselves: name {STAGES}.{recipe.curriculum[-1].name}.{'.'.join(rest)}"
    _, path = decisive(recipe)
    return next((why for name, why in _REFUSED_IN_TRAINING.items() if f"{key}.".startswith(f"{path}.{name}.")), None)


def _pair(text: str) -> tuple[str, object]:
    key, _, value = text.partition("=")
    if "|" in value or _RANGE.fullmatch(value):
        return key, value
    return parse_setting(text)


def _dimension(key: str, value: object) -> Dimension:
    if isinstance(value, list) and value:
        return Dimension(key, tuple(value))
    text = value if isinstance(value, str) else ""
    if "|" in text:
        return Dimension(key, tuple(parse_value(part.strip(), f"--space {key}") for part in text.split("|")))
    match = _RANGE.fullmatch(text)
    if match is None or not match[1]:
        raise RecipeError(f"--space {key}={_plain(value)} is neither a range nor choices", _FORM, "search")
    low, high = (parse_value(number, key) for number in match.groups()[:2])
    log = match[3] is not None
    if low >= high or (log and low <= 0):
        problem = "a range by factors begins above 0" if log and low <= 0 else "a range goes from low to high"
        raise RecipeError(f"--space {key}={text}: {problem}", _FORM, "search")
    return Dimension(key, low=low, high=high, log=log)


def _neat(value: float) -> float:
    return float(f"{value:.2g}")
