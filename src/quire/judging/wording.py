"""Numbers and counts as they stand in sentences."""

from __future__ import annotations

from quire.judging.resample import Estimate

MINUS = "−"


def number(value: float, digits: int = 2, sign: bool = False) -> str:
    """1.5 → `1.50`; -0.5 → `−0.50`; with `sign`, also `+0.50`.  Zero has no sign."""
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0:
        return text
    return (MINUS if value < 0 else "+" if sign else "") + text


def percent(share: float, digits: int = 1, sign: bool = False) -> str:
    """0.054 → `5.4 %`."""
    return number(share * 100, digits, sign) + " %"


def change(estimate: Estimate) -> str:
    """A relative change with its interval: `−5.4 %, interval −6.0 … −4.8 %`; small ones with more digits."""
    digits = next((digits for digits in (1, 2) if abs(estimate.value) * 100 >= 10**-digits), 3)
    shown = percent(estimate.value, digits, sign=True)
    if estimate.low is None or estimate.high is None:
        return shown
    return f"{shown}, interval {number(estimate.low * 100, digits, True)} … {percent(estimate.high, digits, sign=True)}"


def count(amount: int, one: str, many: str = "") -> str:
    """`1 word`, `2 words`, `12,000 words`."""
    return f"{amount:,} {one if amount == 1 else many or one + 's'}"
