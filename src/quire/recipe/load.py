"""From what a user gives to a recipe: defaults, then advice for the base, then the recipe file, then flags."""

from __future__ import annotations

import copy
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from quire.errors import BookError, RecipeError
from quire.recipe.bases import Advice
from quire.recipe.contradictions import contradictions
from quire.recipe.keys import STAGES, by_names, field_of, flatten, nearest, steps_to
from quire.recipe.problems import Problem, as_error, check
from quire.recipe.schema import Recipe
from quire.recipe.yaml_text import MOST_BYTES, Parsed, dump_yaml, parse_value, parse_yaml

T = TypeVar("T")
DEFAULT = "default"
RUN_BLOCKS = ("quire", "decided")
"""Blocks that a run adds to its recipe.yaml; they are no settings."""

# Keys of a training that are words for one thing.
_ONE_THING = (("epochs", "steps", "samples"), ("effective_batch", "accumulate"), ("stride", "chunk"))


@dataclass(frozen=True)
class Loaded:
    """A recipe, and for every one of its dotted keys where the value came from."""

    recipe: Recipe
    provenance: Mapping[str, str]


@dataclass(frozen=True)
class _Layer:
    """What one source says, and the origin of each path it gives."""

    data: dict[str, Any]
    origins: Mapping[str, str]
    lines: Mapping[str, int]


def recipe_for(
    source: str | Path, overrides: Mapping[str, object] | None = None, advice: Mapping[str, Advice] | None = None
) -> Loaded:
    """The recipe that a SOURCE argument means: a recipe, a book, a folder or glob of books, `sample:NAME`,
    `hub:ID`, or a run.

    Raises RecipeError, or BookError where nothing of that name is there.
    """
    text = str(source)
    path = Path(text).expanduser()
    if text.startswith(("sample:", "hub:")):
        return load_recipe({"shelf": [text]}, overrides, advice, name=text)
    if (path / "format").is_file():
        if not (path / "recipe.yaml").is_file():
            raise RecipeError(f"the run {path} has no recipe.yaml yet", "start it anew from its book or recipe")
        return load_recipe(path / "recipe.yaml", overrides, advice)
    if path.suffix.lower() in (".yaml", ".yml"):
        return load_recipe(path, overrides, advice)
    if not path.exists() and not any(sign in text for sign in "*?["):
        raise BookError(f"there is no {text}", "name a book, a folder of books, a recipe, or sample:novella")
    return load_recipe({"shelf": [{"path": text}]}, overrides, advice, name=text)


def load_recipe(
    source: Path | Mapping[str, Any] | None = None,
    overrides: Mapping[str, object] | None = None,
    advice: Mapping[str, Advice] | None = None,
    name: str = "the recipe",
    need_shelf: bool = True,
) -> Loaded:
    """Merge defaults < `advice` < `source` < `overrides` (dotted keys) into a recipe.

    Paths in a recipe file are relative to it; other paths to the working directory; the recipe's are absolute.
    Raises one RecipeError that holds every problem there is.
    """
    base = _from_file(source) if isinstance(source, Path) else _from_data(source or {}, name)
    merged = {key: value for key, value in base.data.items() if key not in RUN_BLOCKS}
    problems = _apply(overrides or {}, merged)
    problems += _contradictions(merged, base.data, overrides or {})
    share_train(merged)
    advised = _advise(advice or {}, merged)
    recipe, found = check(merged)
    problems += _told_once(found)
    if need_shelf and not _has_shelf(merged):
        problems.append(Problem("shelf", "no text is named: add shelf: [{path: novel.epub}]"))
    if problems:
        lines = [replace(problem, line=_line(problem.key, base.lines, overrides or {})) for problem in problems]
        raise as_error(lines, str(source) if isinstance(source, Path) else name)
    assert recipe is not None
    given = dict.fromkeys(overrides or {}, "set by hand")
    return Loaded(recipe, {key: _origin(key, [given, base.origins, advised]) for key in flatten(recipe)})


def share_train(data: dict[str, Any]) -> None:
    """Put what `train` says under every stage that does not say it itself.

    A stage's word on one thing also silences what `train` says on it in other words: of steps, samples and epochs only
    one can hold, and so on.
    """
    train, stages = data.get("train"), data.get(STAGES)
    if not isinstance(train, dict) or not isinstance(stages, list):
        return
    for number, stage in enumerate(stages):
        if isinstance(stage, dict):
            silenced = {key for words in _ONE_THING for key in words if any(word in stage for word in words)}
            shared = {key: copy.deepcopy(value) for key, value in train.items() if key not in silenced}
            stages[number] = {**shared, **stage}


def _told_once(problems: Sequence[Problem]) -> list[Problem]:
    """Without those of a stage that `train` has given it."""
    of_train = {(problem.key, problem.what) for problem in problems}

    def shared(problem: Problem) -> bool:
        section, _, key = problem.key.partition(".")
        rest = key.partition(".")[2]
        return section == STAGES and (f"train.{rest}" if rest else "train", problem.what) in of_train

    return [problem for problem in problems if not shared(problem)]


def _has_shelf(data: Mapping[str, Any]) -> bool:
    stages = data.get(STAGES)
    own = isinstance(stages, list) and stages and all(isinstance(s, dict) and s.get("shelf") for s in stages)
    return bool(data.get("shelf") or own)


def parse_setting(text: str) -> tuple[str, object]:
    """`train.learning_rate=1e-4`, as `--set` takes it → key and value.  RecipeError where it is no such pair."""
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise RecipeError(f"--set {text} is not key=value", "write it as --set train.learning_rate=1e-4", "recipes")
    return key.strip(), parse_value(value, f"--set {text}")


def as_written(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain data: every value, without the keys that are reserved."""
    return _without_reserved(recipe.model_dump(mode="json", by_alias=True), "")


def dump_recipe(recipe: Recipe) -> str:
    """The recipe as YAML text, every value written out; loading it gives the same recipe."""
    return dump_yaml(as_written(recipe))


def read_recipe_file(path: Path) -> Parsed:
    """The data of a recipe file, with lines.  RecipeError where it is no file, too large, no text, or no mapping."""
    try:
        data = _bytes_of(path)
        text = data.decode("utf-8-sig")
    except FileNotFoundError:
        raise RecipeError(f"there is no recipe {path}", "check the name, or give the book itself") from None
    except UnicodeDecodeError:
        raise RecipeError(f"{path} is not UTF-8 text", "save the recipe as plain UTF-8 text", "recipes") from None
    except OSError as error:
        raise RecipeError(f"{path} cannot be read: {error.strerror}", "check the path and its permissions") from None
    if len(data) > MOST_BYTES:
        raise RecipeError(f"{path} is too large for a recipe", "name a recipe, not a book")
    parsed = parse_yaml(text, str(path))
    if parsed.data is None:
        return Parsed({}, {})
    if not isinstance(parsed.data, dict):
        raise RecipeError(f"{path} is not a recipe: it must consist of key: value lines", "see recipes/novel.yaml")
    return parsed


def _bytes_of(path: Path) -> bytes:
    """What a file holds, and no more of it than tells that it is too large.  A pipe or a device is not waited for."""
    if path.exists() and not path.is_file():
        raise RecipeError(f"{path} cannot be read: it is not a file", "name a recipe, or a book, or a folder of books")
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:  # noqa: PTH123 (a descriptor)
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise RecipeError(
                f"{path} cannot be read: it is not a file", "name a recipe, or a book, or a folder of books"
            )
        return file.read(MOST_BYTES + 1)


def _from_data(source: Mapping[str, Any], name: str) -> _Layer:
    data = _anchored(copy.deepcopy(dict(source)), Path.cwd())
    return _Layer(data, dict.fromkeys(_leaves(data), name), {})


def _from_file(path: Path) -> _Layer:
    parsed = read_recipe_file(path)
    lines = {".".join(map(str, by_names(where, parsed.data))): line for where, line in parsed.lines.items()}
    data = _anchored(parsed.data, path.absolute().parent)
    return _Layer(data, {key: f"{path.name}, line {_nearest_above(key, lines)}" for key in _leaves(data)}, lines)


def _nearest_above(key: str, values: Mapping[str, T]) -> T | None:
    """The value of `key`, or of the nearest section that it is in."""
    parts = key.split(".")
    above = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((values[prefix] for prefix in above if prefix in values), None)


def _line(key: str, lines: Mapping[str, int], overrides: Mapping[str, object]) -> int | None:
    """The line that a mistake is on; none for what was set by hand."""
    return None if _nearest_above(key, dict.fromkeys(overrides, True)) else lines.get(key)


def _anchored(data: dict[str, Any], folder: Path) -> dict[str, Any]:
    """`data` with the paths of its shelves, and of a base or an earlier run that is a folder, made absolute."""
    stages = data.get(STAGES)
    for section in [data, *(stages if isinstance(stages, list) else [])]:
        if isinstance(section, dict) and isinstance(shelf := section.get("shelf"), list):
            section["shelf"] = [_anchored_item(item, folder) for item in shelf]
    earlier = data.get("from")
    if isinstance(earlier, str):
        data["from"] = _anchored_base(earlier, folder)
    base = data.get("base")
    if isinstance(base, str):
        data["base"] = _anchored_base(base, folder)
    elif isinstance(base, dict):
        data["base"] = {k: _anchored_base(v, folder) if isinstance(v, str) else v for k, v in base.items()}
    return data


def _anchored_item(item: Any, folder: Path) -> Any:
    if isinstance(item, str):
        kind, _, name = item.partition(":")
        item = {kind: name} if kind in ("sample", "hub") else {"path": item}
    if isinstance(item, dict) and isinstance(item.get("path"), str):
        return {**item, "path": _absolute(item["path"], folder)}
    return item


def _anchored_base(base: str, folder: Path) -> str:
    """A base is a folder only where there is one: hub ids look alike."""
    return _absolute(base, folder) if base and (folder / Path(base).expanduser()).is_dir() else base


def _absolute(text: str, folder: Path) -> str:
    return os.path.normpath(folder / Path(text).expanduser())


def _apply(overrides: Mapping[str, object], data: dict[str, Any]) -> list[Problem]:
    """Put each override at its place in `data`; return what cannot be placed."""
    problems = []
    for dotted, value in overrides.items():
        path = steps_to(dotted)
        if field_of(dotted) is None:
            problems.append(Problem(dotted, "unknown key", value, nearest(tuple(path))))
            continue
        here: Any = data
        for part in path[:-1]:
            here = _step_into(here, part)
        if isinstance(here, dict):
            here[path[-1]] = copy.deepcopy(value)
        elif path[0] == STAGES:
            names = [str(stage.get("name")) for stage in data.get(STAGES) or () if isinstance(stage, dict)]
            there = f"the stages are {', '.join(names)}" if names else "the recipe has no stages"
            problems.append(Problem(dotted, f"there is no such stage: {there}"))
        else:
            problems.append(Problem(dotted, "there is no such item in the recipe's list"))
    if any(key.split(".")[0] in ("shelf", "base", "from", STAGES) for key in overrides):
        _anchored(data, Path.cwd())  # what the file gave is absolute by now
    return problems


def _contradictions(
    merged: Mapping[str, Any], source: Mapping[str, Any], overrides: Mapping[str, object]
) -> list[Problem]:
    """Those of `train` and of every stage.  What Quire writes holds every key there is, so that none of them was given
    on purpose."""
    problems = []
    written = dict(_trainings(source))
    for path, training in _trainings(merged):
        named = set(written.get(path, {}))
        by_quire = any(block in source for block in RUN_BLOCKS) or named >= set(as_written(Recipe())["train"])
        in_recipe = set() if by_quire else named
        given = (
            key.removeprefix(f"{path}.") for key, value in overrides.items() if key.startswith(f"{path}.") and value
        )
        problems += contradictions(training, in_recipe, set(given), path)
    return problems


def _trainings(data: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """`train` and the stages, each with its dotted key."""
    if isinstance(train := data.get("train"), dict):
        yield "train", train
    stages = data.get(STAGES)
    for number, stage in enumerate(stages if isinstance(stages, list) else ()):
        if isinstance(stage, dict):
            yield ".".join(map(str, by_names((STAGES, number, ""), data)[:2])), stage


def _step_into(here: Any, part: str) -> Any:
    if isinstance(here, list):
        if part.isdigit():
            return here[int(part)] if int(part) < len(here) else None
        return next((item for item in here if isinstance(item, dict) and item.get("name") == part), None)
    if not isinstance(here, dict):
        return None
    inner = here.get(part)
    if isinstance(inner, str) and part == "method":
        inner = {inner: {}} if inner in ("lora", "qlora") else {inner: True}
    if not isinstance(inner, dict | list):
        inner = {}
    here[part] = inner
    return inner


def _advise(advice: Mapping[str, Advice], data: dict[str, Any]) -> dict[str, str]:
    """Put advice where nothing was said, and return its reasons by key."""
    used: dict[str, str] = {}
    for dotted, advised in advice.items():
        *sections, name = dotted.split(".")
        here: Any = data
        for section in sections:
            of_another = section in ("lora", "qlora") and isinstance(here, dict) and here and section not in here
            here = None if of_another else _step_into(here, section)
        if isinstance(here, dict) and name not in here:
            here[name] = copy.deepcopy(advised.value)
            used[dotted] = f"advice: {advised.reason}"
    return used


def _leaves(data: Any, path: str = "") -> list[str]:
    """Dotted paths of all values that are neither sections nor lists of sections."""
    if isinstance(data, dict) and (data or not path):
        return [leaf for key, value in data.items() for leaf in _leaves(value, f"{path}.{key}" if path else str(key))]
    if isinstance(data, list) and path == STAGES:
        named = [
            (str(stage.get("name", n)) if isinstance(stage, dict) else str(n), stage) for n, stage in enumerate(data)
        ]
        return [leaf for name, stage in named for leaf in _leaves(stage, f"{path}.{name}")]
    if isinstance(data, list) and path.rpartition(".")[2] == "shelf":
        return [leaf for index, item in enumerate(data) for leaf in _leaves(item, f"{path}.{index}")]
    return [path]


def _origin(key: str, layers: list[Mapping[str, str]]) -> str:
    """The origin of `key` in the first layer that gives it, something it is a part of, or a name in its mapping."""
    for layer in layers:
        found = _nearest_above(key, layer) or next((layer[k] for k in layer if k.startswith(f"{key}.")), None)
        if found is not None:
            return found
    stage = key.split(".", 2)
    return _origin(f"train.{stage[2]}", layers) if stage[0] == STAGES and len(stage) == 3 else DEFAULT


def _without_reserved(data: dict[str, Any], path: str) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in data.items():
        here = f"{path}.{name}" if path else name
        key = field_of(here)
        if key is not None and key.reserved:
            continue
        if isinstance(value, dict) and name != "where":
            value = _without_reserved(value, here)
        elif name in ("shelf", STAGES) and isinstance(value, list):
            value = [_without_reserved(item, f"{here}.{index}") for index, item in enumerate(value)]
        kept[name] = value
    return kept
