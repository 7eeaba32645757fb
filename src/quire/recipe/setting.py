"""How a setting is declared: its type, its default, its help, and, for now, whether it can be used at all.

A key whose work has not been built yet stands in the schema all the same, so that its name is taken and a recipe that
uses it is refused with "not yet" instead of being half obeyed.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

NOT_YET = "not_yet"
ONE_OF = "one_of"


def setting(default: Any, help: str, unit: str = "", not_yet: tuple[str, ...] = (), **limits: float) -> Any:
    """Declare a key; `not_yet` lists values that are taken but not built; `limits` are pydantic's `gt`, `ge`, …"""
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

    model_config = ConfigDict(
        frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False, coerce_numbers_to_str=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def refuse_what_is_not_built(cls, value: Any, info: ValidationInfo) -> Any:
        """One key at a time, so that pydantic gathers these with all other problems."""
        assert info.field_name is not None
        field = cls.model_fields[info.field_name]
        reserved = not_yet(field)
        if reserved is True and value is not None:
            what = field.alias or info.field_name
        elif isinstance(reserved, list) and isinstance(value, str) and value in reserved:
            what = value
        else:
            return value
        raise PydanticCustomError(NOT_YET, "not yet: {what} is planned but not built", {"what": what})


def one_of(*names: str) -> PydanticCustomError:
    """The error of a section in which not exactly one of some keys is given."""
    return PydanticCustomError(ONE_OF, "give exactly one of {names}", {"names": ", ".join(names)})
