from __future__ import annotations

import torch

from quire.training.optimizers.halves import halve, whole


def every_kind(count: int = 200_000) -> torch.Tensor:
    """Finite float32 numbers of all sizes and signs, with the awkward ones: zeros, the smallest, ties of rounding."""
    bits = torch.randint(-(2**31), 2**31, (count,), generator=torch.Generator().manual_seed(0)).to(torch.int32)
    drawn = bits.view(torch.float32)
    awkward = torch.tensor([0.0, -0.0, 1e-45, -1e-45, 1.0, -1.0, 3.0e38, float("inf"), -float("inf")])
    ties = torch.tensor([0x3F808000, 0x3F818000, 0x3F807FFF, 0x3F808001], dtype=torch.int32).view(torch.float32)
    return torch.cat([drawn[torch.isfinite(drawn)], awkward, ties, -ties])


def test_two_halves_are_the_whole_to_the_last_bit() -> None:
    numbers = every_kind()
    upper, rest = halve(numbers)
    assert (upper.dtype, rest.dtype) == (torch.bfloat16, torch.int16)
    assert torch.equal(whole(upper, rest).view(torch.int32), numbers.view(torch.int32))


def test_the_upper_half_is_the_nearest_number_that_bf16_has() -> None:
    numbers = every_kind()
    upper, _ = halve(numbers)
    near = numbers.bfloat16()
    tied = (upper.double() - numbers.double()).abs() == (near.double() - numbers.double()).abs()
    assert bool((tied | (upper == near)).all())


def test_what_is_not_a_number_stays_so() -> None:
    upper, rest = halve(torch.tensor([float("nan"), 1.0]))
    assert torch.isnan(upper).tolist() == [True, False]
    assert torch.isnan(whole(upper, rest)).tolist() == [True, False]


def test_many_small_steps_add_up_that_bf16_alone_would_lose() -> None:
    """1 + 0.001 is 1 in bf16, whose next number is 1.0078; a hundred such steps are 1.1."""
    alone = torch.ones(3, dtype=torch.bfloat16)
    upper, rest = halve(torch.ones(3))
    for _ in range(100):
        alone += 0.001
        upper, rest = halve(whole(upper, rest) + 0.001)
    assert torch.equal(alone, torch.ones(3, dtype=torch.bfloat16))
    torch.testing.assert_close(whole(upper, rest), torch.full((3,), 1.1), rtol=1e-5, atol=0)
    torch.testing.assert_close(upper.float(), torch.full((3,), 1.1), rtol=0, atol=0.004)
