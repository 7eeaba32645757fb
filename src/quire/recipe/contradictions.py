"""Settings that cannot both hold: one of them would be given and then ignored."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from quire.recipe.problems import Problem

_LENGTHS = ("steps", "samples")
_ROWS = ("batch", "accumulate")


def contradictions(
    train: Mapping[str, Any], in_recipe: Container[str], by_hand: Container[str], path: str = "train"
) -> list[Problem]:
    """What is wrong with the training at `path`, of which `in_recipe` and `by_hand` say which keys somebody gave.

    What is given by hand may overrule what the recipe says, but not be overruled by it.
    """

    def ignored(key: str, winners: tuple[str, ...]) -> bool:
        return key in by_hand or (key in in_recipe and not any(winner in by_hand for winner in winners))

    problems = []
    if any(train.get(key) is not None for key in _LENGTHS) and ignored("epochs", _LENGTHS):
        problems.append(Problem(f"{path}.epochs", "give steps, samples or epochs, not two"))
    if ignored("effective_batch", _ROWS):
        problems += _rows(train, path)
    return problems


def _rows(train: Mapping[str, Any], path: str) -> list[Problem]:
    wanted, *given = (train.get(key) for key in ("effective_batch", *_ROWS))
    known = [(key, value) for key, value in zip(_ROWS, given, strict=True) if isinstance(value, int)]
    if not isinstance(wanted, int) or not known:
        return []
    made = 1
    for _, value in known:
        made *= value
    if made == wanted or (made < wanted and len(known) == 1):
        return []
    said = " and ".join(f"{key} {value}" for key, value in known)
    least = f"at least {made}" if len(known) == 1 else f"{made}"
    return [Problem(f"{path}.effective_batch", f"{said} make {least} rows a step: leave one of them out", wanted)]
