from __future__ import annotations

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
    weights = whole_weights(tiny_model)
    assert set(weights) == {name for name, _ in tiny_model.named_parameters()}
    assert (
        own_part(weights["lm_head.weight"] if "lm_head.weight" in weights else next(iter(weights.values()))).dim() == 2
    )


def slice_and_sum(base: Path) -> tuple[int, dict[str, Tensor], float]:
    """Weights held here, the whole again, and the gradient's norm where each process computes one row of two."""
    from quire.model.base import load_model
    from quire.training.loop import gradient_norm
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
        return held, whole_weights(model), gradient_norm(model, 0)


def test_two_processes_hold_half_each_and_sum_their_gradients(
    crew_of: Callable[[int], Crew], tiny_base: Path, tiny_model: PreTrainedModel
) -> None:
    (held, whole, norm), (also_held, also_whole, also_norm) = expect(crew_of(2).do(slice_and_sum, tiny_base))
    assert held + also_held == sum(p.numel() for p in tiny_model.parameters())
    assert 0.4 < held / (held + also_held) < 0.6
    for name, parameter in tiny_model.named_parameters():
        assert torch.equal(whole[name], parameter)
        assert torch.equal(also_whole[name], parameter)
    ids = torch.arange(1, 17).view(2, 8)
    for row in (0, 1):
        tiny_model(input_ids=ids[row : row + 1], labels=ids[row : row + 1]).loss.backward()
    squares = sum(float(p.grad.square().sum()) for p in tiny_model.parameters() if p.grad is not None)
    assert norm == pytest.approx(squares**0.5, rel=1e-5)
    assert also_norm == norm
