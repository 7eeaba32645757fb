from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import nn
from transformers import PreTrainedModel, PreTrainedTokenizerFast

from quire.model.packing import logits_of, packs_exactly
from quire.tokens.rows import IGNORED
from quire.training.compute import Batch, summed_loss
from tiny import FAMILIES, build_model
from toy import APART, FP32, random_ids

LENGTHS = (50, 70, 40)  # longer than the window of local attention, which is 32


def packed_row(lengths: tuple[int, ...]) -> Batch:
    pieces = [random_ids(n + 1, seed) for seed, n in enumerate(lengths)]
    inputs = torch.cat([piece[:, :-1] for piece in pieces], 1)
    targets = torch.cat([piece[:, 1:] for piece in pieces], 1).clone()
    targets[0, :5] = IGNORED
    positions = torch.cat([torch.arange(n) for n in lengths])[None]
    return Batch(inputs, positions, targets, lengths)


def alone(batch: Batch) -> list[Batch]:
    """Each segment as a row of its own."""
    split = [torch.split(tensor, list(batch.segments), 1) for tensor in (batch.inputs, batch.positions, batch.targets)]
    return [Batch(i, p, t, (i.shape[1],)) for i, p, t in zip(*split, strict=True)]


def gradients(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


@pytest.mark.parametrize("family", FAMILIES)
def test_a_packed_row_teaches_what_its_works_teach_alone(family: str, tiny_tokenizer: PreTrainedTokenizerFast) -> None:
    """Loss and gradients, by the way that was found for this family."""
    model = build_model(family, tiny_tokenizer)
    computation = replace(FP32, packs=packs_exactly(model))
    batch = packed_row(LENGTHS)
    whole = summed_loss(model, batch, computation)
    whole.backward()
    of_whole = gradients(model)
    apart = sum(summed_loss(model, one, computation) for one in alone(batch))
    apart.backward()
    of_parts = gradients(model)
    torch.testing.assert_close(whole, apart, rtol=1e-5, atol=0)
    for name, gradient in of_parts.items():
        torch.testing.assert_close(of_whole[name], gradient, rtol=1e-3, atol=1e-4 * float(gradient.abs().max()) + 1e-6)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_was_found_out_on_short_texts_holds_beyond_the_window_of_local_attention(
    family: str, tiny_tokenizer: PreTrainedTokenizerFast
) -> None:
    model = build_model(family, tiny_tokenizer)
    batch = packed_row(LENGTHS)
    with torch.no_grad():
        packed = logits_of(model, batch.inputs, batch.positions, batch.segments, packed=True)
        separate = logits_of(model, batch.inputs, batch.positions, batch.segments, packed=False)
    assert packs_exactly(model) == torch.allclose(packed, separate, atol=1e-4)


class Leaky(nn.Module):
    """A model that takes positions and lets every text see the one before it."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model
        self.config = model.config
        self.device = model.device

    def forward(self, input_ids: torch.Tensor, position_ids: torch.Tensor | None = None, use_cache: bool = False):
        mask = torch.ones_like(input_ids)  # with a mask given, transformers does not look for packed texts
        return self.model(input_ids=input_ids, position_ids=position_ids, attention_mask=mask, use_cache=use_cache)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_model_that_mixes_packed_texts_is_found_out_and_computed_text_by_text(
    family: str, tiny_tokenizer: PreTrainedTokenizerFast
) -> None:
    leaky = Leaky(build_model(family, tiny_tokenizer))
    assert not packs_exactly(leaky)
    batch = packed_row(LENGTHS)
    with torch.no_grad():
        mixed = summed_loss(leaky, batch, FP32)
        whole = summed_loss(leaky, batch, APART)
        apart = sum(summed_loss(leaky, one, APART) for one in alone(batch))
    torch.testing.assert_close(whole, apart, rtol=1e-6, atol=0)
    assert abs(mixed - apart) > 1e-5 * apart


class Faint(Leaky):
    """A model that lets only a thousandth of the text before it through: less than rounding in half precision."""

    def forward(self, input_ids: torch.Tensor, position_ids: torch.Tensor | None = None, use_cache: bool = False):
        sound = self.model(input_ids=input_ids, position_ids=position_ids, use_cache=use_cache)
        mixed = super().forward(input_ids, position_ids, use_cache)
        sound.logits += 1e-3 * (mixed.logits - sound.logits)
        return sound


def test_the_faintest_trace_of_the_text_before_is_found_out(tiny_tokenizer: PreTrainedTokenizerFast) -> None:
    model = build_model("llama", tiny_tokenizer)
    assert packs_exactly(model)
    assert not packs_exactly(Faint(model))


class Deaf(Leaky):
    """A model that takes restarting positions for a mark of packed texts, and then counts on as if it had not."""

    def forward(self, input_ids: torch.Tensor, position_ids: torch.Tensor | None = None, use_cache: bool = False):
        if position_ids is not None:
            position_ids = position_ids + 7 * (torch.arange(position_ids.shape[1]) >= 9)
        return self.model(input_ids=input_ids, position_ids=position_ids, use_cache=use_cache)


def test_wrong_positions_are_found_out(tiny_tokenizer: PreTrainedTokenizerFast) -> None:
    assert not packs_exactly(Deaf(build_model("gpt2", tiny_tokenizer)))


@pytest.mark.parametrize("family", FAMILIES)
def test_half_precision_does_not_hide_that_a_model_packs(family: str, tiny_tokenizer: PreTrainedTokenizerFast) -> None:
    """Large logits are coarse in bfloat16: rounding must not be taken for a leak, nor a leak for rounding."""
    model = build_model(family, tiny_tokenizer)
    expected = packs_exactly(model)
    head = model.get_output_embeddings()
    head.weight = nn.Parameter(head.weight.detach() * 40)
    half = model.to(torch.bfloat16)
    assert packs_exactly(half) == expected
    assert not packs_exactly(Leaky(half))


def test_the_question_leaves_no_trace(tiny_model: PreTrainedModel) -> None:
    tiny_model.train()
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    packs_exactly(tiny_model)
    assert torch.equal(torch.rand(2), expected)
    assert tiny_model.training
    assert all(p.grad is None for p in tiny_model.parameters())
