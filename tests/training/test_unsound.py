"""Steps whose numbers are not finite: left out, counted, and after three in a row gone back from."""

from __future__ import annotations

import copy
import math
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from quire.errors import GuardError, Stopped
from quire.training import loop
from quire.training.checkpoints import WEIGHTS, list_checkpoints, newest
from quire.training.compute import summed_loss
from quire.training.loop import Part, train_part
from quire.training.relief import Footing
from quire.training.state import TrainState
from quire.training.watch import StopWish
from toy import Told, adapted, digest, make_frame, toy_rows, toy_settings

PART = Part(0, toy_rows(), toy_rows((40,), seed=9))
SETTINGS = toy_settings(steps=12, evaluate_every=4, batch=1, accumulate=1, learning_rate=1e-3)

Bad = Callable[[int], bool]


def trained(
    base: PreTrainedModel,
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    bad: Bad,
    stop_after: int | None = None,
    see: Callable[[int, torch.nn.Module], None] = lambda step, model: None,
) -> tuple[str, Told, TrainState]:
    """Train from the newest checkpoint; the loss of every step for which `bad` holds is NaN.  After each step `see` is
    shown the model."""
    model = adapted(copy.deepcopy(base), SETTINGS)
    wish, told = StopWish(), Told()
    resume = newest(folder, pytest.fail)
    state = resume.state if resume else TrainState()

    def spoiled(*given: object) -> Tensor:
        loss = summed_loss(*given)
        return loss * math.nan if torch.is_grad_enabled() and bad(state.step + 1) else loss

    def hear(kind: str, step: int) -> None:
        if kind in ("step", "skipped"):
            see(step, model)
            if step == stop_after:
                wish.heard(signal.SIGTERM, None)

    told.hear = hear
    with monkeypatch.context() as patch:
        patch.setattr(loop, "summed_loss", spoiled)
        train_part(model, PART, make_frame(folder, SETTINGS, told, wish), Footing(1, False), state, resume)
    return digest(model), told, state


def test_a_bad_step_is_left_out_and_counted(
    tiny_model: PreTrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, told, state = trained(tiny_model, tmp_path, monkeypatch, lambda step: step in (3, 7))
    assert told.steps("skipped") == [3, 7]
    assert told.of("skipped", "in_a_row") == [1, 1]
    assert told.steps("step") == [step for step in range(1, 13) if step not in (3, 7)]
    assert (state.step, state.skipped, state.rollbacks) == (12, 2, 0)
    assert all(math.isfinite(loss) for loss in told.of("step", "loss"))
    seen = sum(told.of("step", "tokens"))
    assert state.tokens == seen, "tokens of a step that was left out are not learned"


def test_a_bad_step_leaves_the_weights_as_they_are(
    tiny_model: PreTrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights: dict[int, str] = {}
    trained(
        tiny_model,
        tmp_path,
        monkeypatch,
        lambda step: step == 5,
        see=lambda step, model: weights.update({step: digest(model)}),
    )
    assert weights[4] == weights[5] != weights[6]


def test_three_bad_steps_in_a_row_go_back_to_what_a_validation_found_sound(
    tiny_model: PreTrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, told, state = trained(tiny_model, tmp_path, monkeypatch, lambda step: step in (6, 7, 8))
    assert told.steps("skipped") == [6, 7, 8]
    assert told.of("rollback", "to_step") == [4]
    assert told.steps("rollback") == [8]
    assert (state.step, state.rollbacks, state.bad_in_a_row) == (12, 1, 0)
    assert told.steps("step")[-4:] == [9, 10, 11, 12], "the part goes on behind the rows it has seen"


def test_weights_that_are_sick_are_healed_by_going_back(
    tiny_model: PreTrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NaN in the weights themselves: every step after it is bad until the sound ones are back."""
    sick: list[int] = []

    def infect(step: int, model: torch.nn.Module) -> None:
        if step == 6 and not sick:
            sick.append(step)
            with torch.no_grad():
                next(p for p in model.parameters() if p.requires_grad).fill_(math.nan)

    _, told, state = trained(tiny_model, tmp_path, monkeypatch, lambda step: False, see=infect)
    assert told.of("rollback", "to_step") == [4]
    assert told.steps("step")[-1] == 12
    assert math.isfinite(told.of("validation", "loss")[-1])
    assert state.skipped >= 2


def test_going_back_again_and_again_ends_the_training(
    tiny_model: PreTrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(GuardError, match="going back has not helped") as caught:
        trained(tiny_model, tmp_path, monkeypatch, lambda step: step > 1)
    assert "learning_rate" in caught.value.then


def damage(folder: Path) -> None:
    """One byte of its weights is another."""
    weights = folder / WEIGHTS
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")


def test_where_the_sound_one_is_damaged_the_one_before_is_gone_back_to(
    tiny_model: PreTrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def see(step: int, model: torch.nn.Module) -> None:
        if step == 6:
            damage(tmp_path / "0000004")

    _, told, state = trained(tiny_model, tmp_path, monkeypatch, lambda step: step in (6, 7, 8), see=see)
    assert told.of("rollback", "to_step") == [0]
    [warning] = told.of("warning", "text")
    assert "0000004" in str(warning)
    assert (state.step, state.rollbacks) == (12, 1)


def test_where_none_is_whole_it_ends_with_what_to_do(
    tiny_model: PreTrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def see(step: int, model: torch.nn.Module) -> None:
        if step == 6:
            for folder in list_checkpoints(tmp_path):
                damage(folder)

    with pytest.raises(GuardError, match="no checkpoint to go back to is whole") as caught:
        trained(tiny_model, tmp_path, monkeypatch, lambda step: step in (6, 7, 8), see=see)
    assert "learning_rate" in caught.value.then


@pytest.mark.parametrize("stop_after", [2, 6, 7, 8, 9])
def test_stopped_amid_bad_steps_it_ends_with_the_same_bits(
    stop_after: int, tiny_model: PreTrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def bad(step: int) -> bool:
        return step in (2, 6, 7, 8)

    straight, told, _ = trained(tiny_model, tmp_path / "straight", monkeypatch, bad)
    with pytest.raises(Stopped):
        trained(tiny_model, tmp_path / "run", monkeypatch, bad, stop_after)
    ended, rest, state = trained(tiny_model, tmp_path / "run", monkeypatch, bad)
    assert ended == straight
    assert state.skipped == 4
    assert rest.of("step", "loss") == told.of("step", "loss")[-len(rest.steps("step")) :]


def test_the_sound_checkpoint_is_kept_as_long_as_it_may_be_needed(
    tiny_model: PreTrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    often = SETTINGS.model_copy(update={"save_every": 1, "keep": 1, "evaluate_every": 6})
    model = adapted(copy.deepcopy(tiny_model), often)
    kept: dict[int, list[int]] = {}

    def hear(kind: str, step: int) -> None:
        if kind == "step":
            kept[step] = [int(folder.name) for folder in list_checkpoints(tmp_path)]

    train_part(model, PART, make_frame(tmp_path, often, Told(hear=hear)), Footing(1, False), TrainState(), None)
    assert all(0 in kept[step] for step in range(2, 7))
    assert all(6 in kept[step] for step in range(8, 13))
