from __future__ import annotations

import pytest
import torch
from torch import Tensor
from transformers import PreTrainedModel

from quire.model.mode import evaluating
from quire.training.neftune import add_noise, noisy, remove_noise
from toy import adapted, random_ids, toy_settings

IDS = random_ids(40)


def embedded(model: PreTrainedModel) -> Tensor:
    return model.get_input_embeddings()(IDS).detach()


def test_the_noise_is_even_and_as_large_as_the_paper_says(tiny_model: PreTrainedModel) -> None:
    """Uniform between ± alpha / sqrt(L · d), with L = 40 and d = 32; its variance is a third of the square."""
    tiny_model.train()
    plain = embedded(tiny_model)
    torch.manual_seed(1)
    with noisy(tiny_model, 5.0):
        noise = torch.stack([embedded(tiny_model) - plain for _ in range(40)])
    most = 5.0 / (40 * 32) ** 0.5
    assert float(noise.abs().max()) <= most * 1.0001
    assert float(noise.abs().max()) > 0.99 * most
    assert float(noise.mean()) == pytest.approx(0, abs=0.01 * most)
    assert float(noise.var()) == pytest.approx(most**2 / 3, rel=0.02)
    assert torch.equal(embedded(tiny_model), plain), "outside there is none"


def test_evaluations_hear_nothing_and_draw_nothing(tiny_model: PreTrainedModel) -> None:
    tiny_model.train()
    plain = embedded(tiny_model)
    with noisy(tiny_model, 5.0):
        before = torch.get_rng_state()
        with evaluating(tiny_model):
            assert torch.equal(embedded(tiny_model), plain)
        assert torch.equal(torch.get_rng_state(), before)
        assert not torch.equal(embedded(tiny_model), plain)


def test_without_alpha_nothing_is_drawn(tiny_model: PreTrainedModel) -> None:
    tiny_model.train()
    before = torch.get_rng_state()
    with noisy(tiny_model, None):
        embedded(tiny_model)
    assert torch.equal(torch.get_rng_state(), before)


def test_the_same_state_draws_the_same_noise(tiny_model: PreTrainedModel) -> None:
    """What makes a resume exact: a checkpoint keeps the generator's state."""
    tiny_model.train()
    with noisy(tiny_model, 5.0):
        embedded(tiny_model)
        state = torch.get_rng_state()
        first = embedded(tiny_model)
        torch.set_rng_state(state)
        assert torch.equal(embedded(tiny_model), first)


def test_it_is_taken_off_even_where_training_ends_in_an_error(tiny_model: PreTrainedModel) -> None:
    with pytest.raises(ZeroDivisionError), noisy(tiny_model, 5.0):
        raise ZeroDivisionError
    assert not tiny_model.get_input_embeddings()._forward_hooks
    handle = add_noise(tiny_model, 1.0)
    assert tiny_model.get_input_embeddings()._forward_hooks
    remove_noise(handle)
    assert not tiny_model.get_input_embeddings()._forward_hooks


@pytest.mark.parametrize("targets", [["q_proj"], ["embed_tokens"]])
def test_an_adapted_model_is_moved_too_and_learns(targets: list[str], tiny_model: PreTrainedModel) -> None:
    """Also where the adapter lies on the embeddings themselves, and with activations computed twice."""
    settings = toy_settings(method={"lora": {"rank": 2, "targets": targets, "dropout": 0.0}})
    model = adapted(tiny_model, settings)
    model.train()
    model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
    losses = []
    with noisy(model, 50.0):
        for _ in range(2):
            loss = model(input_ids=IDS, labels=IDS, use_cache=False).loss
            loss.backward()
            losses.append(float(loss.detach()))
    assert losses[0] != losses[1]
    assert any(p.grad is not None and bool(p.grad.any()) for p in model.parameters())
