"""The keys of a recipe, walked: by the schema (what there is) and by a recipe (what it says)."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo

from quire.recipe.schema import Recipe, Stage
from quire.recipe.setting import Settings, not_yet

STAGES = "stages"

# What other trainers call the same thing.
_ELSEWHERE = {
    "batch_size": "batch",
    "data": "shelf",
    "dataset": "shelf",
    "gradient_accumulation_steps": "accumulate",
    "gradient_checkpointing": "checkpointing",
    "lora_alpha": "alpha",
    "lora_dropout": "dropout",
    "lora_r": "rank",
    "lr": "learning_rate",
    "lr_scheduler_type": "schedule",
    "max_grad_norm": "clip",
    "max_length": "window",
    "max_seq_length": "window",
    "max_steps": "steps",
    "model": "base",
    "num_train_epochs": "epochs",
    "per_device_train_batch_size": "batch",
    "r": "rank",
    "target_modules": "targets",
    "warmup_ratio": "warmup",
    "warmup_steps": "warmup",
}


@dataclass(frozen=True)
class Key:
    """A key of the schema.  `path` has `[]` for the items of a list: `("shelf[]", "path")`."""

    path: tuple[str, ...]
    field: FieldInfo
    section: type[Settings]

    @property
    def dotted(self) -> str:
        return ".".join(self.path)

    @property
    def name(self) -> str:
        return self.path[-1]

    @property
    def reserved(self) -> bool:
        return not_yet(self.field) is True

    @property
    def free(self) -> bool:
        """Whether its value is a mapping whose names are the user's own."""
        return get_origin(self.field.annotation) is dict

    @property
    def help(self) -> str:
        return self.field.description or ""

    @property
    def unit(self) -> str:
        extra = self.field.json_schema_extra
        return str(extra.get("unit", "")) if isinstance(extra, dict) else ""


def sections_of(annotation: Any) -> list[type[Settings]]:
    """The sections that a field's type can hold."""
    if isinstance(annotation, type) and issubclass(annotation, Settings):
        return [annotation]
    return [section for inner in get_args(annotation) for section in sections_of(inner)]


def walk(section: type[Settings] = Recipe, path: tuple[str, ...] = ()) -> Iterator[Key]:
    """Every key of the schema, sections before what is in them."""
    for name, field in section.model_fields.items():
        in_list = get_origin(field.annotation) is tuple
        here = (*path, field.alias or name)
        yield Key(here, field, section)
        for inner in sections_of(field.annotation):
            yield from walk(inner, (*path, f"{field.alias or name}[]") if in_list else here)


def flatten(section: Settings, path: tuple[str, ...] = ()) -> dict[str, Any]:
    """What a recipe says, by dotted key; values as a recipe would write them; reserved keys left out."""
    written = section.model_dump(mode="json", by_alias=True)
    flat: dict[str, Any] = {}
    for name, value in section:
        field = type(section).model_fields[name]
        if not_yet(field) is True:
            continue
        here = (*path, field.alias or name)
        if isinstance(value, Settings):
            flat |= flatten(value, here)
        elif isinstance(value, tuple):
            for index, item in enumerate(value):
                flat |= flatten(item, (*here, item.name if isinstance(item, Stage) else str(index)))
        else:
            flat[".".join(here)] = written.get(name, value) if isinstance(written, dict) else value
    return flat


def field_of(dotted: str) -> Key | None:
    """The schema's key of a recipe's dotted key (`shelf.0.path` → `shelf[].path`).

    A name in a free mapping has the mapping's key (`shelf.0.where.age` → `shelf[].where`).  A stage has a name
    instead of a number (`stages.imprint.epochs` → `stages[].epochs`).
    """
    parts: list[str] = []
    for part in dotted.split("."):
        above = _by_name().get(".".join(parts))
        if above is not None and above.free:
            return above
        if parts and (part.isdigit() or parts == [STAGES]):
            parts[-1] += "[]"
        else:
            parts.append(part)
    return _by_name().get(".".join(parts))


def steps_to(dotted: str) -> list[str]:
    """The way to a key's value in a recipe's data.  A name in a free mapping may hold dots itself."""
    parts = dotted.split(".")
    for length in range(1, len(parts)):
        key = field_of(".".join(parts[:length]))
        if key is not None and key.free:
            return [*parts[:length], ".".join(parts[length:])]
    return parts


@cache
def _by_name() -> dict[str, Key]:
    return {key.dotted: key for key in walk()}


def by_names(path: tuple[str | int, ...], data: Any) -> tuple[str | int, ...]:
    """A place in a recipe's data with a stage's name in place of its number, where it has one."""
    if len(path) < 2 or path[0] != STAGES or not isinstance(path[1], int):
        return path
    stages = data.get(STAGES) if isinstance(data, dict) else None
    stage = stages[path[1]] if isinstance(stages, list) and path[1] < len(stages) else None
    name = stage.get("name") if isinstance(stage, dict) else None
    return (path[0], name, *path[2:]) if isinstance(name, str) else path


def nearest(path: tuple[str | int, ...]) -> str | None:
    """The known key that an unknown one was most likely meant to be, as its full dotted path."""
    *parents, last = [str(part) for part in path]
    wanted = _ELSEWHERE.get(last, last)
    known = [(key.path, ".".join(_with_index(key.path, parents))) for key in walk() if not key.reserved]
    siblings = [(keys[-1], dotted) for keys, dotted in known if dotted.rpartition(".")[0] == ".".join(parents)]
    anywhere = [(keys[-1], dotted) for keys, dotted in known]
    for candidates in (siblings, anywhere):
        near = difflib.get_close_matches(wanted, [name for name, _ in candidates], n=5, cutoff=0.7)
        if near:
            # Letters in another order are the commonest slip, which difflib counts no better than a wrong letter.
            best = next((name for name in near if sorted(name) == sorted(wanted)), near[0])
            return next(dotted for name, dotted in candidates if name == best)
    return None


def _with_index(path: tuple[str, ...], parents: list[str]) -> list[str]:
    """`shelf[] path` as written at the same list item as `parents`: `shelf 0 path`."""
    parts: list[str] = []
    for part in path:
        if part.endswith("[]"):
            at = len(parts) + 1
            same = parents[: at - 1] == parts and len(parents) > at and parents[at - 1] == part.removesuffix("[]")
            parts += [part.removesuffix("[]"), parents[at] if same else "0"]
        else:
            parts.append(part)
    return parts
