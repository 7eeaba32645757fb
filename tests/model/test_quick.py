"""Our layers in the place of others': the same names, the same numbers but for rounding, and out again."""

from __future__ import annotations

import copy

import pytest
import torch
from peft import PeftModel
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    LlamaConfig,
    MistralConfig,
    PreTrainedConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen3Config,
)

from packedrow import SHAPE as SMALL
from packedrow import WORKS, answers, furthest, row
from quire.model.adapters import attach
from quire.model.lowbit import to_int8
from quire.model.quick import as_before, is_quick, quicken
from quire.recipe.method import Lora
from tiny import build_model

SHAPE = {**SMALL, "num_hidden_layers": 2, "max_position_embeddings": 256}
CONFIGS: dict[str, PreTrainedConfig] = {
    "llama": LlamaConfig(**SHAPE),
    "llama with biases": LlamaConfig(**SHAPE, attention_bias=True, mlp_bias=True),
    "llama with stretched positions": LlamaConfig(
        **SHAPE, rope_parameters={"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}
    ),
    "llama with another gate": LlamaConfig(**SHAPE, hidden_act="gelu"),
    "mistral": MistralConfig(**SHAPE, sliding_window=None),
    "qwen2": Qwen2Config(**SHAPE),
    "qwen3": Qwen3Config(**SHAPE, head_dim=16),
}
LORA = Lora(rank=4, alpha=8, dropout=0.0, targets="all-linear")


def model_of(name: str, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        return AutoModelForCausalLM.from_config(copy.deepcopy(CONFIGS[name]), dtype=dtype).eval()


def adapted(name: str, dtype: torch.dtype, lora: Lora = LORA) -> PeftModel:
    """With an adapter that does something: its second matrices begin as zeros."""
    model = attach(model_of(name, dtype), lora, 1)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(4)
        for key, parameter in model.named_parameters():
            if "lora_B" in key:
                parameter.normal_(std=0.05)
    return model


@pytest.mark.parametrize("name", CONFIGS)
def test_values_and_gradients_are_the_same_in_float32(name: str) -> None:
    model = adapted(name, torch.float32)
    before = answers(model)
    assert quicken(model)
    assert furthest(answers(model), before) < 1e-4


@pytest.mark.parametrize("name", CONFIGS)
def test_in_bf16_they_are_as_near_to_float32_as_they_were(name: str) -> None:
    exact = answers(adapted(name, torch.float32))
    model = adapted(name, torch.bfloat16)
    before = answers(model)
    assert quicken(model)
    after = answers(model)
    for key, wanted in exact.items():
        size = wanted.norm().clamp_min(1e-6)
        assert float((after[key] - wanted).norm() / size) < 1.25 * float((before[key] - wanted).norm() / size) + 0.002


def test_a_base_in_8_bits_stays_as_near() -> None:
    exact = answers(adapted("llama", torch.float32))
    found = []
    for quick in (False, True):
        model = model_of("llama", torch.bfloat16)
        to_int8(model)
        learner = attach(model, LORA, 1)
        with torch.no_grad():
            learner.load_state_dict(
                {k: v for k, v in adapted("llama", torch.bfloat16).state_dict().items() if "lora" in k}, strict=False
            )
        if quick:
            quicken(learner)
        found.append(furthest(answers(learner), exact))
    assert found[1] < 1.2 * found[0]


def test_weights_keep_their_names_and_the_layers_their_kinds() -> None:
    model = adapted("qwen3", torch.bfloat16)
    names, kinds = list(model.state_dict()), [type(module) for module in model.modules()]
    quicken(model)
    assert is_quick(model)
    assert list(model.state_dict()) == names
    assert all(isinstance(module, kind) for module, kind in zip(model.modules(), kinds, strict=True))
    as_before(model)
    assert not is_quick(model)
    assert [type(module) for module in model.modules()] == kinds


def test_taken_out_again_it_computes_as_before_to_the_last_bit() -> None:
    model = adapted("llama", torch.bfloat16)
    before = answers(model)
    quicken(model)
    as_before(model)
    after = answers(model)
    assert all(torch.equal(after[key], before[key]) for key in before)


@pytest.mark.parametrize("name", ["llama", "qwen2"])
def test_a_row_of_works_is_what_each_is_alone(name: str) -> None:
    model = model_of(name, torch.bfloat16)
    quicken(model)
    ids, positions = row()
    with torch.no_grad():
        together = model(input_ids=ids, position_ids=positions, use_cache=False).logits
        alone = [model(input_ids=piece, use_cache=False).logits for piece in ids.split(WORKS, 1)]
    torch.testing.assert_close(together, torch.cat(alone, 1), atol=0.02, rtol=0)


def test_reading_with_a_cache_and_with_padding_is_left_to_transformers() -> None:
    model = model_of("llama")
    ids = row()[0][:, :20]
    padded = torch.cat([torch.zeros(1, 6, dtype=torch.long), ids], 1)
    mask = torch.cat([torch.zeros(1, 6, dtype=torch.long), torch.ones_like(ids)], 1)

    @torch.no_grad()
    def read() -> list[Tensor]:
        first = model(input_ids=ids[:, :12], use_cache=True)
        then = model(input_ids=ids[:, 12:], use_cache=True, past_key_values=first.past_key_values)
        left = model(input_ids=padded, attention_mask=mask, use_cache=False).logits[:, 6:]
        return [first.logits, then.logits, left]

    before = read()
    quicken(model)
    for found, wanted in zip(read(), before, strict=True):
        torch.testing.assert_close(found, wanted)


def test_the_adapter_can_be_switched_off() -> None:
    model = adapted("llama", torch.bfloat16)
    ids, _ = row()
    quicken(model)
    bare = model_of("llama", torch.bfloat16)
    quicken(bare)
    with torch.no_grad(), model.disable_adapter():
        assert torch.equal(model(input_ids=ids).logits, bare(input_ids=ids).logits)
    with torch.no_grad():
        assert not torch.equal(model(input_ids=ids).logits, bare(input_ids=ids).logits)


@pytest.mark.parametrize("dora", [False, True])
def test_special_adapters_are_left_to_peft(dora: bool) -> None:
    lora = Lora(rank=4, alpha=8, dropout=0.0, targets="all-linear", dora=dora, bias="lora_only" if not dora else "none")
    model = adapted("llama with biases", torch.float32, lora)
    before = answers(model)
    quicken(model)
    assert furthest(answers(model), before) < 1e-4


def test_dropout_drops_what_it_should_and_the_same_again_from_the_same_state() -> None:
    model = adapted("llama", torch.bfloat16, Lora(rank=4, alpha=8, dropout=0.5, targets=["q_proj", "v_proj"]))
    quicken(model)
    model.train()
    ids, _ = row()
    found = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        found.append(model(input_ids=ids, use_cache=False).logits.detach())
    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


@pytest.mark.parametrize("family", ["gemma", "gpt2", "gpt-neox", "mistral"])
def test_what_we_do_not_know_is_left_alone(family: str, tiny_tokenizer) -> None:
    """The tiny Mistral sees only the nearest tokens."""
    model = build_model(family, tiny_tokenizer)
    kinds = [type(module) for module in model.modules()]
    assert not quicken(model)
    assert [type(module) for module in model.modules()] == kinds


def test_a_model_that_forgets_at_random_is_left_alone() -> None:
    assert not quicken(AutoModelForCausalLM.from_config(LlamaConfig(**SHAPE, attention_dropout=0.1)))
