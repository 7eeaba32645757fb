"""Flags that several verbs share, and flags made from the recipe's schema, so that no setting is declared twice."""

from __future__ import annotations

import functools
import inspect
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any

import typer

from quire.recipe.load import parse_setting
from quire.recipe.schema import Recipe
from quire.recipe.setting import Settings, not_yet

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


def with_settings(name: str, section: type[Settings], leave_out: tuple[str, ...] = ()) -> Callable[..., Any]:
    """Give a command one flag for every key of a section: `--top-p` stands for `--set write.top_p=…`.

    The command takes the flags that were given as its parameter `flags`: a mapping such as `--set` gives.
    """
    keys = {
        f"{name}_{key}": key
        for key, field in section.model_fields.items()
        if key not in leave_out and not_yet(field) is not True
    }

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def with_flags(**given: Any) -> None:
            flags = {f"{name}.{key}": given.pop(parameter) for parameter, key in keys.items()}
            command(**given, flags={key: value for key, value in flags.items() if value not in (None, [])})

        shown = [p for p in _parameters(command) if p.name != "flags"]
        made = [_parameter(parameter, section, key) for parameter, key in keys.items()]
        with_flags.__dict__["__signature__"] = inspect.Signature([*shown, *made])
        with_flags.__annotations__ = {p.name: p.annotation for p in (*shown, *made)}
        return with_flags

    return decorate


def _parameters(command: Callable[..., None]) -> list[inspect.Parameter]:
    """Those of a command, all by keyword, with their annotations as objects and not as text."""
    signature = inspect.signature(command, eval_str=True)
    return [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in signature.parameters.values()]


def _parameter(parameter: str, section: type[Settings], key: str) -> inspect.Parameter:
    """One flag.  Its value stays text: the recipe reads it, as it reads the value of `--set`."""
    annotation = section.model_fields[key].annotation
    many = typing.get_origin(annotation) is list
    option = typer.Option(
        f"--{key.replace('_', '-')}", metavar=_metavar(annotation), help=help_of(section, key), show_default=False
    )
    kind = list[str] if many else str | None
    default: Any = [] if many else None
    return inspect.Parameter(
        parameter, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=Annotated[kind, option]
    )


def _metavar(annotation: Any) -> str:
    """`int` → `N`, `float` → `X`, anything else `TEXT`."""
    if isinstance(annotation, types.UnionType):
        annotation = next(kind for kind in typing.get_args(annotation) if kind is not types.NoneType)
    return {int: "N", float: "X"}.get(annotation, "TEXT")
