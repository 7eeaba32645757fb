"""States and head: all there is to the logits of some families, not of others."""

from __future__ import annotations

import pytest
import torch

from quire.model.adapters import attach
from quire.model.ending import plain_head, states_of
from quire.recipe.method import Lora
from tiny import build_model


@pytest.mark.parametrize("family", ["llama", "mistral", "qwen", "gpt2", "gpt-neo", "gpt-neox"])
def test_states_and_head_make_the_logits_of_every_family_that_ends_plainly(family: str, tiny_tokenizer) -> None:
    """Weights are made large: what bends logits is felt by large ones alone."""
    model = build_model(family, tiny_tokenizer)
    with torch.no_grad():
        head = plain_head(model)
        assert head is not None
        head.weight.mul_(200)
        ids = torch.randint(384, (1, 12), generator=torch.Generator().manual_seed(5))
        logits = model(input_ids=ids, use_cache=False).logits
        assert logits.abs().max() > 60
        torch.testing.assert_close(head(states_of(model, ids, None)), logits)


def test_logits_that_are_bent_are_not_taken_for_a_product(tiny_tokenizer) -> None:
    """Gemma 2 bends its logits."""
    assert plain_head(build_model("gemma", tiny_tokenizer)) is None


def test_a_head_that_learns_by_an_adapter_is_no_plain_one(tiny_tokenizer) -> None:
    model = attach(build_model("mistral", tiny_tokenizer), Lora(rank=2, alpha=4, dropout=0.0, targets=["lm_head"]), 1)
    assert plain_head(model) is None


def test_the_head_under_an_adapter_is_the_bases(tiny_tokenizer) -> None:
    base = build_model("llama", tiny_tokenizer)
    head = base.get_output_embeddings()
    model = attach(base, Lora(rank=2, alpha=4, dropout=0.0, targets="all-linear"), 1)
    assert plain_head(model) is head
