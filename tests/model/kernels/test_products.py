from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from kernelchecks import needs_native, numbers, shows_in_its_row_alone, threads_leave_no_trace
from quire.model.kernels import products, whole_numbers
from quire.model.kernels.products import add_product, product, product_back
from quire.model.kernels.whole_numbers import dequantise, quantise_rows

WAYS = [pytest.param("native", marks=needs_native), "plain"]
# rows, inputs, outputs: one row, tiles of 6 and what is left over, panels of 64, chunks of 32 terms, blocks of 2,048
SHAPES = [
    (1, 64, 32),
    (1, 3, 1),
    (6, 64, 64),
    (13, 65, 33),
    (7, 130, 63),
    (25, 200, 97),
    (40, 576, 192),
    (12, 2049, 70),
    (9, 70, 4100),
    (1040, 33, 65),
]
# the last: more turns than one thread sums together, block by block
THREADED = [(250, 130, 200), (130, 5000, 70), (130, 70, 5000), (1100, 65, 64), (1040, 2100, 650)]


def choose(way: str, patch: pytest.MonkeyPatch) -> None:
    """Both ways also with few rows, and on processors where torch's own is the faster one."""
    patch.setattr(products, "_FEWEST", 0)
    patch.setattr(products, "has_tiles", lambda _numbers: False)
    if way == "plain":
        patch.setattr(products, "native", lambda: None)


def check(found: Tensor, expected: Tensor, terms: int, *, roundings: int = 1) -> None:
    """`expected` in float64; sums of numbers near 1 are off by what float32 leaves out."""
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.double(), expected, rtol=roundings * 2**-8, atol=1e-6 * terms)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_products_are_summed_in_float32_and_rounded(
    shape: tuple[int, int, int], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(way, monkeypatch)
    rows, inputs, outputs = shape
    x, weight, gradient = numbers(rows, inputs), numbers(outputs, inputs, seed=1), numbers(rows, outputs, seed=2)
    check(product(x, weight), x.double() @ weight.double().t(), inputs)
    check(product_back(gradient, weight), gradient.double() @ weight.double(), outputs)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_weights_in_8_bits_are_multiplied_as_the_numbers_that_they_stand_for(
    shape: tuple[int, int, int], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(way, monkeypatch)
    monkeypatch.setattr(whole_numbers, "_AT_ONCE", 4096)  # several parts where it is done with torch
    rows, inputs, outputs = shape
    x, gradient = numbers(rows, inputs), numbers(rows, outputs, seed=2)
    codes, scale = quantise_rows(numbers(outputs, inputs, seed=1))
    weight, scale = dequantise(codes, scale[:, 0], torch.bfloat16), scale[:, 0]
    bias, onto = numbers(outputs, seed=3), numbers(rows, inputs, seed=5)
    if way == "native":
        assert torch.equal(product(x, codes, bias, scale=scale), product(x, weight, bias))
        assert torch.equal(product_back(gradient, codes, onto, scale=scale), product_back(gradient, weight, onto))
    else:
        check(product(x, codes, scale=scale), x.double() @ weight.double().t(), inputs)
        found, expected = product_back(gradient, codes, scale=scale), gradient.double() @ weight.double()
        torch.testing.assert_close(found.double(), expected, rtol=2**-7, atol=2**-7 * (1 + outputs**0.5))


@needs_native
def test_codes_in_a_part_of_a_larger_matrix_are_read_where_they_lie(monkeypatch: pytest.MonkeyPatch) -> None:
    choose("native", monkeypatch)
    codes, scale = quantise_rows(numbers(70, 200, seed=1))
    part, x, gradient = codes[:, 40:173], numbers(13, 133), numbers(13, 70, seed=2)
    weight = dequantise(part, scale[:, 0], torch.bfloat16)
    assert torch.equal(product(x, part, scale=scale[:, 0]), product(x, weight))
    assert torch.equal(product_back(gradient, part, scale=scale[:, 0]), product_back(gradient, weight))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_what_is_added_is_rounded_with_the_sum(
    shape: tuple[int, int, int], way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(way, monkeypatch)
    rows, inputs, outputs = shape
    x, weight, gradient = numbers(rows, inputs), numbers(outputs, inputs, seed=1), numbers(rows, outputs, seed=2)
    bias, onto, back = numbers(outputs, seed=3), numbers(rows, outputs, seed=4), numbers(rows, inputs, seed=5)
    expected = x.double() @ weight.double().t()
    check(product(x, weight, bias), expected + bias.double(), inputs)
    check(product(x, weight, onto=onto), expected + onto.double(), inputs)
    # The plain way rounds twice; what lies between may be larger than the result.
    both, sums = product(x, weight, bias, onto), expected + bias.double() + onto.double()
    if way == "native":
        check(both, sums, inputs)
    else:
        torch.testing.assert_close(both.double(), sums, rtol=2**-7, atol=2**-8 * (1 + float(expected.abs().max())))
    check(product_back(gradient, weight, back), gradient.double() @ weight.double() + back.double(), outputs)


@pytest.mark.parametrize("way", WAYS)
def test_a_result_may_be_added_to_in_place(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(way, monkeypatch)
    x, weight, gradient = numbers(14, 70), numbers(40, 70, seed=1), numbers(14, 40, seed=2)
    onto, back = numbers(14, 40, seed=4), numbers(14, 70, seed=5)
    expected, expected_back = product(x, weight, onto=onto), product_back(gradient, weight, back)
    assert product(x, weight, onto=onto, out=onto) is onto
    assert product_back(gradient, weight, back, out=back) is back
    assert torch.equal(onto, expected)
    assert torch.equal(back, expected_back)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_product_is_added_in_float32(shape: tuple[int, int, int], way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(way, monkeypatch)
    rows, terms, outputs = shape
    tall, wide = numbers(terms, rows), numbers(terms, outputs + 3, seed=1)[:, 1 : outputs + 1]
    total = numbers(rows, outputs, seed=2).float()
    expected = total.double() + tall.t().double() @ wide.double()
    assert add_product(total, tall.t(), wide) is total
    rounding = 0 if way == "native" else 2**-8 * (1 + float(expected.abs().max()))
    torch.testing.assert_close(total.double(), expected, rtol=1e-5, atol=1e-6 * terms + rounding)


@pytest.mark.parametrize("way", WAYS)
def test_what_is_not_finite_is_added_to_its_row_and_column_alone(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(way, monkeypatch)
    x, weight, total = numbers(14, 69), numbers(69, 45, seed=1), torch.zeros(14, 45)
    x[3, 68] = float("inf")
    shows_in_its_row_alone(add_product(total, x, weight), 3)
    weight[5, 44] = float("nan")
    assert add_product(torch.zeros(14, 45), numbers(14, 69), weight).isnan().sum(0).tolist() == [0] * 44 + [14]


@pytest.mark.parametrize("way", WAYS)
def test_nothing_added_changes_nothing(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(way, monkeypatch)
    assert torch.equal(add_product(torch.ones(3, 5), numbers(3, 0), numbers(0, 5)), torch.ones(3, 5))
    assert add_product(torch.ones(0, 5), numbers(0, 4), numbers(4, 5)).shape == (0, 5)


@needs_native
@settings(deadline=None, max_examples=60)
@given(rows=st.integers(1, 20), inputs=st.integers(1, 150), outputs=st.integers(1, 150), seed=st.integers(0, 1000))
def test_whole_numbers_come_out_exactly(rows: int, inputs: int, outputs: int, seed: int) -> None:
    """Sums of ±1 and 0 are exact in float32 and, below 256, in bf16."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(-1, 2, (rows, inputs), generator=generator).bfloat16()
    weight = torch.randint(-1, 2, (outputs, inputs), generator=generator).bfloat16()
    gradient = torch.randint(-1, 2, (rows, outputs), generator=generator).bfloat16()
    with pytest.MonkeyPatch.context() as patch:
        choose("native", patch)
        assert torch.equal(product(x, weight).double(), x.double() @ weight.double().t())
        assert torch.equal(product_back(gradient, weight).double(), gradient.double() @ weight.double())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("at", [0, 17, 68])
def test_what_is_not_finite_shows_in_its_row_alone(
    wrong: float, at: int, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(way, monkeypatch)
    weight, x, gradient = numbers(45, 69, seed=1), numbers(14, 69), numbers(14, 45, seed=2)
    x[3, at], gradient[3, at % 45] = wrong, wrong
    for found in (product(x, weight), product_back(gradient, weight)):
        shows_in_its_row_alone(found, 3)


@pytest.mark.parametrize("way", WAYS)
def test_a_weight_that_is_not_finite_shows_in_its_column_alone(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(way, monkeypatch)
    weight = numbers(45, 69, seed=1)
    weight[44, 68] = float("nan")
    forward, back = product(numbers(14, 69), weight), product_back(numbers(14, 45, seed=2), weight)
    assert torch.equal(forward.isnan().sum(0), torch.tensor([0] * 44 + [14]))
    assert torch.equal(back.isnan().sum(0), torch.tensor([0] * 68 + [14]))


@pytest.mark.parametrize("way", WAYS)
def test_no_rows_no_inputs_and_no_outputs(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(way, monkeypatch)
    assert product(numbers(0, 70), numbers(40, 70)).shape == (0, 40)
    assert product(numbers(3, 70), numbers(0, 70)).shape == (3, 0)
    assert not product(numbers(3, 0), numbers(40, 0)).any()


@needs_native
@pytest.mark.parametrize("shape", THREADED, ids=str)
def test_the_number_of_threads_changes_nothing(shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    choose("native", monkeypatch)
    rows, inputs, outputs = shape
    x, weight, gradient = numbers(rows, inputs), numbers(outputs, inputs, seed=1), numbers(rows, outputs, seed=2)
    threads_leave_no_trace(lambda: (product(x, weight), product_back(gradient, weight)))
    threads_leave_no_trace(lambda: [add_product(torch.ones(rows, inputs), gradient, weight)])


@pytest.mark.parametrize("way", WAYS)
def test_views_are_taken_as_they_lie(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows further apart than they are long, and columns; nothing beside a view is written."""
    choose(way, monkeypatch)
    wide, tall, weights = numbers(14, 99), numbers(69, 14), numbers(45, 90, seed=1)
    weight, held = weights[:, 5:74], torch.zeros(16, 60).bfloat16()
    for x in (wide[:, 3:72], tall.t()):
        expected = product(x.contiguous(), weight.contiguous())
        assert torch.equal(product(x, weight), expected)
        product(x, weight, out=held[1:15, 7:52])
        assert torch.equal(held[1:15, 7:52], expected)
        assert not held[0].any()
        assert not held[15].any()
        assert not held[:, :7].any()
        assert not held[:, 52:].any()
    gradient = wide[:, 3:48]
    torch.testing.assert_close(
        product_back(gradient, weight), product_back(gradient.contiguous(), weight.contiguous()), rtol=0, atol=0
    )


def test_other_formats_go_the_plain_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(products, "_FEWEST", 0)
    for dtype in (torch.float32, torch.float64):
        x, weight = numbers(6, 70).to(dtype), numbers(40, 70, seed=1).to(dtype)
        torch.testing.assert_close(product(x, weight), x @ weight.t())
        torch.testing.assert_close(product_back(product(x, weight), weight), x @ weight.t() @ weight)
