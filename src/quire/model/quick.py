"""Our own layers in the place of transformers' and PEFT's: the same weights under the same names, the same numbers but
for rounding, in less time.  `quicken` puts them there and `as_before` takes them out.

A layer changes its class and nothing else (as torch's own `fully_shard` does it): whoever holds it, saves it or looks
for PEFT's class in it finds what was there before.  Only families whose layers were read and compared are touched.
"""

from __future__ import annotations

from typing import Any

from peft.tuners.lora import Linear as PeftLinear
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedConfig, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask
from transformers.models.llama.modeling_llama import (
    LlamaAttention,
    LlamaDecoderLayer,
    LlamaForCausalLM,
    LlamaMLP,
    LlamaRMSNorm,
    LlamaRotaryEmbedding,
)
from transformers.models.mistral.modeling_mistral import (
    MistralAttention,
    MistralDecoderLayer,
    MistralForCausalLM,
    MistralMLP,
    MistralRMSNorm,
    MistralRotaryEmbedding,
)
from transformers.models.qwen2.modeling_qwen2 import (
    Qwen2Attention,
    Qwen2DecoderLayer,
    Qwen2ForCausalLM,
    Qwen2MLP,
    Qwen2RMSNorm,
    Qwen2RotaryEmbedding,
)
from transformers.models.qwen3.modeling_qwen3 import (
    Qwen3Attention,
    Qwen3DecoderLayer,
    Qwen3ForCausalLM,
    Qwen3MLP,
    Qwen3RMSNorm,
    Qwen3RotaryEmbedding,
)

from quire.model.quick_layers import (
    Attention,
    Gated,
    Layer,
    NormedAttention,
    QuickLinear,
    RootNorm,
    Rotary,
)

FAMILIES = (LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM, Qwen3ForCausalLM)

# The name by which transformers knows our attention.
ATTENTION = "quire"


def quicken(model: nn.Module) -> bool:
    """Put our layers into `model`, in place; whether its family is one of those that we know.

    Adapters that lie on it already are met too; those that come later need another call.
    """
    inner = _known(model)
    if inner is None or _sees_in_part(inner.config):
        return False
    _exchange(model, QUICK)
    inner.set_attn_implementation(ATTENTION)
    return True


def as_before(model: nn.Module) -> None:
    """The inverse of `quicken`."""
    inner = _known(model)
    if inner is not None and inner.config._attn_implementation == ATTENTION:
        _exchange(model, {quick: plain for plain, quick in QUICK.items()})
        inner.set_attn_implementation("sdpa")


def is_quick(model: nn.Module) -> bool:
    """Whether our layers are in it."""
    inner = _known(model)
    return inner is not None and inner.config._attn_implementation == ATTENTION


class QuickLlamaRotary(Rotary, LlamaRotaryEmbedding): ...


class QuickMistralRotary(Rotary, MistralRotaryEmbedding): ...


class QuickQwen2Rotary(Rotary, Qwen2RotaryEmbedding): ...


class QuickQwen3Rotary(Rotary, Qwen3RotaryEmbedding): ...


class QuickLlamaLayer(Layer, LlamaDecoderLayer): ...  # type: ignore[no-untyped-call]


class QuickMistralLayer(Layer, MistralDecoderLayer): ...  # type: ignore[no-untyped-call]


class QuickQwen2Layer(Layer, Qwen2DecoderLayer): ...  # type: ignore[no-untyped-call]


class QuickQwen3Layer(Layer, Qwen3DecoderLayer): ...  # type: ignore[no-untyped-call]


class QuickLlamaAttention(Attention, LlamaAttention): ...


class QuickMistralAttention(Attention, MistralAttention): ...


class QuickQwen2Attention(Attention, Qwen2Attention): ...


class QuickQwen3Attention(NormedAttention, Qwen3Attention): ...


class QuickLlamaNorm(RootNorm, LlamaRMSNorm): ...


class QuickMistralNorm(RootNorm, MistralRMSNorm): ...


class QuickQwen2Norm(RootNorm, Qwen2RMSNorm): ...


class QuickQwen3Norm(RootNorm, Qwen3RMSNorm): ...


class QuickLlamaGated(Gated, LlamaMLP): ...


class QuickMistralGated(Gated, MistralMLP): ...


class QuickQwen2Gated(Gated, Qwen2MLP): ...


class QuickQwen3Gated(Gated, Qwen3MLP): ...


QUICK: dict[type[nn.Module], type[nn.Module]] = {
    LlamaRotaryEmbedding: QuickLlamaRotary,
    MistralRotaryEmbedding: QuickMistralRotary,
    Qwen2RotaryEmbedding: QuickQwen2Rotary,
    Qwen3RotaryEmbedding: QuickQwen3Rotary,
    LlamaDecoderLayer: QuickLlamaLayer,
    MistralDecoderLayer: QuickMistralLayer,
    Qwen2DecoderLayer: QuickQwen2Layer,
    Qwen3DecoderLayer: QuickQwen3Layer,
    LlamaAttention: QuickLlamaAttention,
    MistralAttention: QuickMistralAttention,
    Qwen2Attention: QuickQwen2Attention,
    Qwen3Attention: QuickQwen3Attention,
    LlamaRMSNorm: QuickLlamaNorm,
    MistralRMSNorm: QuickMistralNorm,
    Qwen2RMSNorm: QuickQwen2Norm,
    Qwen3RMSNorm: QuickQwen3Norm,
    LlamaMLP: QuickLlamaGated,
    MistralMLP: QuickMistralGated,
    Qwen2MLP: QuickQwen2Gated,
    Qwen3MLP: QuickQwen3Gated,
    PeftLinear: QuickLinear,
}


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    **settings: Any,
) -> tuple[Tensor, Tensor | None]:
    """What is left to transformers: reading with a cache."""
    attended: tuple[Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **settings)
    return attended


def _mask(
    q_length: int, kv_length: int, q_offset: int = 0, attention_mask: Tensor | None = None, **settings: Any
) -> Tensor | None:
    """None where a row is read as a whole: the works in it are kept apart by their positions."""
    if attention_mask is None and q_length == kv_length and q_offset == 0:
        return None
    mask: Tensor | None = sdpa_mask(
        q_length=q_length, kv_length=kv_length, q_offset=q_offset, attention_mask=attention_mask, **settings
    )
    return mask


def _known(model: nn.Module) -> PreTrainedModel | None:
    """The model of a known family that `model` is, or that adapters lie on."""
    return next((inner for inner in model.modules() if isinstance(inner, FAMILIES)), None)


def _sees_in_part(config: PreTrainedConfig) -> bool:
    """Whether some layer sees only the nearest tokens, or some of them at random."""
    settings = config.to_dict()
    if settings["attention_dropout"] > 0:
        return True
    kinds = settings.get("layer_types")
    if kinds is not None:
        return any(kind != "full_attention" for kind in kinds)
    return settings.get("sliding_window") is not None


def _exchange(model: nn.Module, classes: dict[type[nn.Module], type[nn.Module]]) -> None:
    for module in model.modules():
        other = classes.get(type(module))
        if other is not None:
            module.__class__ = other


AttentionInterface.register(ATTENTION, _attend)
AttentionMaskInterface.register(ATTENTION, _mask)
