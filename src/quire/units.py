"""Values that carry a unit, as people write them: `10%`, `2 GiB`, `90m`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer

_SIZES = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_SIZES |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def parse_share(value: object) -> float:
    """`"10%"` or `0.1` → 0.1.  Raises ValueError outside 0 … 1."""
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%\s*", value)
        share = float(match[1]) / 100 if match else _number(value, "a share such as 10% or 0.1")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        share = float(value)
    else:
        raise ValueError("expected a share such as 10% or 0.1")
    if not 0 <= share <= 1:
        raise ValueError(f"{value} is not between 0% and 100%")
    return share


def show_share(share: float) -> str:
    """0.1 → `"10%"`; a share that no short percentage gives back exactly is written as a number."""
    text = f"{share * 100:.10g}%"
    return text if "e" not in text and parse_share(text) == share else repr(share)


Share = Annotated[float, BeforeValidator(parse_share), PlainSerializer(show_share, return_type=str)]


@dataclass(frozen=True)
class Warmup:
    """How many optimiser steps the learning rate climbs: a share of all steps, or a number of steps."""

    share: float | None = None
    steps: int | None = None

    def resolve(self, total_steps: int) -> int:
        """Steps of warm-up in a schedule of `total_steps`: never more than it has."""
        wanted = self.steps if self.steps is not None else round((self.share or 0.0) * total_steps)
        return min(wanted, total_steps)


def parse_warmup(value: object) -> Warmup:
    """`"3%"` and fractions below 1 are shares; whole numbers are steps."""
    if isinstance(value, Warmup):
        return value
    if isinstance(value, bool):
        raise ValueError("expected a share such as 3%, or a number of steps")
    if isinstance(value, int):
        if value < 0:
            raise ValueError("warm-up cannot be negative")
        return Warmup(steps=value)
    if isinstance(value, str) and value.strip().isdigit():
        return Warmup(steps=int(value))
    return Warmup(share=parse_share(value))


def show_warmup(warmup: Warmup) -> str | int:
    return warmup.steps if warmup.steps is not None else show_share(warmup.share or 0.0)


WarmupSetting = Annotated[Warmup, BeforeValidator(parse_warmup), PlainSerializer(show_warmup, return_type=str | int)]


def parse_size(value: object) -> int:
    """`"2 GiB"` → bytes."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?i?B?)\s*", str(value), re.IGNORECASE)
    if not match or match[2].upper() not in _SIZES:
        raise ValueError("expected a size such as 512 MB or 2 GiB")
    return round(float(match[1]) * _SIZES[match[2].upper()])


def show_size(size: float) -> str:
    """Bytes → `"1.9 GiB"`."""
    for unit in ("B", "KiB", "MiB"):
        if abs(size) < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} GiB"


def parse_duration(value: object) -> float:
    """`"90m"`, `"1h30m"`, `"45"` → seconds."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    text = str(value).strip().lower()
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not re.fullmatch(r"(\d+(\.\d+)?[smhd]\s*)+", text):
        raise ValueError("expected a time such as 45s, 90m or 1h30m")
    return sum(float(n) * _SECONDS[unit] for n, unit in re.findall(r"(\d+(?:\.\d+)?)([smhd])", text))


def show_duration(seconds: float) -> str:
    """Seconds → `"1 h 05 min"`, `"3 min 20 s"`, `"12 s"`."""
    whole = max(0, round(seconds))
    hours, rest = divmod(whole, 3600)
    minutes, second = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {second:02d} s" if minutes else f"{second} s"


def _number(value: str, expected: str) -> float:
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"expected {expected}") from None
