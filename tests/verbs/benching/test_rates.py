"""Rates are those of the products that a layer takes part in."""

from __future__ import annotations

from typing import get_args

import pytest
import torch

from quire.model.kernels.native import native
from quire.verbs.benching.rates import Format, Rates
from quire.verbs.benching.shapes import SHAPES

SHAPE = SHAPES["7M"].base


def test_operations_of_a_layer_both_ways() -> None:
    """q and o 256 × 256, k and v 256 × 128, three of 256 × 704: 737,280 numbers, four operations for each token."""
    assert Rates(SHAPE, 32, ("fp32",), "cpu").operations == 4 * 737_280 * 32


def test_each_round_measures_every_format_once_and_the_median_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = Rates(SHAPE, 32, ("fp32", "int8", "fp32"), "cpu")
    assert rates.formats == ("fp32", "int8")
    for seconds in (1.0, 4.0, 2.0):
        monkeypatch.setattr(rates, "_seconds", lambda _size, _name, took=seconds: took)
        rates.measure()
    assert rates.medians()["fp32"] == rates.operations / (2.0 * 7)


@pytest.mark.parametrize("name", [name for name in get_args(Format) if name != "fp16"])
def test_every_format_is_multiplied_both_ways(name: Format) -> None:
    ways = Rates(SHAPE, 32, (name,), "cpu")._ways((704, 256), name)
    assert len(ways) == (1 if name == "fp32" or native() is None else 2)
    for number, both in enumerate(ways):
        forward, backward = both()
        assert (forward.shape, backward.shape) == ((32, 704), (32, 256))
        sums = torch.int32 if number == 0 else torch.bfloat16
        assert forward.dtype == {"fp32": torch.float32, "bf16": torch.bfloat16, "int8": sums}[name]


def test_the_quicker_way_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    rates = Rates(SHAPE, 32, ("fp32",), "cpu")
    monkeypatch.setattr(rates, "_ways", lambda _size, _name: ["slow", "quick"])
    monkeypatch.setattr(rates, "_median", lambda way, _seconds: {"slow": 2.0, "quick": 0.5}[way])
    rates.measure()
    assert rates.medians()["fp32"] == rates.operations / (0.5 * 7)


def test_a_rate_is_measured() -> None:
    rates = Rates(SHAPE, 32, ("fp32",), "cpu")
    rates.measure()
    assert rates.medians()["fp32"] > 1e6
