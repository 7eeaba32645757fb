from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.units import (
    Warmup,
    parse_duration,
    parse_share,
    parse_size,
    parse_warmup,
    show_duration,
    show_share,
    show_size,
    show_warmup,
)


@pytest.mark.parametrize(("text", "share"), [("10%", 0.1), (" 2.5 % ", 0.025), ("0.3", 0.3), (0, 0.0), (1, 1.0)])
def test_share_is_read(text: object, share: float) -> None:
    assert parse_share(text) == share


@pytest.mark.parametrize("value", ["110%", "-1%", "ten", 1.5, -0.1, None, True, "nan"])
def test_what_is_no_share_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"between|expected"):
        parse_share(value)


@given(st.floats(0, 1))
def test_every_share_survives_being_written(share: float) -> None:
    assert parse_share(show_share(share)) == share


def test_simple_shares_are_written_as_percentages() -> None:
    assert [show_share(share) for share in (0.1, 0.07, 0.025, 0, 1)] == ["10%", "7%", "2.5%", "0%", "100%"]


@pytest.mark.parametrize(
    ("value", "warmup"),
    [("3%", Warmup(share=0.03)), (100, Warmup(steps=100)), ("100", Warmup(steps=100)), (0.1, Warmup(share=0.1))],
)
def test_warm_up_is_a_share_or_steps(value: object, warmup: Warmup) -> None:
    assert parse_warmup(value) == warmup
    assert parse_warmup(show_warmup(warmup)) == warmup


@pytest.mark.parametrize("value", [-1, True, "a while", "150%"])
def test_what_is_no_warm_up_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"negative|expected|between"):
        parse_warmup(value)


def test_warm_up_never_exceeds_the_steps_there_are() -> None:
    assert Warmup(steps=100).resolve(30) == 30
    assert Warmup(steps=100).resolve(300) == 100
    assert Warmup(share=0.03).resolve(200) == 6
    assert Warmup(share=0.03).resolve(5) == 0


@pytest.mark.parametrize(
    ("text", "size"), [("2 GiB", 2**31), ("512MB", 512 * 10**6), ("1.5k", None), ("10", 10), (7, 7), ("3 kib", 3072)]
)
def test_size_is_read(text: object, size: int | None) -> None:
    if size is None:
        with pytest.raises(ValueError, match="expected a size"):
            parse_size(text)
    else:
        assert parse_size(text) == size


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (3 * 2**20, "3.0 MiB"), (5e12, "4656.6 GiB")]
)
def test_size_is_shown(size: float, text: str) -> None:
    assert show_size(size) == text


@pytest.mark.parametrize(("text", "seconds"), [("45s", 45), ("90m", 5400), ("1h30m", 5400), ("45", 45), (2.5, 2.5)])
def test_duration_is_read(text: object, seconds: float) -> None:
    assert parse_duration(text) == seconds


def test_what_is_no_duration_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a time"):
        parse_duration("soon")


@pytest.mark.parametrize(("seconds", "text"), [(12, "12 s"), (200, "3 min 20 s"), (3900, "1 h 05 min"), (-1, "0 s")])
def test_duration_is_shown(seconds: float, text: str) -> None:
    assert show_duration(seconds) == text
