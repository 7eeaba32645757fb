"""How findings are shown; what they are is tested with the judges."""

from __future__ import annotations

import pytest
from rich.console import Console

from quire.cli.judge import show_findings, shown
from quire.run.finding import Compared, Finding


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "", "–"),
        (12.0, "words", "12"),
        (1.51789, "nats", "1.518"),
        (0.0004321, "", "0.0004321"),
        (48231.0, "", "48,231"),
        (0.0321, "share", "3.2%"),
    ],
)
def test_values_have_as_many_digits_as_tell_something(value: float | None, unit: str, text: str) -> None:
    assert shown(value, unit) == text


def test_a_finding_is_a_row_with_interval_and_comparison(capsys: pytest.CaptureFixture[str]) -> None:
    finding = Finding("loss", "bits per byte", 1.5, "", 1.4, 1.6, (Compared("base", 1.9),))
    show_findings((finding, Finding("copying", "longest span", 7, "words")), Console(width=120))
    page = capsys.readouterr().out
    assert "1.4 … 1.6" in page
    assert "base 1.9" in page
    assert "7 words" in page
