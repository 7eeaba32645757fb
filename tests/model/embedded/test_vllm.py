"""What vLLM asks of a folder before it serves it, read in its Llama and its loaders (0.32): it needs no GPU to be seen.

It builds the model from config.json, takes weights by their names, and refuses what its kernels cannot do.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors import safe_open

HEAD_SIZES = {64, 128, 256}
"""Those that every attention backend for Llamas has: FlashInfer's are the fewest."""
DEFAULT_THETA = 10000.0
"""What readers older than transformers 5 take where config.json has no rope_theta of its own."""


def shapes_of(config: dict[str, Any]) -> dict[str, list[int]]:
    """The weights of a Llama with tied embeddings and without biases."""
    hidden, inner, size = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    asks, answers = config["num_attention_heads"] * size, config["num_key_value_heads"] * size
    layer = {
        "input_layernorm": [hidden],
        "post_attention_layernorm": [hidden],
        "self_attn.q_proj": [asks, hidden],
        "self_attn.k_proj": [answers, hidden],
        "self_attn.v_proj": [answers, hidden],
        "self_attn.o_proj": [hidden, asks],
        "mlp.gate_proj": [inner, hidden],
        "mlp.up_proj": [inner, hidden],
        "mlp.down_proj": [hidden, inner],
    }
    layers = range(config["num_hidden_layers"])
    every = {f"model.layers.{n}.{name}.weight": shape for n in layers for name, shape in layer.items()}
    outer = {"model.embed_tokens.weight": [config["vocab_size"], hidden], "model.norm.weight": [hidden]}
    return every | outer


def test_it_is_a_llama_without_anything_of_its_own(config: dict[str, Any]) -> None:
    assert config["architectures"] == ["LlamaForCausalLM"]
    assert config["model_type"] == "llama"
    assert config["hidden_act"] == "silu"
    assert not config.get("attention_bias")
    assert not config.get("mlp_bias")
    assert not {"auto_map", "quantization_config", "layer_types", "sliding_window"} & config.keys()


def test_the_weights_have_the_names_and_shapes_that_are_loaded(embedded: Path, config: dict[str, Any]) -> None:
    """lm_head has none of its own: it is the embedding, and vLLM must be told so."""
    assert config["tie_word_embeddings"] is True
    assert config["dtype"] == "bfloat16"
    found = {}
    with safe_open(embedded / "model.safetensors", "np") as weights:
        assert weights.metadata() == {"format": "pt"}
        for name in weights.keys():  # noqa: SIM118  (an open file is no mapping)
            part = weights.get_slice(name)
            found[name] = part.get_shape()
            assert part.get_dtype() == "BF16", name
    assert found == shapes_of(config)


def test_all_weights_lie_in_one_file(embedded: Path) -> None:
    """An index, or a second copy in another format, would be read too, or instead."""
    kinds = (".safetensors", ".bin", ".pt", ".pth", ".gguf")
    assert [file.name for file in embedded.iterdir() if file.suffix in kinds] == ["model.safetensors"]
    assert not (embedded / "model.safetensors.index.json").exists()


def test_its_heads_are_such_as_kernels_know(config: dict[str, Any]) -> None:
    heads, size = config["num_attention_heads"], config["head_dim"]
    assert size in HEAD_SIZES
    assert heads % config["num_key_value_heads"] == 0
    assert heads * size == config["hidden_size"], "readers that know no head_dim divide"


def test_positions_mean_the_same_to_old_readers_and_new(config: dict[str, Any]) -> None:
    """transformers 5 writes what was rope_theta into rope_parameters, where those before it do not look."""
    rope = config["rope_parameters"]
    assert set(rope) == {"rope_theta", "rope_type"}
    assert rope["rope_type"] == "default"
    assert config.get("rope_theta", DEFAULT_THETA) == rope["rope_theta"]
    assert config.get("rope_scaling") is None


def test_its_tokenizer_is_of_a_class_that_every_version_has(embedded: Path) -> None:
    """transformers 5 calls it TokenizersBackend when it saves one, and no earlier version knows that name."""
    settings = json.loads((embedded / "tokenizer_config.json").read_text(encoding="utf-8"))
    assert settings["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert settings["model_input_names"] == ["input_ids", "attention_mask"], "a Llama refuses token_type_ids"


def test_what_ends_a_text_is_said_in_generation_config(embedded: Path, config: dict[str, Any]) -> None:
    """vLLM stops where it says, and samples by it unless it is asked otherwise."""
    said = json.loads((embedded / "generation_config.json").read_text(encoding="utf-8"))
    assert {name: said[name] for name in ("bos_token_id", "eos_token_id")} == {
        name: config[name] for name in ("bos_token_id", "eos_token_id")
    }
    assert all(0 <= said[name] < config["vocab_size"] for name in said if name.endswith("_token_id"))
