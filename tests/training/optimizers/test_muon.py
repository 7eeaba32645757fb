from __future__ import annotations

import pytest
import torch
from torch import nn
from transformers import PreTrainedTokenizerFast

from quire.errors import RecipeError
from quire.training.optimizers.halves import whole
from quire.training.optimizers.muon import MOMENTUM, Muon, alike
from quire.training.optimizers.optimizer import BETAS, make_optimizer
from tiny import build_model
from toy import toy_settings

RATE = 1e-3
FULL = {"full": True}


def muon(parameters: list[nn.Parameter], matrices: bool = True, decay: float = 0.1) -> Muon:
    return Muon([{"params": parameters, "weight_decay": decay, "matrices": matrices}], RATE, BETAS)


def drawn(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("shape", [(40, 96), (96, 40), (64, 64)])
def test_singular_values_become_alike(shape: tuple[int, int]) -> None:
    """Of 1 to 1/100; Jordan et al. give 0.68 to 1.13 as the range of their polynomial, and bf16 adds a little."""
    left, _, right = torch.linalg.svd(drawn(shape, 0), full_matrices=False)
    values = torch.logspace(0, -2, min(shape))
    made = alike(left @ torch.diag(values) @ right)
    found = torch.linalg.svdvals(made)
    assert float(found.min()) > 0.6
    assert float(found.max()) < 1.25
    turned_back = left.T @ made @ right.T
    assert float((turned_back - torch.diag(torch.diag(turned_back))).abs().max()) < 0.05, "its directions stay"


def test_nothing_stays_nothing() -> None:
    assert torch.equal(alike(torch.zeros(8, 4)), torch.zeros(8, 4))


@pytest.mark.parametrize("shape", [(40, 96), (96, 40)])
def test_steps_are_those_of_torch(shape: tuple[int, int]) -> None:
    """torch's Muon with the size of steps that matches AdamW's; both turn in bf16."""
    found = []
    for ours in (True, False):
        weight = nn.Parameter(drawn(shape, 1))
        theirs = torch.optim.Muon(
            [weight], lr=RATE, weight_decay=0.1, momentum=MOMENTUM, nesterov=True, adjust_lr_fn="match_rms_adamw"
        )
        optimizer = muon([weight]) if ours else theirs
        for number in range(8):
            weight.grad = drawn(shape, 10 + number)
            optimizer.step()
        found.append(weight.detach() - drawn(shape, 1))
    torch.testing.assert_close(found[0], found[1], rtol=0, atol=0.02 * float(found[1].abs().max()))


def test_what_is_no_matrix_is_changed_by_adamw() -> None:
    found = []
    for ours in (True, False):
        weights = [nn.Parameter(drawn((30, 20), 2)), nn.Parameter(drawn((20,), 3))]
        theirs = torch.optim.AdamW(weights, lr=RATE, betas=BETAS, weight_decay=0.1)
        optimizer = muon(weights, matrices=False) if ours else theirs
        for number in range(12):
            for p in weights:
                p.grad = drawn(tuple(p.shape), 20 + number)
            optimizer.step()
        found.append(weights)
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("matrices", [True, False])
def test_weights_in_bf16_are_trained_as_the_float32_weights_they_stand_for(matrices: bool) -> None:
    start = drawn((40, 60), 4).bfloat16()
    low, full = nn.Parameter(start.clone()), nn.Parameter(start.float())
    one, other = muon([low], matrices), muon([full], matrices)
    for number in range(10):
        low.grad = drawn((40, 60), 30 + number).bfloat16()
        full.grad = low.grad.float()
        one.step()
        other.step()
    assert torch.equal(whole(low.data, one.state[low]["rest"]), full)


def test_layers_that_keep_their_matrix_turned_round_are_met(tiny_tokenizer: PreTrainedTokenizerFast) -> None:
    """GPT-2's."""
    optimizer = make_optimizer(build_model("gpt2", tiny_tokenizer), toy_settings(optimizer="muon", method="full"))
    assert any(group["matrices"] for group in optimizer.param_groups)


def test_a_model_without_matrices_is_refused() -> None:
    with pytest.raises(RecipeError, match="no matrix"):
        make_optimizer(nn.LayerNorm(4), toy_settings(optimizer="muon", method="full"))


def test_embeddings_head_and_norms_are_no_matrices(tiny_model: nn.Module) -> None:
    optimizer = make_optimizer(tiny_model, toy_settings(optimizer="muon", method=FULL))
    turned = {id(p) for group in optimizer.param_groups if group["matrices"] for p in group["params"]}
    for name, p in tiny_model.named_parameters():
        assert (id(p) in turned) == name.endswith("_proj.weight"), name
