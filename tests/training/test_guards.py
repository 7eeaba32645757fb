from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from transformers import PreTrainedModel

from quire.errors import GuardError
from quire.tokens.rows import Rows, Segment
from quire.tokens.stretches import Stretch
from quire.training import guards
from toy import toy_rows, toy_settings


def test_a_frozen_model_learns_nothing(tiny_model: PreTrainedModel) -> None:
    assert guards.something_learns(tiny_model) == sum(p.numel() for p in tiny_model.parameters())
    tiny_model.requires_grad_(False)
    with pytest.raises(GuardError, match="no parameter"):
        guards.something_learns(tiny_model)


def test_every_row_must_have_a_target() -> None:
    rows = toy_rows(stride=16, overlap="context")
    guards.every_row_teaches(rows)
    read_only = tuple(replace(segment, trained_from=segment.last) for segment in rows.rows[1])
    with pytest.raises(GuardError, match="row 1 has no token to learn"):
        guards.every_row_teaches(replace(rows, rows=(rows.rows[0], read_only)))
    with pytest.raises(GuardError, match="no text to train on"):
        guards.every_row_teaches(replace(rows, rows=()))


@pytest.mark.parametrize("changes", [{}, {"pack": False}, {"stride": 8}, {"stride": 8, "overlap": "context"}])
def test_the_end_of_every_work_must_be_a_target(changes: dict[str, object]) -> None:
    rows = toy_rows(**changes)
    guards.ends_are_learned(rows)
    end = len(rows.stretches[1].ids)

    def without_end(segment: Segment) -> Segment:
        return replace(segment, last=end - 1) if (segment.stretch, segment.last) == (1, end) else segment

    cut = tuple(tuple(without_end(s) for s in row) for row in rows.rows)
    with pytest.raises(GuardError, match="the end of work 2"):
        guards.ends_are_learned(replace(rows, rows=cut))


def test_an_end_that_is_only_read_is_not_learned() -> None:
    rows = toy_rows((20,))
    (row,) = rows.rows
    read = (replace(row[0], trained_from=row[0].last),)
    with pytest.raises(GuardError, match="end of work 1"):
        guards.ends_are_learned(replace(rows, rows=(read,)))


def test_where_a_work_goes_on_elsewhere_no_end_is_asked_for() -> None:
    stretch = Stretch(np.arange(1, 20, dtype=np.int32), 0, ends_work=False)
    guards.ends_are_learned(Rows((stretch,), ((Segment(0, 1, 10, 1),),), None))


def test_something_must_be_held_out() -> None:
    guards.something_is_held_out(toy_rows((5,)))
    with pytest.raises(GuardError, match="no text is held out"):
        guards.something_is_held_out(toy_rows(()))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_a_first_step_that_is_not_finite_ends_the_training(value: float) -> None:
    guards.first_step_is_finite(value, value, 30, first=False)
    for loss, norm, what in ((value, 1.0, "loss"), (1.0, value, "gradient")):
        with pytest.raises(GuardError, match=f"the {what} is .* at step 3") as caught:
            guards.first_step_is_finite(loss, norm, 3, first=True)
        assert "learning_rate" in caught.value.then


def test_a_gradient_of_zero_is_refused() -> None:
    guards.gradient_is_alive(1e-9)
    with pytest.raises(GuardError, match="gradient of the first step is zero"):
        guards.gradient_is_alive(0.0)


def change_nothing(model: nn.Linear) -> None:
    pass


def become_nan(model: nn.Linear) -> None:
    model.bias.fill_(float("nan"))


@pytest.mark.parametrize(("act", "said"), [(change_nothing, "no weight moved"), (become_nan, "no longer finite")])
def test_the_first_step_must_move_weights_and_leave_them_finite(act: Callable[[nn.Linear], None], said: str) -> None:
    model = nn.Linear(2, 2)
    before = guards.weights_of(model)
    with torch.no_grad():
        act(model)
    with pytest.raises(GuardError, match=said):
        guards.weights_moved(before, model)
    fine = nn.Linear(2, 2)
    before = guards.weights_of(fine)
    with torch.no_grad():
        fine.weight[0, 0] += 1e-3
    guards.weights_moved(before, fine)


def test_a_voice_answers_as_it_was_trained_and_not_as_its_base() -> None:
    numbers = torch.Generator().manual_seed(0)
    base, trained = torch.randn(2, 1, 9, 50, generator=numbers)
    guards.voice_is_real(trained.clone(), trained, base, "voice")
    guards.voice_is_real(trained + 1e-3, trained, base, "voice")
    with pytest.raises(GuardError, match="does not answer as the trained model"):
        guards.voice_is_real(base, trained, base, "voice")
    with pytest.raises(GuardError, match="exactly as its base"):
        guards.voice_is_real(base.clone(), base.clone(), base, "voice")
    for bad in (float("nan"), float("inf")):
        broken = trained.clone()
        broken[0, 0, 0] = bad
        with pytest.raises(GuardError, match="NaN or infinity"):
            guards.voice_is_real(broken, broken, base, "voice")


def test_each_guard_says_what_to_do() -> None:
    with pytest.raises(GuardError) as caught:
        guards.something_is_held_out(toy_rows(()))
    assert caught.value.then
    assert caught.value.guide
    assert toy_settings().learning_rate > 0
