from __future__ import annotations

import pytest
import torch
from torch import Tensor

from quire.training.optimizers.blockwise import BLOCK, compress, dynamic_values, expand


def numbers(count: int, seed: int = 0) -> Tensor:
    """Of many sizes, as gradients are."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(count, generator=generator) * 10 ** (-3 * torch.rand(count, generator=generator))


@pytest.mark.parametrize("signed", [True, False])
def test_the_values_are_those_of_the_paper_s_dynamic_tree(signed: bool) -> None:
    """bitsandbytes is the authors' own; without it, by hand: 2^i (signed) or 2^(i+1) middles in the decade 10^(i-6)."""
    values = dynamic_values(signed)
    assert len(values) == len(set(values)) == 256
    assert values[-1] == 1.0
    assert 0.0 in values
    below_one = [v for v in values if 0.1 < v < 1]
    assert len(below_one) == (64 if signed else 128)
    assert below_one[0] == pytest.approx(0.1 + 0.45 / len(below_one))
    assert min(v for v in values if v > 0) == pytest.approx(0.55e-6 if signed else 0.325e-6)
    theirs = pytest.importorskip("bitsandbytes").functional.create_dynamic_map(signed)
    torch.testing.assert_close(torch.tensor(values), theirs, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("signed", [True, False])
def test_every_number_becomes_the_nearest_value_of_its_block(signed: bool) -> None:
    given = numbers(3 * BLOCK + 17)
    given = given if signed else given.abs()
    codes, scales = compress(given, signed)
    assert (codes.dtype, len(codes), len(scales)) == (torch.uint8, len(given), 4)
    values = torch.tensor(dynamic_values(signed))
    found = expand(codes, scales, signed)
    for start in range(0, len(given), BLOCK):
        block = given[start : start + BLOCK]
        scale = block.abs().max()
        nearest = values[(block[:, None] / scale - values).abs().argmin(dim=1)] * scale
        wrong = (found[start : start + BLOCK] - block).abs() - (nearest - block).abs()
        assert float(wrong.max()) <= 1e-7 * float(scale)
    error = (found - given).norm() / given.norm()
    assert float(error) < (0.01 if signed else 0.005)


def test_a_block_is_not_spoiled_by_an_outlier_in_another() -> None:
    given = numbers(2 * BLOCK)
    alone, _ = compress(given[:BLOCK], True)
    given[BLOCK + 5] = 1e6
    beside, _ = compress(given, True)
    assert torch.equal(beside[:BLOCK], alone)


@pytest.mark.parametrize("signed", [True, False])
def test_what_was_compressed_once_is_compressed_again_to_the_same(signed: bool) -> None:
    """A resumed run goes on from codes: they must not drift."""
    given = numbers(BLOCK) if signed else numbers(BLOCK).abs()
    codes, scales = compress(given, signed)
    again, same = compress(expand(codes, scales, signed), signed)
    assert torch.equal(again, codes)
    assert torch.equal(same, scales)


def test_zeros_stay_zeros_and_small_numbers_are_never_divided_by_as_zero() -> None:
    nothing = torch.zeros(BLOCK)
    for signed in (True, False):
        assert torch.equal(expand(*compress(nothing, signed), signed), nothing)
    roots = torch.full((BLOCK,), 1e-12)
    roots[0] = 1.0
    assert float(expand(*compress(roots, False), False).min()) > 0
