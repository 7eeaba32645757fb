from __future__ import annotations

import copy
import errno
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from loops import PART, part_for, train
from quire.errors import DiskFull, Stopped
from quire.planner.schedule import learning_rate_at, part_steps
from quire.recipe.schema import TrainSettings
from quire.tokens.stream import order_of
from quire.training.checkpoints import list_checkpoints, newest
from quire.training.compute import batches_of, summed_loss
from quire.training.loop import Part, train_part
from quire.training.optimizers.optimizer import gradient_norm, trainable
from quire.training.relief import Footing
from quire.training.state import TrainState
from quire.training.together import shards
from quire.training.watch import StopWish
from toy import FP32, Told, adapted, digest, footing_of, make_frame, toy_rows, toy_settings


def test_rate_rows_and_steps_are_those_that_the_plan_foretells(tiny_model: PreTrainedModel, tmp_path: Path) -> None:
    settings = toy_settings(epochs=2.5, warmup=2, schedule="linear")
    _, told, state = train(tiny_model, tmp_path, settings)
    frame = make_frame(tmp_path, settings, Told())
    steps = part_steps(len(PART.rows), settings, frame.choice)
    assert told.steps("step") == list(range(1, steps + 1))
    assert told.of("step", "learning_rate") == [learning_rate_at(n, steps, settings) for n in range(steps)]
    assert state.rows == round(2.5 * len(PART.rows))
    order = [int(row) for epoch in range(3) for row in order_of(len(PART.rows), (7, 0), epoch)][: state.rows]
    taken = [sum(PART.rows.targets_in(row) for row in order[n : n + 2]) for n in range(0, len(order), 2)]
    assert told.of("step", "tokens") == taken
    assert state.tokens == sum(taken)


def test_every_event_is_on_the_disk_before_a_checkpoint_that_has_passed_it(
    tiny_model: PreTrainedModel, tmp_path: Path
) -> None:
    _, told, _ = train(tiny_model, tmp_path, toy_settings(evaluate_every=2))
    saved = [index for index, (kind, _, _) in enumerate(told.events) if kind == "checkpoint"]
    assert len(saved) > 1
    assert told.synced == saved


def test_training_lowers_the_loss_of_what_is_trained_on(tiny_model: PreTrainedModel, tmp_path: Path) -> None:
    rows = toy_rows((60,))
    settings = toy_settings(epochs=20.0, learning_rate=1e-2, method="full")
    _, told, _ = train(tiny_model, tmp_path, settings, part=Part(0, rows, rows))
    losses = told.of("validation", "loss")
    assert losses[-1] < 0.5 * losses[0]
    assert told.steps("validation")[0] == 0, "the curve shows where it started"


def test_noise_on_the_embeddings_changes_steps_and_not_validations(tiny_model: PreTrainedModel, tmp_path: Path) -> None:
    plain, noise = (
        train(tiny_model, tmp_path / str(alpha), toy_settings(steps=2, neftune=alpha))[1] for alpha in (None, 5.0)
    )
    assert noise.of("validation", "loss")[0] == plain.of("validation", "loss")[0]
    assert noise.of("step", "loss")[0] != plain.of("step", "loss")[0]


def first_gradient(base: PreTrainedModel, folder: Path, settings: TrainSettings) -> tuple[float, float, str]:
    """Loss, norm of the gradient, and weights after one step."""
    model, told, _ = train(base, folder, settings)
    return told.of("step", "loss")[0], told.of("step", "grad_norm")[0], digest(model)


def test_summing_up_small_batches_is_one_large_batch(tiny_model: PreTrainedModel, tmp_path: Path) -> None:
    plain = {"steps": 1, "method": {"lora": {"rank": 4, "dropout": 0}}, "pack": False, "clip": 0}
    found = [
        first_gradient(tiny_model, tmp_path / str(n), toy_settings(batch=batch, accumulate=accumulate, **plain))
        for n, (batch, accumulate) in enumerate([(1, 4), (2, 2), (4, 1)])
    ]
    for loss, norm, _ in found[1:]:
        assert loss == pytest.approx(found[0][0], rel=1e-6)
        assert norm == pytest.approx(found[0][1], rel=1e-4)


def test_the_gradient_is_that_of_the_mean_over_all_targets_of_the_step(
    tiny_model: PreTrainedModel, tmp_path: Path
) -> None:
    """Rows of unequal length: the mean over the step's tokens, not the mean of the rows' means."""
    settings = toy_settings(steps=1, accumulate=3, method="full", pack=False, clip=0)
    part = part_for(settings, (45, 3))
    _, told, _ = train(tiny_model, tmp_path, settings, part=part)
    order = [int(row) for row in order_of(len(part.rows), (7, 0), 0)][:3]
    sums = [summed_loss(tiny_model, batch, FP32) for batch in batches_of(part.rows, order, 1, "cpu")]
    mean = torch.stack(sums).sum() / 48
    mean.backward()
    assert told.of("step", "loss")[0] == pytest.approx(mean.item(), rel=1e-6)
    assert told.of("step", "grad_norm")[0] == pytest.approx(gradient_norm(tiny_model, 0), rel=1e-4)


HARD = {"method": {"lora": {"rank": 4, "dropout": 0.2}}, "accumulate": 3, "epochs": 2.5, "warmup": "10%"}
CASES = {
    "packed": {},
    "windows": {"stride": 20, "pack": False},
    "context": {"stride": 16, "overlap": "context", "batch": 2},
    "full": {"method": "full", "learning_rate": 1e-3},
    "early stop": {"early_stop": 2, "learning_rate": 5e-2, "epochs": 9.0, "evaluate_every": 2},
    "dora": {"method": {"lora": {"rank": 2, "dropout": 0.1, "dora": True}}},
}


def run_to_the_end(
    base: PreTrainedModel, folder: Path, settings: TrainSettings, stops: list[tuple[str, int]]
) -> tuple[str, dict[int, object], dict[int, object]]:
    """Train, stopping at each (kind of event, earliest step) of `stops` and resuming; the weights' hash, all losses."""
    losses: dict[int, object] = {}
    validations: dict[int, object] = {}
    waiting = list(stops)
    while True:
        wish = StopWish()

        def hear(kind: str, step: int, wish: StopWish = wish) -> None:
            if waiting and kind == waiting[0][0] and step >= waiting[0][1] and wish.reason is None:
                waiting.pop(0)
                wish.heard(signal.SIGTERM, None)

        told = Told(hear=hear)
        copied = copy.deepcopy(base)
        model = adapted(copied, settings) if settings.method.lora else copied
        resume = newest(folder, pytest.fail)
        state = resume.state if resume else TrainState()
        torch.manual_seed(len(waiting))  # what was drawn before a start must not matter
        try:
            frame = make_frame(folder, settings, told, wish)
            train_part(model, part_for(settings), frame, footing_of(frame), state, resume)
            stopped = False
        except Stopped:
            stopped = True
        for kind, step, values in told.events:
            if kind in ("step", "validation"):
                kept = losses if kind == "step" else validations
                assert kept.setdefault(step, values["loss"]) == values["loss"], "a step taken again is the same step"
        if not stopped:
            assert not waiting, f"nothing was heard of {waiting}"
            return digest(model), losses, validations


@pytest.mark.parametrize("case", CASES)
def test_stopped_anywhere_and_resumed_it_ends_with_the_same_bits(
    case: str, tiny_model: PreTrainedModel, tmp_path: Path
) -> None:
    settings = toy_settings(**(HARD | CASES[case]))
    straight = run_to_the_end(tiny_model, tmp_path / "straight", settings, [])
    last = max(straight[1])
    stops = [("validation", 0), ("step", 2), ("checkpoint", 3), ("step", last)]
    assert run_to_the_end(tiny_model, tmp_path / "stopped", settings, stops) == straight


class Wish(StopWish):
    """Asked for after so many questions: in the midst of a validation, say."""

    def __init__(self, after: int) -> None:
        super().__init__()
        self.left = after

    @property
    def reason(self) -> str | None:
        self.left -= 1
        return "SIGTERM" if self.left < 0 else None


def test_stopped_at_any_question_it_resumes_exactly(tiny_model: PreTrainedModel, tmp_path: Path) -> None:
    """The wish is polled before every step and within every validation: stop at each poll in turn."""
    settings = toy_settings(steps=3, evaluate_every=2)
    expected = digest(train(tiny_model, tmp_path / "straight", settings)[0])
    for polls in (1, 2, 4, 7):
        folder = tmp_path / str(polls)
        with pytest.raises(Stopped, match="SIGTERM"):
            train(tiny_model, folder, settings, wish=Wish(polls))
        assert digest(train(tiny_model, folder, settings)[0]) == expected


class Crash(Exception):
    """Stands for kill -9: nothing is saved after it."""


def test_after_a_crash_at_any_event_it_ends_with_the_same_bits(tiny_model: PreTrainedModel, tmp_path: Path) -> None:
    settings = toy_settings(epochs=1.5, save_every=1, evaluate_every=2)
    model, told, _ = train(tiny_model, tmp_path / "straight", settings)
    expected = digest(model)
    for number in range(0, len(told.events), 4):
        folder = tmp_path / str(number)
        heard = []

        def crash(kind: str, step: int, heard: list[str] = heard, number: int = number) -> None:
            heard.append(kind)
            if len(heard) > number:
                raise Crash

        with pytest.raises(Crash):
            train(tiny_model, folder, settings, crash)
        again, rest, _ = train(tiny_model, folder, settings)
        assert digest(again) == expected
        ends = told.of("step", "loss")
        assert rest.of("step", "loss") == ends[len(ends) - len(rest.steps("step")) :]


@pytest.mark.parametrize("name", ["manifest.json", "state.json", "weights.safetensors", "random.safetensors"])
def test_a_damaged_checkpoint_costs_steps_and_changes_nothing(
    name: str, tiny_model: PreTrainedModel, tmp_path: Path
) -> None:
    settings = toy_settings(save_every=1, keep=1, evaluate_every=3)
    expected = digest(train(tiny_model, tmp_path / "straight", settings)[0])
    folder = tmp_path / "run"
    wish = StopWish()

    def stop(kind: str, step: int) -> None:
        if (kind, step) == ("step", 4):
            wish.heard(signal.SIGINT, None)

    with pytest.raises(Stopped):
        train(tiny_model, folder, toy_settings(save_every=1, keep=2, evaluate_every=3), stop, wish=wish)
    assert [f.name for f in list_checkpoints(folder)][-2:] == ["0000003", "0000004"]
    (folder / "0000004" / name).write_bytes(b"{}")
    model, told, _ = train(tiny_model, folder, settings)
    assert told.steps("step")[0] == 4, "the step after the checkpoint that is whole"
    assert digest(model) == expected


def test_validating_and_saving_more_often_changes_no_step(tiny_model: PreTrainedModel, tmp_path: Path) -> None:
    rarely, often = toy_settings(evaluate_every=100), toy_settings(evaluate_every=1, save_every=1)
    first, told, _ = train(tiny_model, tmp_path / "a", rarely)
    second, more, _ = train(tiny_model, tmp_path / "b", often)
    assert told.of("step", "loss") == more.of("step", "loss")
    assert len(more.steps("validation")) > len(told.steps("validation"))
    assert digest(first) == digest(second)


def test_the_last_step_is_always_validated_and_saved(tiny_model: PreTrainedModel, tmp_path: Path) -> None:
    _, told, state = train(tiny_model, tmp_path, toy_settings(steps=5, evaluate_every=3))
    assert told.steps("validation") == [0, 3, 5]
    assert told.steps("checkpoint") == [0, 3, 5]
    assert [int(f.name) for f in list_checkpoints(tmp_path)][-1] == state.step == 5


def test_early_stop_ends_with_the_best_weights(tiny_model: PreTrainedModel, tmp_path: Path) -> None:
    settings = toy_settings(early_stop=2, evaluate_every=1, learning_rate=5e-2, epochs=30.0, keep=2)
    seen: dict[int, str] = {}
    found: list[torch.nn.Module] = []
    model = adapted(copy.deepcopy(tiny_model), settings)
    told = Told(hear=lambda kind, step: seen.update({step: digest(model)}) if kind == "validation" else None)
    found.append(model)
    state = TrainState()
    train_part(model, part_for(settings), make_frame(tmp_path, settings, told), Footing(1, False), state, None)
    losses = dict(zip(told.steps("validation"), told.of("validation", "loss"), strict=True))
    best = min(losses, key=lambda step: losses[step])
    assert state.best_step == best
    assert state.step == best + 2, "two validations without a better one"
    assert digest(model) == seen[best] != seen[state.step]
    kept = {int(f.name) for f in list_checkpoints(tmp_path)}
    assert kept == {best, state.step - 1, state.step}


def test_without_early_stop_the_last_weights_stay(tiny_model: PreTrainedModel, tmp_path: Path) -> None:
    settings = toy_settings(evaluate_every=1, learning_rate=5e-2, epochs=4.0)
    model, _, state = train(tiny_model, tmp_path, settings)
    assert state.best_step != state.step
    last = newest(tmp_path, pytest.fail)
    assert last is not None
    assert all(torch.equal(p, last.weights[name]) for name, p in trainable(model))


def test_checkpointed_activations_give_the_same_gradients(tiny_model: PreTrainedModel, tmp_path: Path) -> None:
    settings = toy_settings(steps=2)
    _, plain, _ = train(tiny_model, tmp_path / "plain", settings)
    tiny_model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    _, saving, _ = train(tiny_model, tmp_path / "saving", settings)
    assert saving.of("step", "loss") == pytest.approx(plain.of("step", "loss"), rel=1e-6)
    assert saving.of("step", "grad_norm") == pytest.approx(plain.of("step", "grad_norm"), rel=1e-5)


def test_mixed_precision_trains_float32_weights(tiny_model: PreTrainedModel, tmp_path: Path) -> None:
    settings = toy_settings(steps=3, method="full", learning_rate=1e-4)
    told = Told()
    frame = make_frame(tmp_path, settings, told)
    frame = replace(frame, computation=replace(FP32, autocast=torch.bfloat16))
    train_part(tiny_model, part_for(settings), frame, footing_of(frame), TrainState(), None)
    assert {p.dtype for p in tiny_model.parameters()} == {torch.float32}
    exact = train(tiny_model, tmp_path / "exact", settings)[1]
    assert told.of("step", "loss")[0] == pytest.approx(exact.of("step", "loss")[0], rel=0.1)


def test_a_full_disk_ends_the_training_with_the_earlier_checkpoint_whole(
    tiny_model: PreTrainedModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = shards.save_file, []

    def sometimes(tensors: dict[str, Tensor], path: Path) -> None:
        calls.append(path)
        if len(calls) > 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(tensors, path)

    settings = toy_settings(save_every=1)
    expected = digest(train(tiny_model, tmp_path / "straight", settings)[0])
    with monkeypatch.context() as patch:
        patch.setattr(shards, "save_file", sometimes)
        with pytest.raises(DiskFull, match="0000002"):
            train(tiny_model, tmp_path / "run", settings)
    found = newest(tmp_path / "run", pytest.fail)
    assert found is not None
    assert found.state.step == 1
    assert digest(train(tiny_model, tmp_path / "run", settings)[0]) == expected
