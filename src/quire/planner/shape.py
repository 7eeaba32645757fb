"""The shape of a base, read from its config.json: enough to count its weights without loading them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quire.errors import BaseModelError, RecipeError
from quire.recipe.method import ALL_LINEAR, Lora

_LLAMA_LIKE = ("llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2", "gemma3_text", "smollm3")


@dataclass(frozen=True)
class Linear:
    """A weight matrix; `name` is the last part of its module's name."""

    name: str
    inputs: int
    outputs: int
    bias: bool = False

    @property
    def parameters(self) -> int:
        return self.outputs * (self.inputs + self.bias)


@dataclass(frozen=True)
class BaseShape:
    """What the arithmetic needs to know of a base.

    `linears` are those of one layer; `outside` are the matrices that stand there once, embeddings and head, on which an
    adapter lies where they are named; `other` counts the parameters outside layers and embeddings' matrices (norms,
    learned positions), `other_biases` the biases among them.  `exact` is False for a family that is only assumed to
    look like Llama.
    """

    family: str
    hidden: int
    layers: int
    heads: int
    key_value_heads: int
    intermediate: int
    vocabulary: int
    positions: int | None
    tied: bool
    linears: tuple[Linear, ...]
    outside: tuple[Linear, ...]
    other: int
    other_biases: int = 0
    exact: bool = True

    @property
    def linear_parameters(self) -> int:
        """Parameters of the layers' matrices: the ones that a token is multiplied with."""
        return self.layers * sum(linear.parameters for linear in self.linears)

    @property
    def embedding_parameters(self) -> int:
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def parameters(self) -> int:
        """All of them; tied embeddings count once."""
        return self.linear_parameters + self.embedding_parameters + self.other

    @property
    def multiplied(self) -> int:
        """Parameters that every token is multiplied with: the layers and the head, not the look-up of embeddings."""
        return self.linear_parameters + self.vocabulary * self.hidden

    def targets(self, lora: Lora) -> tuple[Linear, ...]:
        """The linears of a layer that an adapter would adapt.  RecipeError names those there are if one is not."""
        if lora.targets == ALL_LINEAR:
            return self.linears
        self._require(lora)
        return tuple(linear for linear in self.linears if linear.name in _names(lora))

    def targets_outside(self, lora: Lora) -> tuple[Linear, ...]:
        """The matrices outside the layers that an adapter would adapt: those that are named."""
        return tuple(linear for linear in self.outside if linear.name in _names(lora))

    def _require(self, lora: Lora) -> None:
        names = [linear.name for linear in self.linears]
        known = dict.fromkeys([*names, *(linear.name for linear in self.outside)])
        missing = [name for name in _names(lora) if name not in known]
        if missing and self.exact:
            raise RecipeError(
                f"targets of the adapter: this base ({self.family}) has no layer named {', '.join(missing)}",
                f"choose among {', '.join(known)}, or use all-linear",
                "targets",
            )

    def lora_parameters(self, lora: Lora) -> int:
        """Trainable parameters of an adapter: rank × (inputs + outputs) for every matrix it adapts."""
        targets = self.targets(lora)
        matrices, once = _ranks(lora, targets), _ranks(lora, self.targets_outside(lora))
        biased = {"none": (), "lora_only": targets, "all": self.linears}[lora.bias]
        biases = sum(linear.outputs for linear in biased if linear.bias)
        return self.layers * (matrices + biases) + once + (self.other_biases if lora.bias == "all" else 0)


def _names(lora: Lora) -> list[str]:
    """The last parts of the names of an adapter's targets: peft matches the end of a module's dotted name."""
    wanted = [lora.targets] if isinstance(lora.targets, str) else lora.targets
    return [target.rsplit(".", 1)[-1] for target in wanted]


def _ranks(lora: Lora, linears: tuple[Linear, ...]) -> int:
    """Trainable numbers of an adapter on these matrices; DoRA learns a magnitude of every output as well."""
    return sum(lora.rank * (each.inputs + each.outputs) + lora.dora * each.outputs for each in linears)


def read_shape(folder: Path) -> BaseShape:
    """The shape of the base in `folder`.  BaseModelError where its config.json is missing or says too little."""
    file = folder / "config.json"
    try:
        config = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        message = f"{folder} has no config.json"
        raise BaseModelError(message, "name the folder of a model in transformers layout") from None
    except (ValueError, OSError) as error:
        raise BaseModelError(f"{file} cannot be read: {error}", "download the base again") from None
    if not isinstance(config, dict):
        raise BaseModelError(f"{file} is not a model's config", "name the folder of a model in transformers layout")
    try:
        return shape_of(config)
    except KeyError as error:
        message = f"{file} does not say {error.args[0]}: it is not the config of a language model that Quire knows"
        raise BaseModelError(message, "choose a base of the Llama, Mistral, Qwen, Gemma or GPT families") from None


def shape_of(config: Mapping[str, Any]) -> BaseShape:
    """The shape that a config.json describes.  KeyError names what is missing."""
    text = config.get("text_config")
    if isinstance(text, dict):
        config = {
            **text,
            "tie_word_embeddings": text.get("tie_word_embeddings", config.get("tie_word_embeddings", True)),
        }
    family = str(config.get("model_type", "unknown"))
    if family == "gpt2":
        return _gpt2(config)
    if family == "gpt_neo":
        return _gpt_neo(config)
    if family == "gpt_neox":
        return _gpt_neox(config)
    return _llama_like(config, family)


def _llama_like(config: Mapping[str, Any], family: str) -> BaseShape:
    hidden, layers, heads = (
        _int(config, "hidden_size"),
        _int(config, "num_hidden_layers"),
        _int(config, "num_attention_heads"),
    )
    kv_heads = int(config.get("num_key_value_heads") or heads)
    intermediate = _int(config, "intermediate_size")
    head = int(config.get("head_dim") or hidden // heads)
    gemma = family.startswith("gemma")
    bias = bool(config.get("attention_bias", False))
    inner_bias = bool(config.get("mlp_bias", False))
    linears = (
        Linear("q_proj", hidden, heads * head, bias or family == "qwen2"),
        Linear("k_proj", hidden, kv_heads * head, bias or family == "qwen2"),
        Linear("v_proj", hidden, kv_heads * head, bias or family == "qwen2"),
        Linear("o_proj", heads * head, hidden, bias),
        Linear("gate_proj", hidden, intermediate, inner_bias),
        Linear("up_proj", hidden, intermediate, inner_bias),
        Linear("down_proj", intermediate, hidden, inner_bias),
    )
    norms = hidden * (4 if family in ("gemma2", "gemma3_text") else 2)
    if family in ("qwen3", "gemma3_text"):  # norms of queries and keys
        norms += 2 * head
    return BaseShape(
        family=family,
        hidden=hidden,
        layers=layers,
        heads=heads,
        key_value_heads=kv_heads,
        intermediate=intermediate,
        vocabulary=_int(config, "vocab_size"),
        positions=_optional(config, "max_position_embeddings"),
        tied=bool(config.get("tie_word_embeddings", gemma)),
        linears=linears,
        outside=_outside(config, hidden, "embed_tokens"),
        other=layers * norms + hidden,
        exact=family in _LLAMA_LIKE,
    )


def _gpt2(config: Mapping[str, Any]) -> BaseShape:
    hidden, layers = _int(config, "n_embd"), _int(config, "n_layer")
    inner = int(config.get("n_inner") or 4 * hidden)
    positions = _int(config, "n_positions")
    return BaseShape(
        family="gpt2",
        hidden=hidden,
        layers=layers,
        heads=_int(config, "n_head"),
        key_value_heads=_int(config, "n_head"),
        intermediate=inner,
        vocabulary=_int(config, "vocab_size"),
        positions=positions,
        tied=bool(config.get("tie_word_embeddings", True)),
        linears=(
            Linear("c_attn", hidden, 3 * hidden, True),
            Linear("c_proj", hidden, hidden, True),
            Linear("c_fc", hidden, inner, True),
            Linear("c_proj", inner, hidden, True),
        ),
        outside=_outside(config, hidden, "wte", positions),
        other=layers * 4 * hidden + 2 * hidden + positions * hidden,
        other_biases=layers * 2 * hidden + hidden,
    )


def _gpt_neo(config: Mapping[str, Any]) -> BaseShape:
    hidden, layers = _int(config, "hidden_size"), _int(config, "num_layers")
    inner = int(config.get("intermediate_size") or 4 * hidden)
    positions = _int(config, "max_position_embeddings")
    return BaseShape(
        family="gpt_neo",
        hidden=hidden,
        layers=layers,
        heads=_int(config, "num_heads"),
        key_value_heads=_int(config, "num_heads"),
        intermediate=inner,
        vocabulary=_int(config, "vocab_size"),
        positions=positions,
        tied=bool(config.get("tie_word_embeddings", True)),
        linears=(
            Linear("q_proj", hidden, hidden),
            Linear("k_proj", hidden, hidden),
            Linear("v_proj", hidden, hidden),
            Linear("out_proj", hidden, hidden, True),
            Linear("c_fc", hidden, inner, True),
            Linear("c_proj", inner, hidden, True),
        ),
        outside=_outside(config, hidden, "wte", positions),
        other=layers * 4 * hidden + 2 * hidden + positions * hidden,
        other_biases=layers * 2 * hidden + hidden,
    )


def _gpt_neox(config: Mapping[str, Any]) -> BaseShape:
    hidden, layers, inner = (
        _int(config, "hidden_size"),
        _int(config, "num_hidden_layers"),
        _int(config, "intermediate_size"),
    )
    bias = bool(config.get("attention_bias", True))
    return BaseShape(
        family="gpt_neox",
        hidden=hidden,
        layers=layers,
        heads=_int(config, "num_attention_heads"),
        key_value_heads=_int(config, "num_attention_heads"),
        intermediate=inner,
        vocabulary=_int(config, "vocab_size"),
        positions=_optional(config, "max_position_embeddings"),
        tied=bool(config.get("tie_word_embeddings", False)),
        linears=(
            Linear("query_key_value", hidden, 3 * hidden, bias),
            Linear("dense", hidden, hidden, bias),
            Linear("dense_h_to_4h", hidden, inner, True),
            Linear("dense_4h_to_h", inner, hidden, True),
        ),
        outside=_outside(config, hidden, "embed_in"),
        other=layers * 4 * hidden + 2 * hidden,
        other_biases=layers * 2 * hidden + hidden,
    )


def _outside(
    config: Mapping[str, Any], hidden: int, embeddings: str, positions: int | None = None
) -> tuple[Linear, ...]:
    """Embeddings, learned positions where a family has them, and the head, as transformers names them."""
    words = _int(config, "vocab_size")
    learned = () if positions is None else (Linear("wpe", positions, hidden),)
    return Linear(embeddings, words, hidden), *learned, Linear("lm_head", hidden, words)


def _int(config: Mapping[str, Any], key: str) -> int:
    value = config[key]
    if isinstance(value, bool) or not isinstance(value, int):
        raise KeyError(key)
    return value


def _optional(config: Mapping[str, Any], key: str) -> int | None:
    value = config.get(key)
    return value if isinstance(value, int) else None
