"""Flags that several verbs share, and flags whose help comes from the recipe's schema, the only place that tells it."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from quire.recipe.load import parse_setting
from quire.recipe.schema import Recipe
from quire.recipe.setting import Settings

AsJson = Annotated[bool, typer.Option("--json", help="Print the facts as JSON.")]


def set_flag(help: str) -> Any:
    """`--set`, with what may be set by it."""
    return typer.Option("--set", metavar="KEY=VALUE", help=help)


Set = Annotated[list[str], set_flag("Any key of the recipe: --set train.window=512.")]
SetWrite = Annotated[list[str], set_flag("Any key of the recipe under write: --set write.top_k=50.")]
SetJudge = Annotated[list[str], set_flag("Any key of the recipe under judge or write: --set 'judge.questions=[loss]'.")]


def parse_set(pairs: list[str]) -> dict[str, object]:
    """`["train.epochs=1"]` → `{"train.epochs": 1}`, values as YAML reads them.  May raise RecipeError."""
    return dict(parse_setting(pair) for pair in pairs)


def help_of(section: type[Settings], key: str) -> str:
    """What the schema says of a key, with its unit and its default."""
    field = section.model_fields[key]
    extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
    unit = f" ({extra['unit']})" if extra.get("unit") else ""
    plain = field.default is not None and isinstance(field.default, str | int | float) and field.default != ""
    default = f" Default: {field.default}." if plain else ""
    return f"{field.description}{unit}{default}"


def base_flag() -> Any:
    """`--base`, with the help of the recipe's `base`."""
    return typer.Option("--base", metavar="BASE", help=help_of(Recipe, "base"), show_default=False)


def key_flag(section: type[Settings], key: str) -> Any:
    """A flag for one key of a section: `--top-p` stands for `--set write.top_p=…`.

    Its value stays text: the recipe reads it, as it reads the value of `--set`.
    """
    metavar = _metavar(section.model_fields[key].annotation)
    return typer.Option(f"--{key.replace('_', '-')}", metavar=metavar, help=help_of(section, key), show_default=False)


def given(section: str, values: Mapping[str, object]) -> dict[str, object]:
    """The flags of a section that were given, as `--set` would give them."""
    return {f"{section}.{key}": value for key, value in values.items() if value not in (None, [])}


def _metavar(annotation: Any) -> str:
    """`int` → `N`, `float` → `X`, anything else `TEXT`."""
    if isinstance(annotation, types.UnionType):
        annotation = next(kind for kind in typing.get_args(annotation) if kind is not types.NoneType)
    return {int: "N", float: "X"}.get(annotation, "TEXT")
