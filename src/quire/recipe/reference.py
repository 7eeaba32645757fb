"""docs/settings.md, written from the schema: `python -m quire.recipe.reference > docs/settings.md`."""

from __future__ import annotations

import sys
from typing import Any, Literal, get_args, get_origin

import annotated_types
from pydantic_core import PydanticUndefined

from quire.recipe.keys import Key, sections_of, walk
from quire.recipe.setting import Settings, not_yet
from quire.recipe.yaml_text import dump_yaml
from quire.units import Warmup, show_share, show_warmup

_INTRODUCTION = """# Settings

Every key of a recipe, with its default.  The same keys work on the command line, as in
`--set train.learning_rate=1e-4`.  What a recipe does not say keeps its default; `quire plan SOURCE --explain` shows
every value and where it came from.

This page is written from the schema by `python -m quire.recipe.reference > docs/settings.md`.
"""


def render() -> str:
    """The whole page."""
    groups: dict[str, list[Key]] = {}
    for key in walk():
        groups.setdefault(".".join(key.path[:-1]), []).append(key)
    parts = [_INTRODUCTION]
    for section, keys in groups.items():
        about = (keys[0].section.__doc__ or "").strip().split("\n\n")[0]
        parts.append(
            f"\n## {section or 'The recipe itself'}\n\n{about}\n\n" + _table([k for k in keys if not k.reserved])
        )
        planned = [f"`{key.name}` ({key.help.rstrip('.')})" for key in keys if key.reserved]
        if planned:
            parts.append(f"\nNot yet: {', '.join(planned)}.\n")
    return "".join(parts)


def _table(keys: list[Key]) -> str:
    lines = ["| key | default | values | what it does |\n", "|---|---|---|---|\n"]
    for key in keys:
        about = key.help + _reserved_values(key)
        lines.append(f"| `{key.name}` | {_default(key)} | {_values(key)} | {about.replace('|', '/')} |\n")
    return "".join(lines)


def _default(key: Key) -> str:
    value = key.field.default
    if value is PydanticUndefined:
        return "needed"
    if isinstance(value, Settings):
        return "see below"
    if value is None or value in ((), [], {}, ""):
        return "–"
    if isinstance(value, Warmup):
        return f"`{show_warmup(value)}`"
    if _is_share(key):
        return f"`{show_share(value)}`"
    if isinstance(value, list):
        return f"`[{', '.join(map(str, value))}]`"
    return f"`{dump_yaml(value).removesuffix(chr(10)).removesuffix('...').strip()}`"


def _is_share(key: Key) -> bool:
    return key.unit.startswith("share")


def _values(key: Key) -> str:
    limits = [limit for part in key.field.metadata for limit in _limits(part)]
    words = [*_words(key.field.annotation), *limits] + ([key.unit] if key.unit else [])
    return ", ".join(dict.fromkeys(words)) or "text"


def _limits(part: Any) -> list[str]:
    """A limit in signs; nothing for what is none."""
    match part:
        case annotated_types.Gt(gt=bound):
            return [f"> {bound}"]
        case annotated_types.Ge(ge=bound):
            return [f"≥ {bound}"]
        case annotated_types.Lt(lt=bound):
            return [f"< {bound}"]
        case annotated_types.Le(le=bound):
            return [f"≤ {bound}"]
    return []


def _words(annotation: Any) -> list[str]:
    """A type in words."""
    plain = {int: "whole number", float: "number", bool: "true or false", str: "text", Warmup: "10% or steps"}
    if annotation in plain:
        return [plain[annotation]]
    if get_origin(annotation) is Literal:
        return [f"`{value}`" for value in get_args(annotation)]
    if get_origin(annotation) in (list, tuple) or sections_of(annotation) == [annotation]:
        return ["list" if get_origin(annotation) in (list, tuple) else "section"]
    if get_origin(annotation) is dict:
        return ["column: value"]
    return [word for inner in get_args(annotation) for word in _words(inner)]


def _reserved_values(key: Key) -> str:
    reserved = not_yet(key.field)
    return f" (not yet: {', '.join(reserved)})" if isinstance(reserved, list) and reserved else ""


if __name__ == "__main__":
    sys.stdout.write(render())
