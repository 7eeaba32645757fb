from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from crew import Crew, expect
from quire.errors import RecipeError
from quire.training.together.sliced import is_sliced, layers_of, own_part, slice_model, whole_weights


def test_the_layers_are_the_longest_list_of_modules(tiny_model: PreTrainedModel) -> None:
    assert layers_of(tiny_model) == list(tiny_model.model.layers)
    assert layers_of(nn.Linear(2, 2)) == []


def test_a_base_in_few_bits_is_refused_by_name() -> None:
    model = nn.Linear(2, 2)
    model.register_buffer("packed", torch.zeros(3, dtype=torch.int8))
    with pytest.raises(RecipeError, match=r"8 or 4 bits \(packed\)") as caught:
        slice_model(model)
    assert "ddp" in caught.value.then


def test_what_lies_here_alone_is_whole(tiny_model: PreTrainedModel) -> None:
    assert not is_sliced(tiny_model)
    weights = whole_weights(tiny_model, kept=True)
    assert set(weights) == {name for name, _ in tiny_model.named_parameters()}
    assert (
        own_part(weights["lm_head.weight"] if "lm_head.weight" in weights else next(iter(weights.values()))).dim() == 2
    )


def slice_and_sum(base: Path) -> tuple[int, dict[str, Tensor], float]:
    """Weights held here, the whole again, and the gradient's norm where each process computes one row of two."""
    from quire.model.base import load_model
    from quire.training.optimizers.optimizer import gradient_norm
    from quire.training.together.ranks import joined

    with joined() as ranks:
        model = load_model(base, "fp32", "cpu")
        model.requires_grad_(True)
        slice_model(model)
        assert is_sliced(model)
        ids = torch.arange(1, 17).view(2, 8)
        for row in ranks.share([0, 1]):
            model(input_ids=ids[row : row + 1], labels=ids[row : row + 1]).loss.backward()
        held = sum(own_part(p).numel() for p in model.parameters())
        return held, whole_weights(model, ranks.first), gradient_norm(model, 0)


def train_two_parts(base: Path, path: Path) -> list[bool]:
    """Of every model that was put together, whether it is gone when the next part begins."""
    from quire.planner.bases import find_base
    from quire.recipe.resolved import StageDecided
    from quire.recipe.schema import Recipe
    from quire.run.events import Event, EventLog
    from quire.run.folder import RunFolder
    from quire.training.learner import Learner, Start, make_learner
    from quire.training.loop import Part
    from quire.training.parts import train_parts
    from quire.training.session import Session
    from quire.training.state import TrainState
    from quire.training.together.ranks import joined
    from quire.training.watch import StopWish
    from quire.training.watching.alarms import Alarms
    from toy import toy_rows, toy_settings

    settings = toy_settings(method="full", parts=2, steps=1, parallel="fsdp")
    stage = Recipe(shelf=("book.txt",), train=settings).curriculum[0]
    made: list[weakref.ref[nn.Module]] = []
    gone: list[bool] = []

    def load() -> Learner:
        return make_learner(Start(find_base(str(base))), settings, "fp32", "cpu", seed=7)

    def remake() -> Learner:
        learner = load()
        made.append(weakref.ref(learner.model))
        return learner

    def hear(event: Event) -> None:
        if event.kind == "part_start" and event.part > 0:
            gc.collect()
            gone.extend(model() is None for model in made)

    with joined() as ranks:
        ranks.lead(lambda: RunFolder.create(path))
        folder = RunFolder.open(path)
        parts = [Part(number, toy_rows((50,)), toy_rows((40,), seed=9)) for number in range(2)]
        with EventLog(folder.events_file) as log:
            train_parts(
                Session(folder, log, StopWish(), hear, (stage.name,), Alarms([stage]), ranks),
                load(),
                stage,
                StageDecided(batch=1, accumulate=2),
                7,
                TrainState(),
                None,
                parts,
                after_part=lambda learner, state: None,
                save_part=lambda learner, state, target: None,
                keep=lambda settled, alone: None,
                remake=remake,
            )
    return gone


def test_what_was_put_together_for_a_part_is_gone_when_the_next_begins(
    crew_of: Callable[[int], Crew], tiny_base: Path, tmp_path: Path
) -> None:
    assert expect(crew_of(2).do(train_two_parts, tiny_base, tmp_path / "run")) == [[True], []]


def test_two_processes_hold_half_each_and_sum_their_gradients(
    crew_of: Callable[[int], Crew], tiny_base: Path, tiny_model: PreTrainedModel
) -> None:
    (held, whole, norm), (also_held, nothing, also_norm) = expect(crew_of(2).do(slice_and_sum, tiny_base))
    assert held + also_held == sum(p.numel() for p in tiny_model.parameters())
    assert 0.4 < held / (held + also_held) < 0.6
    for name, parameter in tiny_model.named_parameters():
        assert torch.equal(whole[name], parameter)
    assert nothing == {}, "no other process has room for what it would throw away"
    ids = torch.arange(1, 17).view(2, 8)
    for row in (0, 1):
        tiny_model(input_ids=ids[row : row + 1], labels=ids[row : row + 1]).loss.backward()
    squares = sum(float(p.grad.square().sum()) for p in tiny_model.parameters() if p.grad is not None)
    assert norm == pytest.approx(squares**0.5, rel=1e-5)
    assert also_norm == norm
