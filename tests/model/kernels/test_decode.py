"""One native call a token: what it says against float64, for every model, precision and adapter that it takes on."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor, nn
from transformers import (
    DynamicCache,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from kernelchecks import needs_native
from quire.model.kernels.decode import Texts, decoder_of
from quire.model.lowbit import to_int8
from quire.model.quick import quicken
from tiny import build_model
from toy import random_ids

VOCABULARY = 100
SHAPE = {
    "vocab_size": VOCABULARY,
    "hidden_size": 48,
    "intermediate_size": 80,
    "num_hidden_layers": 2,
    "num_attention_heads": 6,
    "num_key_value_heads": 2,
    "max_position_embeddings": 600,
}
# Heads that share keys: one, more than the kernel takes together; numbers in a head: fewer than 16, more than 64.
ODD_SHAPES = (
    {"hidden_size": 40, "head_dim": 10, "num_attention_heads": 5, "num_key_value_heads": 1, "intermediate_size": 51},
    {"hidden_size": 34, "head_dim": 80, "num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 7},
    {"hidden_size": 98, "head_dim": 16, "num_attention_heads": 14, "num_key_value_heads": 2, "attention_bias": True},
    {"hidden_size": 32, "num_attention_heads": 2, "intermediate_size": 4123},
    {"rope_parameters": {"rope_type": "linear", "factor": 4.0, "rope_theta": 500.0}, "mlp_bias": True},
    {"rope_parameters": {"rope_type": "yarn", "factor": 4.0, "rope_theta": 10000.0}, "tie_word_embeddings": True},
)


def made(
    family: Callable[..., PreTrainedModel], settings: LlamaConfig | MistralConfig | Qwen2Config
) -> PreTrainedModel:
    """Weights large enough that scores differ, biases and norms that count."""
    with torch.random.fork_rng():
        torch.manual_seed(3)
        model = family(settings).eval()
        for name, parameter in model.named_parameters():
            near = 1.0 if "norm" in name else 0.0
            nn.init.normal_(parameter, near, 0.2)
    return model


def llama(**changes: object) -> PreTrainedModel:
    return made(LlamaForCausalLM, LlamaConfig(**{**SHAPE, **changes}))


FAMILIES: dict[str, Callable[[], PreTrainedModel]] = {
    "llama": llama,
    "mistral": lambda: made(MistralForCausalLM, MistralConfig(**SHAPE, sliding_window=None)),
    "mistral, window": lambda: made(MistralForCausalLM, MistralConfig(**SHAPE, sliding_window=600)),
    "qwen": lambda: made(Qwen2ForCausalLM, Qwen2Config(**SHAPE)),
}


def ids_of(length: int, seed: int = 0) -> list[int]:
    return [int(token) for token in random_ids(length, seed, VOCABULARY)[0]]


def said_by(model: nn.Module, ids: list[int]) -> Tensor:
    """The model's own scores (tokens, vocabulary)."""
    with torch.no_grad():
        scores: Tensor = model(input_ids=torch.tensor([ids])).logits[0].double()
    return scores


def wanted_from(model: nn.Module, ids: list[int]) -> Tensor:
    """The same in float64."""
    return said_by(copy.deepcopy(model).double(), ids)


def texts_of(model: PreTrainedModel | PeftModel, count: int = 1) -> Texts:
    decoder = decoder_of(model)
    assert decoder is not None
    return Texts(decoder, count)


def one_by_one(texts: Texts, ids: list[int], text: int = 0) -> Tensor:
    return torch.cat([texts.read([text], [token]) for token in ids])


def in_bits(model: PreTrainedModel, eight: bool) -> PreTrainedModel:
    if eight:
        to_int8(model)
    return model


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@needs_native
@pytest.mark.parametrize("family", FAMILIES)
def test_scores_in_float32_are_those_of_float64(family: str) -> None:
    model, ids = FAMILIES[family](), ids_of(64)
    wanted = wanted_from(model, ids)
    assert torch.allclose(one_by_one(texts_of(model), ids).double(), wanted, atol=2e-5 * float(wanted.abs().max()))


@needs_native
@pytest.mark.parametrize("family", FAMILIES)
def test_scores_in_bf16_are_nearer_to_float64_than_the_models_own(family: str) -> None:
    model, ids = FAMILIES[family]().bfloat16(), ids_of(64)
    wanted = wanted_from(model, ids)
    own, found = said_by(model, ids) - wanted, one_by_one(texts_of(model), ids).double() - wanted
    assert found.norm() < own.norm()
    assert found.abs().max() < own.abs().max()


@needs_native
@pytest.mark.parametrize("changes", ODD_SHAPES)
def test_odd_shapes_and_angles(changes: dict[str, object]) -> None:
    model, ids = llama(**changes), ids_of(37)
    wanted = wanted_from(model, ids)
    assert torch.allclose(one_by_one(texts_of(model), ids).double(), wanted, atol=5e-5 * float(wanted.abs().max()))


@needs_native
def test_a_base_in_8_bits_is_read_as_its_layers_read_it() -> None:
    model, ids = llama(), ids_of(48)
    to_int8(model)
    if decoder_of(model) is None:
        pytest.skip("no products of bytes here")
    own = said_by(model, ids)
    # Rounded activations that fall on either side of a half differ by a step.
    assert (one_by_one(texts_of(model), ids).double() - own).norm() < 0.02 * own.norm()


def with_adapters(model: PreTrainedModel, count: int = 1, **settings: object) -> PeftModel:
    """Adapters on every linear layer, as large as the weights, of different ranks and strengths."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        names = [f"adapter{number}" for number in range(count)]
        adapted: PeftModel | None = None
        for number, name in enumerate(names):
            config = LoraConfig(r=3 + 15 * number, lora_alpha=5, target_modules="all-linear", **settings)
            if adapted is None:
                adapted = get_peft_model(model, config, adapter_name=name)
            else:
                adapted.add_adapter(name, config)
        assert adapted is not None
        for name, parameter in adapted.named_parameters():
            if "lora_" in name:
                nn.init.normal_(parameter, 0, 0.2)
    adapted.base_model.set_adapter(names)
    return adapted.eval()


@needs_native
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_every_adapter_that_counts_is_heard(count: int, dtype: torch.dtype) -> None:
    model, ids = with_adapters(FAMILIES["qwen"]().to(dtype), count), ids_of(40)
    wanted = wanted_from(model, ids)
    found, own = one_by_one(texts_of(model), ids).double() - wanted, said_by(model, ids) - wanted
    with model.disable_adapter():
        base = wanted_from(model, ids)
        alone, own_alone = one_by_one(texts_of(model.get_base_model()), ids).double() - base, said_by(model, ids) - base
    assert (wanted - base).norm() > 0.1 * wanted.norm()
    assert found.norm() < (1e-5 * wanted.norm() if dtype == torch.float32 else own.norm())
    assert alone.norm() < (1e-5 * base.norm() if dtype == torch.float32 else own_alone.norm())


@needs_native
def test_our_own_layers_are_known_as_those_in_whose_place_they_stand() -> None:
    model, ids = with_adapters(llama().bfloat16()), ids_of(20)
    before = one_by_one(texts_of(model), ids)
    assert quicken(model)
    assert torch.equal(one_by_one(texts_of(model), ids), before)


@needs_native
def test_only_the_active_adapter_counts() -> None:
    model, ids = with_adapters(llama(), 2), ids_of(9)
    model.set_adapter("adapter1")
    wanted = wanted_from(model, ids)
    assert torch.allclose(one_by_one(texts_of(model), ids).double(), wanted, atol=2e-5 * float(wanted.abs().max()))


@needs_native
def test_a_merged_adapter_counts_once() -> None:
    model, ids = with_adapters(llama()), ids_of(9)
    wanted = wanted_from(model, ids)
    model.merge_adapter()
    found = one_by_one(texts_of(model), ids).double()
    assert torch.allclose(found, wanted, atol=2e-5 * float(wanted.abs().max()))
    with model.disable_adapter():
        assert decoder_of(model) is None


@pytest.mark.parametrize("family", ["gemma", "gpt2", "gpt-neo", "gpt-neox", "mistral"])
def test_other_models_are_left_to_transformers(family: str, tiny_tokenizer: PreTrainedTokenizerFast) -> None:
    assert decoder_of(build_model(family, tiny_tokenizer)) is None


@pytest.mark.parametrize("settings", [{"use_dora": True}, {"lora_bias": True}, {"modules_to_save": ["lm_head"]}])
def test_other_adapters_are_left_to_peft(settings: dict[str, object]) -> None:
    assert decoder_of(with_adapters(llama(), **settings)) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden_act": "gelu"},
        {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0}},
    ],
)
def test_other_settings_are_left_to_transformers(changes: dict[str, object]) -> None:
    assert decoder_of(llama(**changes)) is None


def test_a_model_that_trains_is_not_read_natively() -> None:
    """Dropout would be left out."""
    assert decoder_of(llama().train()) is None


@needs_native
@pytest.mark.parametrize("eight_bits", [False, True])
def test_a_text_is_told_the_same_alone_and_beside_others(eight_bits: bool) -> None:
    model = with_adapters(in_bits(llama().bfloat16(), eight_bits))
    prompts = [ids_of(5 + number, number) for number in range(7)]
    alone, together = texts_of(model), texts_of(model, 7)
    firsts = [together.read_on(number, prompt) for number, prompt in enumerate(prompts)]
    several = together.read([6, 2, 3, 0, 1, 5], [1, 2, 3, 4, 5, 6])
    for number, token, row in zip([6, 2, 3, 0, 1, 5], [1, 2, 3, 4, 5, 6], several, strict=True):
        alone.forget(0)
        assert torch.equal(one_by_one(alone, prompts[number])[-1:], firsts[number])
        assert torch.equal(alone.read([0], [token])[0], row)


@needs_native
@pytest.mark.parametrize("eight_bits", [False, True])
def test_threads_change_nothing(eight_bits: bool, threads: Callable[[int], None]) -> None:
    model, ids = with_adapters(in_bits(llama().bfloat16(), eight_bits)), ids_of(30)
    said = []
    for count in (1, 2, 3):
        threads(count)
        texts = texts_of(model)
        said.append(torch.cat([texts.read_on(0, ids[:20]), one_by_one(texts, ids[20:])]))
    assert torch.equal(said[0], said[1])
    assert torch.equal(said[0], said[2])


@needs_native
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("length", [1, 15, 16, 250])
def test_it_goes_on_where_the_model_stopped_and_grows(length: int, dtype: torch.dtype) -> None:
    model, ids = llama().to(dtype), ids_of(length + 30)
    texts, cache = texts_of(model, 2), DynamicCache()
    with torch.no_grad():
        model(input_ids=torch.tensor([ids[:length]]), past_key_values=cache)
    texts.take_over(1, cache)
    texts.follow(0, 1)
    wanted = wanted_from(model, ids)[length:]
    bound = (2e-5 if dtype == torch.float32 else 5e-2) * float(wanted.abs().max())
    first = one_by_one(texts, ids[length:], 1)
    assert torch.allclose(first.double(), wanted, atol=bound)
    assert torch.equal(one_by_one(texts, ids[length:], 0), first)
    assert texts.lengths == [length + 30] * 2


@needs_native
def test_it_may_be_asked_in_any_mode_and_keeps_no_graph() -> None:
    model, ids = llama(), ids_of(300)
    texts, cache = texts_of(model), DynamicCache()
    with torch.inference_mode():
        texts.read_on(0, ids)
    model(input_ids=torch.tensor([ids[:20]]), past_key_values=cache)
    texts.take_over(0, cache)
    assert not texts.read([0], [1]).requires_grad
    assert not texts._keys.requires_grad


@needs_native
@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
@pytest.mark.parametrize("eight_bits", [False, True])
def test_broken_weights_stay_visible(wrong: float, eight_bits: bool) -> None:
    model = llama()
    model.model.layers[1].mlp.down_proj.weight.data[3, 5] = wrong
    if eight_bits:
        model.model.layers[0].input_layernorm.weight.data[1] = wrong
        model.model.layers[1].mlp.down_proj.weight.data[3, 5] = 0
        to_int8(model)
    assert texts_of(model).read([0], [1]).isnan().any()
