"""How a setting is declared: its type, its default, its help, and, for now, whether it can be used at all.

A key whose work has not been built yet stands in the schema all the same, so that its name is taken and a recipe that
uses it is refused with "not yet" instead of being half obeyed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.fields import FieldInfo
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

NOT_YET = "not_yet"


def setting(default: Any, help: str, unit: str = "", not_yet: tuple[str, ...] = (), **limits: float) -> Any:
    """Declare a key; `not_yet` lists values that are taken but not built; `limits` are pydantic's `gt`, `ge`, `lt`, `le`."""
    extra: dict[str, Any] = {"unit": unit, NOT_YET: list(not_yet)}
    return Field(default=default, description=help, json_schema_extra=extra, **limits)  # type: ignore[call-overload]


def later(help: str) -> Any:
    """Declare a key that is reserved and refused."""
    return Field(default=None, description=help, json_schema_extra={"unit": "", NOT_YET: True})


def not_yet(field: FieldInfo) -> bool | list[str]:
    """True for a reserved key, otherwise the reserved values of a key that works."""
    extra = field.json_schema_extra
    if not isinstance(extra, dict):
        return []
    reserved = extra.get(NOT_YET, [])
    assert isinstance(reserved, bool | list)
    return reserved if isinstance(reserved, bool) else [str(value) for value in reserved]


class Settings(BaseModel):
    """A section of the recipe: frozen, closed to unknown keys, and refusing what is not built yet."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def refuse_what_is_not_built(cls, data: Any) -> Any:
        """Gathers all such keys of the section, so that they are reported together."""
        if not isinstance(data, Mapping):
            return data
        problems = []
        for name, field in cls.model_fields.items():
            key = field.alias or name
            if key not in data:
                continue
            reserved = not_yet(field)
            if reserved is True or (isinstance(reserved, list) and str(data[key]) in reserved):
                what = key if reserved is True else f"{key}: {data[key]}"
                problem = PydanticCustomError(NOT_YET, "not yet: {what} is planned but not built", {"what": what})
                problems.append(InitErrorDetails(type=problem, loc=(key,), input=data[key]))
        if problems:
            raise ValidationError.from_exception_data(cls.__name__, problems)
        return data
