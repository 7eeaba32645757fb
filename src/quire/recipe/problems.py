"""What is wrong with a recipe: everything, in one go, in words."""

from __future__ import annotations

import copy
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from quire.errors import RecipeError
from quire.recipe.keys import by_names, nearest
from quire.recipe.schema import Recipe
from quire.recipe.setting import NOT_YET, ONE_OF, Settings

KeyPath = tuple[str | int, ...]
_ROUNDS = 8


@dataclass(frozen=True)
class Problem:
    """One mistake: where, what, and the value that was given (None where a key is missing).

    `instead` is the key that was probably meant, `line` the line of the recipe file.
    """

    key: str
    what: str
    value: object = None
    instead: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        hint = f"; did you mean {self.instead}?" if self.instead else ""
        value = f" (it is {_shown(self.value)})" if self.value is not None and not self.instead else ""
        line = f" (line {self.line})" if self.line else ""
        return f"{self.key}{line}: {self.what}{value}{hint}" if self.key else f"{self.what}{hint}"


def as_error(problems: Sequence[Problem], name: str) -> RecipeError:
    """One error of all problems: a single line for one, a header and a line each for several.

    The lines end in semicolons, which tell them apart where all stand on one.
    """
    if len(problems) == 1:
        (problem,) = problems
        then = f"write {problem.instead} instead of {problem.key}" if problem.instead else ""
        return RecipeError(f"{name}: {problem}", then or "every key is described in docs/settings.md", "recipes")
    lines = ";".join(f"\n  {problem}" for problem in problems)
    then = "put these right; every key is described in docs/settings.md"
    return RecipeError(f"{name} has {len(problems)} mistakes:{lines}", then, "recipes")


def check(data: Mapping[str, Any]) -> tuple[Recipe | None, list[Problem]]:
    """The recipe that `data` describes, or every problem with it.

    Checks of a section as a whole run only when its keys are right; so what is wrong is noted and taken out, and the
    rest is checked again.
    """
    left = copy.deepcopy(dict(data))
    problems: dict[tuple[str, str], Problem] = {}
    touched: set[KeyPath] = set()
    for _ in range(_ROUNDS):
        try:
            recipe = Recipe.model_validate(left)
        except ValidationError as error:
            details = error.errors(include_url=False)
            paths = [_path(detail, left) for detail in details]
            for problem in _problems(details, paths, touched, data):
                problems.setdefault((problem.key, problem.what), problem)
            if not _take_out(paths, left):
                break
            touched |= {path[:-1] for path in paths}
        else:
            return (None if problems else recipe), list(problems.values())
    return None, list(problems.values())


def _problems(
    details: Sequence[ErrorDetails], paths: Sequence[KeyPath], touched: Container[KeyPath], data: Mapping[str, Any]
) -> list[Problem]:
    """Errors of one value (a union gives one for each of its types) become one problem.

    That a choice is missing is no news in a section from which something was taken out.
    """
    grouped: dict[KeyPath, list[ErrorDetails]] = {}
    for detail, path in zip(details, paths, strict=True):
        if not (detail["type"] == ONE_OF and path in touched):
            grouped.setdefault(path, []).append(detail)
    return [_problem(by_names(path, data), group) for path, group in grouped.items()]


def _problem(path: KeyPath, group: Sequence[ErrorDetails]) -> Problem:
    key = ".".join(str(part) for part in path)
    first = group[0]
    if first["type"] == "extra_forbidden":
        return Problem(key, "unknown key", first["input"], nearest(path))
    if first["type"] == "missing":
        return Problem(key, "is missing")
    if first["type"] in (NOT_YET, ONE_OF):
        return Problem(key, first["msg"])
    given = None if isinstance(first["input"], dict | Settings) else first["input"]
    words = list(dict.fromkeys(_what(detail) for detail in group))
    return Problem(key, " or ".join([words[0], *(word.removeprefix("must be ") for word in words[1:])]), given)


def _what(detail: ErrorDetails) -> str:
    context = detail.get("ctx", {})
    kind = detail["type"]
    if kind == "value_error":
        return str(context["error"])
    if kind.startswith("int_"):
        return "must be a whole number"
    if kind.startswith(("float_", "finite_")):
        return "must be a number"
    if kind.startswith("bool_"):
        return "must be true or false"
    if kind.startswith("string_"):
        return "must be text"
    if kind in ("list_type", "tuple_type"):
        return "must be a list: [a, b]"
    if kind in ("dict_type", "model_type", "model_attributes_type"):
        return "must be a section of keys"
    if kind == "literal_error":
        return f"must be {context['expected']}".replace("'", "")
    for name, words in (("greater_than_equal", "at least"), ("greater_than", "more than")):
        if kind == name:
            return f"must be {words} {context['ge' if name.endswith('equal') else 'gt']:g}"
    for name, words in (("less_than_equal", "at most"), ("less_than", "less than")):
        if kind == name:
            return f"must be {words} {context['le' if name.endswith('equal') else 'lt']:g}"
    return detail["msg"]


def _path(detail: ErrorDetails, data: Any) -> KeyPath:
    """Where in the data an error is: pydantic's location without the names of union members."""
    here = data
    path: list[str | int] = []
    for number, part in enumerate(detail["loc"]):
        if _holds(here, part):
            here = here[part]
        elif detail["type"] != "missing" or number < len(detail["loc"]) - 1:
            continue
        path.append(part)
    return tuple(path)


def _holds(data: Any, part: str | int) -> bool:
    if isinstance(data, dict):
        return part in data
    return isinstance(data, list) and isinstance(part, int) and part < len(data)


def _take_out(paths: Sequence[KeyPath], data: Any) -> bool:
    """Remove the values at `paths`.  False if there was nothing to remove."""
    removed = False
    for path in sorted(set(paths), key=lambda path: [str(part) for part in path], reverse=True):
        holder = data
        for part in path[:-1]:
            holder = holder[part] if _holds(holder, part) else None
        if path and _holds(holder, path[-1]):
            del holder[path[-1]]
            removed = True
    return removed


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"
