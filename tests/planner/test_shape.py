from __future__ import annotations

import json
from pathlib import Path

import pytest

from quire.errors import BaseModelError, RecipeError
from quire.planner.shape import BaseShape, read_shape, shape_of
from quire.recipe.method import Lora

LLAMA_1B = {
    "model_type": "llama",
    "hidden_size": 2048,
    "num_hidden_layers": 16,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "intermediate_size": 8192,
    "vocab_size": 128256,
    "max_position_embeddings": 131072,
    "tie_word_embeddings": True,
}
LLAMA_3B = LLAMA_1B | {
    "hidden_size": 3072,
    "num_hidden_layers": 28,
    "num_attention_heads": 24,
    "head_dim": 128,
}
R8 = Lora(rank=8, targets=["q_proj", "v_proj"])


def test_llama_1b_has_the_published_numbers() -> None:
    shape = shape_of(LLAMA_1B)
    assert shape.parameters == 1_235_814_400
    assert shape.lora_parameters(R8) == 851_968


def test_llama_3b_has_the_published_numbers() -> None:
    shape = shape_of(LLAMA_3B)
    assert shape.parameters == 3_212_749_824
    assert shape.lora_parameters(R8) == 2_293_760


FAMILIES = ("llama", "mistral", "qwen", "gemma", "gpt2", "gpt-neo", "gpt-neox")


@pytest.mark.parametrize("family", FAMILIES)
def test_parameters_are_those_of_the_real_model(family: str, tiny_bases: dict[str, Path]) -> None:
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_bases[family])
    shape = read_shape(tiny_bases[family])
    assert shape.exact
    assert shape.parameters == model.num_parameters()
    assert shape.hidden == 32
    assert shape.layers == 2
    assert shape.positions == 256


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "settings",
    [{"rank": 4}, {"rank": 3, "dora": True}, {"rank": 2, "bias": "all"}, {"rank": 2, "bias": "lora_only"}],
    ids=["plain", "dora", "all biases", "own biases"],
)
def test_trainable_parameters_are_those_that_peft_makes(
    family: str, settings: dict[str, object], tiny_bases: dict[str, Path]
) -> None:
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    lora = Lora.model_validate(settings)
    model = AutoModelForCausalLM.from_pretrained(tiny_bases[family])
    config = LoraConfig(
        r=lora.rank, target_modules=lora.targets, bias=lora.bias, use_dora=lora.dora, task_type="CAUSAL_LM"
    )
    adapted = get_peft_model(model, config)
    assert read_shape(tiny_bases[family]).lora_parameters(lora) == adapted.get_nb_trainable_parameters()[0]


OUTSIDE = {
    "gpt2": ["wte", "wpe", "lm_head"],
    "gpt-neo": ["wte", "wpe", "lm_head"],
    "gpt-neox": ["embed_in", "lm_head"],
}


@pytest.mark.parametrize("dora", [False, True])
@pytest.mark.parametrize("family", FAMILIES)
def test_embeddings_and_head_are_adapted_once_where_they_are_named(
    family: str, dora: bool, tiny_bases: dict[str, Path]
) -> None:
    from quire.model.adapters import attach
    from quire.model.base import load_model

    shape = read_shape(tiny_bases[family])
    outside = OUTSIDE.get(family, ["embed_tokens", "lm_head"])
    assert [linear.name for linear in shape.outside] == outside
    for targets in (["lm_head"], [*outside, shape.linears[0].name]):
        lora = Lora(rank=3, targets=targets, dora=dora)
        adapted = attach(load_model(tiny_bases[family], "fp32"), lora, seed=1)
        assert shape.lora_parameters(lora) == adapted.get_nb_trainable_parameters()[0]


def test_a_target_may_be_named_with_what_it_stands_in(tiny_base: Path) -> None:
    """The plan and the training take and refuse the same names."""
    from quire.model.adapters import attach
    from quire.model.base import load_model

    lora = Lora(rank=3, targets=["self_attn.q_proj"])
    adapted = attach(load_model(tiny_base, "fp32"), lora, seed=1)
    assert read_shape(tiny_base).lora_parameters(lora) == adapted.get_nb_trainable_parameters()[0]
    with pytest.raises(RecipeError, match=r"no layer named mlp\.q_proj"):
        attach(load_model(tiny_base, "fp32"), Lora(targets=["mlp.q_proj"]), seed=1)


def test_layer_that_a_base_lacks_is_refused_with_those_it_has(tiny_bases: dict[str, Path]) -> None:
    with pytest.raises(RecipeError, match="no layer named q_proj, v_proj") as caught:
        read_shape(tiny_bases["gpt2"]).lora_parameters(R8)
    assert "c_attn, c_proj, c_fc" in caught.value.then


def test_one_target_may_be_a_plain_word() -> None:
    shape = shape_of(LLAMA_1B)
    assert shape.lora_parameters(Lora(rank=8, targets="q_proj")) == 16 * 8 * (2048 + 2048)


def test_unknown_family_is_taken_for_a_llama_and_says_so() -> None:
    shape = shape_of(LLAMA_1B | {"model_type": "newcomer"})
    assert not shape.exact
    assert shape.parameters == 1_235_814_400


def test_text_part_of_a_larger_model_counts() -> None:
    nested = {"model_type": "gemma3", "text_config": LLAMA_1B}
    assert shape_of(nested).parameters == 1_235_814_400


def read(folder: Path, text: str) -> BaseShape:
    (folder / "config.json").write_text(text)
    return read_shape(folder)


def test_config_that_says_too_little_is_named(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match=r"no config\.json"):
        read_shape(tmp_path)
    with pytest.raises(BaseModelError, match="cannot be read"):
        read(tmp_path, "{")
    with pytest.raises(BaseModelError, match="not a model's config"):
        read(tmp_path, "[]")
    with pytest.raises(BaseModelError, match="does not say hidden_size"):
        read(tmp_path, json.dumps({"model_type": "resnet"}))
    with pytest.raises(BaseModelError, match="does not say vocab_size"):
        read(tmp_path, json.dumps(LLAMA_1B | {"vocab_size": "many"}))
