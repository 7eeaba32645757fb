from __future__ import annotations

import pytest

from quire.judging.resample import Estimate
from quire.judging.wording import change, count, number, percent


@pytest.mark.parametrize(
    ("value", "shown"), [(1.5, "1.50"), (-0.5, "−0.50"), (0.0, "0.00"), (-0.001, "0.00"), (1234.5, "1234.50")]
)
def test_numbers_have_a_true_minus_and_zero_has_no_sign(value: float, shown: str) -> None:
    assert number(value) == shown


def test_shares_are_shown_in_percent() -> None:
    assert percent(0.0541) == "5.4 %"
    assert percent(0.0541, sign=True) == "+5.4 %"


@pytest.mark.parametrize(
    ("estimate", "shown"),
    [
        (Estimate(-0.054, -0.06, -0.048), "−5.4 %, interval −6.0 … −4.8 %"),
        (Estimate(-0.0004, -0.0005, 0.0003), "−0.04 %, interval −0.05 … +0.03 %"),
        (Estimate(0.02, None, None), "+2.0 %"),
    ],
)
def test_a_change_is_shown_with_its_interval_and_enough_digits(estimate: Estimate, shown: str) -> None:
    assert change(estimate) == shown


def test_counts_agree_with_their_noun() -> None:
    assert (count(1, "word"), count(0, "word"), count(12000, "word")) == ("1 word", "0 words", "12,000 words")
