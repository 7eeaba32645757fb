from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kernelchecks import numbers, shows_in_its_row_alone, threads_leave_no_trace
from quire.model.kernels import whole_numbers
from quire.model.kernels.native import native, why_not
from quire.model.kernels.whole_numbers import Rounded, product, product_back, quantise_rows, rounded

FOUND = native()
needs_native = pytest.mark.skipif(FOUND is None or not FOUND.bytes_too, reason=f"not here: {why_not()}")
WAYS = [pytest.param("native", marks=needs_native), "plain"]
# rows, inputs, outputs: one row, tiles of 6 and what is left over, panels of 64, steps of 4 and 64
SHAPES = [(1, 64, 32), (1, 3, 1), (12, 64, 64), (13, 65, 33), (7, 130, 31), (25, 200, 97), (40, 576, 192)]
LONG = [(390, 17_000, 5), (390, 5, 17_000), (8, 8193, 130)]  # sums in blocks; several parts of the rows


def weights(outputs: int, inputs: int) -> tuple[Tensor, Tensor]:
    codes = torch.randint(-127, 128, (outputs, inputs), generator=torch.Generator().manual_seed(5), dtype=torch.int8)
    return codes, torch.rand(outputs, generator=torch.Generator().manual_seed(6)) / 100 + 1e-4


def choose(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways also on processors where torch's own is the faster one."""
    monkeypatch.setattr(whole_numbers, "_library", lambda x: FOUND if way == "native" else None)


def without_native(x: Tensor, by: Tensor | None = None) -> Rounded:
    codes, scale = quantise_rows(x if by is None else x * by)
    return Rounded(codes, scale[:, 0], None, x.shape[1], x.dtype)


def exactly(x: Rounded) -> Tensor:
    """What the codes stand for, in float64."""
    return x.codes[:, : x.columns].double() * x.scale[:, None].double()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_products_are_exact_but_for_one_rounding(
    shape: tuple[int, int, int], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(way, monkeypatch)
    rows, inputs, outputs = shape
    codes, scale = weights(outputs, inputs)
    bias = numbers(outputs, seed=4)
    x = rounded(numbers(rows, inputs))
    expected = exactly(x) @ (codes.double() * scale[:, None].double()).t() + bias.double()
    found = product(x, codes, scale, bias)
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), expected, rtol=2**-8, atol=1e-6)
    back = rounded(numbers(rows, outputs, seed=3), scale)
    torch.testing.assert_close(product_back(back, codes).double(), exactly(back) @ codes.double(), rtol=2**-8, atol=0)


@needs_native
@pytest.mark.parametrize("shape", [*SHAPES, *LONG], ids=str)
def test_native_and_plain_agree_to_the_last_bit(shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    choose("native", monkeypatch)
    rows, inputs, outputs = shape
    codes, scale = weights(outputs, inputs)
    x, gradient, bias = numbers(rows, inputs), numbers(rows, outputs, seed=3), numbers(outputs, seed=4)
    assert torch.equal(product(rounded(x), codes, scale), product(without_native(x), codes, scale))
    assert torch.equal(product(rounded(x), codes, scale, bias), product(without_native(x), codes, scale, bias))
    found, expected = rounded(gradient, scale), without_native(gradient, scale)
    assert torch.equal(product_back(found, codes), product_back(expected, codes))


@needs_native
@settings(deadline=None, max_examples=40)
@given(
    rows=st.integers(1, 5),
    columns=st.integers(1, 150),
    exponent=st.integers(-120, 120),
    levels=st.integers(1, 300),
    seed=st.integers(0, 1000),
)
def test_codes_are_those_of_the_definition(rows: int, columns: int, exponent: int, levels: int, seed: int) -> None:
    """Few levels make many numbers that lie half-way between two whole ones."""
    drawn = torch.randint(-levels, levels + 1, (rows, columns), generator=torch.Generator().manual_seed(seed))
    x = (drawn.double() * 2.0**exponent).bfloat16()
    by = torch.rand(columns, generator=torch.Generator().manual_seed(seed + 1))
    assert FOUND is not None
    with pytest.MonkeyPatch.context() as patch:
        choose("native", patch)
        for factor in (None, by):
            found, expected = rounded(x, factor), without_native(x, factor)
            assert torch.equal(found.codes[:, :columns], expected.codes)
            assert torch.equal(found.scale, expected.scale)
            assert found.sums is not None
            assert torch.equal(found.sums, expected.codes.sum(1, dtype=torch.int32))
            assert not found.codes[:, columns:].any()


@pytest.mark.parametrize("way", WAYS)
def test_the_largest_sums_are_exact(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where bytes raised by 128 overflow what they are summed in, on the way."""
    choose(way, monkeypatch)
    inputs = 130_000
    codes = torch.full((2, inputs), 127, dtype=torch.int8)
    codes[1] = -127
    found = product(rounded(torch.ones(1, inputs).bfloat16()), codes, torch.ones(2))
    torch.testing.assert_close(found.float(), 127.0 * inputs * torch.tensor([[1.0, -1.0]]), rtol=2**-8, atol=0)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("at", [0, 17, 69])
def test_what_is_not_finite_shows_in_its_row_alone(
    wrong: float, at: int, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(way, monkeypatch)
    codes, scale = weights(40, 70)
    x, gradient = numbers(14, 70), numbers(14, 40)
    x[3, at], gradient[3, at % 40] = wrong, wrong
    for found in (product(rounded(x), codes, scale), product_back(rounded(gradient, scale), codes)):
        shows_in_its_row_alone(found, 3)


@pytest.mark.parametrize("way", WAYS)
def test_zeros_and_no_rows_at_all(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(way, monkeypatch)
    codes, scale = weights(40, 70)
    assert not product(rounded(torch.zeros(2, 70).bfloat16()), codes, scale).any()
    assert product(rounded(torch.zeros(0, 70).bfloat16()), codes, scale).shape == (0, 40)


@needs_native
@pytest.mark.parametrize("shape", [(50, 130, 200), (250, 200, 70), (101, 5000, 150)], ids=str)
def test_the_number_of_threads_changes_nothing(shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    choose("native", monkeypatch)
    rows, inputs, outputs = shape
    codes, scale = weights(outputs, inputs)
    x, gradient = numbers(rows, inputs), numbers(rows, outputs)
    threads_leave_no_trace(lambda: (product(rounded(x), codes, scale), product_back(rounded(gradient, scale), codes)))


@pytest.mark.parametrize("way", WAYS)
def test_views_and_rows_of_rows_are_taken_as_they_are(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(way, monkeypatch)
    codes, scale = weights(40, 70)
    x = numbers(70, 6).t()
    assert torch.equal(product(rounded(x), codes, scale), product(rounded(x.contiguous()), codes, scale))


def test_other_formats_go_the_plain_way() -> None:
    codes, scale = weights(40, 70)
    for dtype in (torch.float32, torch.float64):
        x = rounded(numbers(6, 70).to(dtype))
        assert x.sums is None
        assert product(x, codes, scale).dtype == dtype
