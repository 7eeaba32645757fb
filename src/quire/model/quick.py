"""Our own layers in the place of transformers' and PEFT's: the same weights under the same names, the same numbers but
for rounding, in less time.  `quicken` puts them there and `as_before` takes them out.

A layer changes its class and nothing else (as torch's own `fully_shard` does it): whoever holds it, saves it or looks
for PEFT's class in it finds what was there before.  Only families whose layers were read and compared are touched.
"""

from __future__ import annotations

from typing import Any

import torch
from peft.tuners.lora import Linear as PeftLinear
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface, PreTrainedConfig, PreTrainedModel
from transformers.activations import SiLUActivation
from transformers.cache_utils import Cache
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask
from transformers.models.llama.modeling_llama import LlamaAttention, LlamaForCausalLM, LlamaMLP, LlamaRMSNorm
from transformers.models.mistral.modeling_mistral import (
    MistralAttention,
    MistralForCausalLM,
    MistralMLP,
    MistralRMSNorm,
)
from transformers.models.qwen2.modeling_qwen2 import Qwen2Attention, Qwen2ForCausalLM, Qwen2MLP, Qwen2RMSNorm
from transformers.models.qwen3.modeling_qwen3 import Qwen3Attention, Qwen3ForCausalLM, Qwen3MLP, Qwen3RMSNorm

from quire.model.kernels.attention import Turns, causal_attention
from quire.model.kernels.gate import silu_times
from quire.model.kernels.gpu import frozen_weight, low_rank_linear
from quire.model.kernels.low_rank import add_low_rank, draw_seed
from quire.model.kernels.norm import rms_norm

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


class _Attention(nn.Module):
    """Attention over the works of a row; with a cache, or with a mask of its own, as transformers does it."""

    q_proj: nn.Linear
    k_proj: nn.Linear
    v_proj: nn.Linear
    o_proj: nn.Linear
    head_dim: int
    scaling: float

    def forward(
        self,
        hidden_states: Tensor,
        position_embeddings: tuple[Tensor, Tensor] | None = None,
        attention_mask: Tensor | None = None,
        past_key_values: Cache | None = None,
        **others: Any,
    ) -> tuple[Tensor, Any]:
        """hidden_states (rows, length, width) to the same; `others` are transformers' own, position_ids among them."""
        if past_key_values is not None or attention_mask is not None or position_embeddings is None:
            before: tuple[Tensor, Any] = super().forward(
                hidden_states, position_embeddings, attention_mask, past_key_values, **others
            )
            return before
        rows, length, _ = hidden_states.shape
        query, key, value = (x.reshape(rows * length, -1, self.head_dim) for x in self._projected(hidden_states))
        cos, sin = (x.reshape(-1, x.shape[-1]) for x in position_embeddings)
        starts = works_in(others["position_ids"], rows)
        attended = causal_attention(query, key, value, starts, self.scaling, Turns(cos, sin))
        return self.o_proj(attended.reshape(rows, length, -1)), None

    def _projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.q_proj(x), self.k_proj(x), self.v_proj(x)


class _NormedAttention(_Attention):
    """Queries and keys are normed head by head, as in Qwen 3."""

    q_norm: Qwen3RMSNorm
    k_norm: Qwen3RMSNorm

    def _projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value = super()._projected(x)
        heads = (*x.shape[:-1], -1, self.head_dim)
        return self.q_norm(query.view(heads)), self.k_norm(key.view(heads)), value


class _Norm(nn.Module):
    weight: nn.Parameter
    variance_epsilon: float

    def forward(self, hidden_states: Tensor) -> Tensor:
        """(…, width) to the same."""
        return rms_norm(hidden_states, self.weight, self.variance_epsilon)


class _Gated(nn.Module):
    gate_proj: nn.Linear
    up_proj: nn.Linear
    down_proj: nn.Linear
    act_fn: nn.Module

    def forward(self, x: Tensor) -> Tensor:
        """(…, width) to the same."""
        if not isinstance(self.act_fn, SiLUActivation | nn.SiLU):
            before: Tensor = super().forward(x)
            return before
        output: Tensor = self.down_proj(silu_times(self.gate_proj(x), self.up_proj(x)))
        return output


class QuickLlamaAttention(_Attention, LlamaAttention): ...


class QuickMistralAttention(_Attention, MistralAttention): ...


class QuickQwen2Attention(_Attention, Qwen2Attention): ...


class QuickQwen3Attention(_NormedAttention, Qwen3Attention): ...


class QuickLlamaNorm(_Norm, LlamaRMSNorm): ...


class QuickMistralNorm(_Norm, MistralRMSNorm): ...


class QuickQwen2Norm(_Norm, Qwen2RMSNorm): ...


class QuickQwen3Norm(_Norm, Qwen3RMSNorm): ...


class QuickLlamaGated(_Gated, LlamaMLP): ...


class QuickMistralGated(_Gated, MistralMLP): ...


class QuickQwen2Gated(_Gated, Qwen2MLP): ...


class QuickQwen3Gated(_Gated, Qwen3MLP): ...


class QuickLinear(PeftLinear):
    """PEFT's linear layer with adapters; where they are plain ones their products are added in one pass."""

    def forward(self, x: Tensor, *args: object, **kwargs: object) -> Tensor:
        """(…, inputs) to (…, outputs)."""
        names = [name for name in self.active_adapters if name in self.lora_A]
        special = any(name in self.lora_variant or self.lora_bias[name] for name in names)
        plain = x.dtype == torch.bfloat16 and not (special or args or kwargs)
        if not plain or self.disable_adapters or self.merged:
            return super().forward(x, *args, **kwargs)
        # On a GPU the first adapter's products go with the frozen layer's own.
        frozen = frozen_weight(self.base_layer, x.dtype) if x.is_cuda and names else None
        result = self.base_layer(x) if frozen is None else None
        for name in names:
            first = self.lora_A[name].get_parameter("weight")
            second = self.lora_B[name].get_parameter("weight")
            dropout = self.lora_dropout[name]
            rate = dropout.p if self.training and isinstance(dropout, nn.Dropout) else 0.0
            seed = draw_seed() if rate > 0 else 0
            if result is None:
                bias = self.base_layer.bias
                assert frozen is not None
                assert bias is None or isinstance(bias, Tensor)
                result = low_rank_linear(x, frozen, bias, first, second, self.scaling[name], rate, seed)
            else:
                result = add_low_rank(result, x, first, second, self.scaling[name], rate, seed)
        assert isinstance(result, Tensor)
        return result


QUICK: dict[type[nn.Module], type[nn.Module]] = {
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


def works_in(positions: Tensor, rows: int) -> list[int]:
    """Where the works of `rows` rows of tokens begin, and the end: a work goes on while positions rise by one.

    `positions` is (1 or rows, length); the rows lie one behind the other.
    """
    length = positions.shape[1]
    within: list[list[int]] = [[] for _ in positions]
    for row, at in (positions.diff(dim=1) != 1).nonzero().tolist():
        within[row].append(at + 1)
    starts = [row * length + at for row in range(rows) for at in (0, *within[row % len(within)])]
    return [*starts, rows * length]


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
