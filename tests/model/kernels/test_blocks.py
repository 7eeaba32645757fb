"""Blocks of memory are lent, come back, and are lent again; no two tensors ever share one."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from quire.model.kernels import blocks
from quire.model.kernels.blocks import SMALLEST, empty, empty_like, idle_bytes, release


@pytest.fixture(autouse=True)
def none_idle() -> Iterator[None]:
    gc.collect()
    release()
    yield
    release()


def test_a_block_comes_back_when_the_last_that_looks_into_it_is_gone() -> None:
    x = empty((512, 1024), torch.float32)
    place, view = x.data_ptr(), x[3:].view(torch.int32)
    del x
    assert idle_bytes() == 0, "a view still looks"
    del view
    assert idle_bytes() == 512 * 1024 * 4
    assert empty((512, 1024), torch.float32).data_ptr() == place


def test_what_autograd_keeps_is_not_lent_again() -> None:
    x = empty((1024, 1024), torch.float32).fill_(2.0)
    weight = torch.ones((), requires_grad=True)
    y = (x * weight).sum()
    del x
    other = empty((1024, 1024), torch.float32).fill_(7.0)
    y.backward()
    assert weight.grad == 2.0 * 1024 * 1024
    assert other.mean() == 7.0


def test_small_tensors_come_from_the_heap() -> None:
    empty((SMALLEST // 4 - 1,), torch.float32)
    assert idle_bytes() == 0


def test_format_and_shape_are_those_asked_for() -> None:
    x = empty((3, 1000, 999), torch.bfloat16)
    assert (x.shape, x.dtype, x.is_contiguous()) == ((3, 1000, 999), torch.bfloat16, True)
    assert empty_like(x.transpose(0, 1)).is_contiguous()
    assert empty_like(x).data_ptr() % 16 == 0


def test_rows_of_nearly_one_length_share_a_block() -> None:
    first = empty((1000, 4096), torch.bfloat16)
    place = first.data_ptr()
    del first
    assert empty((1010, 4096), torch.bfloat16).data_ptr() == place


def test_a_shorter_row_borrows_the_blocks_of_a_long_one() -> None:
    long = [empty((1024, width), torch.bfloat16) for width in (2048, 5632)]
    places = {x.data_ptr() for x in long}
    del long
    held = idle_bytes()
    short = [empty((673, width), torch.bfloat16) for width in (5632, 2048)]
    assert {x.data_ptr() for x in short} == places
    del short
    assert idle_bytes() == held


def test_nothing_narrow_borrows_the_block_of_something_wide() -> None:
    wide = empty((1024, 5632), torch.bfloat16)
    del wide
    narrow = empty((1024, 2048), torch.bfloat16)
    del narrow
    assert idle_bytes() == 1024 * 2048 * 2, "a block of its own, in the place of the wide one"


def test_a_new_block_takes_the_place_of_idle_ones() -> None:
    several = [empty((2**20,), torch.float32) for _ in range(5)]
    del several
    assert idle_bytes() == 5 * 2**22
    large = empty((2**21,), torch.float32)
    assert idle_bytes() == 3 * 2**22
    del large
    release()
    assert idle_bytes() == 0


def test_what_was_lent_when_all_was_given_back_comes_back_too() -> None:
    x = empty((1024, 1024), torch.float32)
    release()
    del x
    assert idle_bytes() == 2**22


@given(st.lists(st.integers(SMALLEST // 2, 4 * SMALLEST), min_size=2, max_size=12), st.randoms(use_true_random=False))
def test_no_two_that_live_lie_in_one_place(sizes: list[int], random) -> None:
    living = []
    for size in sizes:
        if living and random.random() < 0.4:
            living.pop(random.randrange(len(living)))
        living.append(empty((size,), torch.uint8))
    places = sorted((x.data_ptr(), x.data_ptr() + x.nbytes) for x in living)
    assert all(end <= start for (_, end), (start, _) in zip(places[:-1], places[1:], strict=True))


def test_a_new_block_is_an_eighth_too_large_at_most() -> None:
    for wanted in (SMALLEST, SMALLEST + 1, 3 * SMALLEST - 1, 10**7, 2**25):
        assert wanted <= blocks._size_for(wanted) <= wanted * 9 / 8
