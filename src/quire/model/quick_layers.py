"""What our own layers do in the place of transformers' and PEFT's; `quick` puts them there.

Each is a mixin before the layer that it stands for, and leaves to that one what it does not know.  A decoder layer over
a frozen base is computed as a whole, in one step of autograd (`kernels.decoder_layer`); where something in it is
special, or learns itself, it goes through its parts one by one, and those through theirs.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import torch
from peft.tuners.lora import Linear as PeftLinear
from torch import Tensor, nn
from transformers.activations import SiLUActivation
from transformers.cache_utils import Cache

from quire.model.kernels.attention import Looks, Turns, causal_attention, knows_features
from quire.model.kernels.decoder_layer import DecoderLayer, FrozenLinear, Norm, decoder_layer
from quire.model.kernels.gate import silu_times
from quire.model.kernels.gpu import frozen_weight, low_rank_linear
from quire.model.kernels.low_rank import MOST_RANKS, LowRank, add_low_rank, draw_seed
from quire.model.kernels.native import native
from quire.model.kernels.norm import rms_norm
from quire.model.lowbit import Int8Linear, multiplies_bytes

# Where transformers keeps what it hangs on layers to hand out their states and attention.
OUTPUT_CAPTURING = "transformers.utils.output_capturing"


class Places(tuple[Tensor, Tensor]):
    """Where the tokens of some rows stand: cos and sin, as transformers hands them on to its layers, and what is found
    out from their positions once for all layers, when the first of them asks."""

    positions: Tensor  # (1 or rows, length)
    rows: int

    @cached_property
    def starts(self) -> list[int]:
        """Where works begin, as `works_in` tells it."""
        return works_in(self.positions, self.rows)

    @cached_property
    def turns(self) -> Turns:
        """cos and sin of all rows, one behind the other, in the format in which queries and keys come."""
        kind = self[0].device.type
        computed = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else self[0].dtype
        cos, sin = (x.reshape(-1, x.shape[-1]).to(computed).contiguous() for x in self)
        return Turns(cos, sin)

    @cached_property
    def starts_in_memory(self) -> Tensor:
        """The same as the kernels read it."""
        return torch.tensor(self.starts)


class Rotary(nn.Module):
    """Computed once for all layers; the layers find the positions with it."""

    def forward(self, x: Tensor, position_ids: Tensor) -> Places:
        """x (rows, …), for its format and number of rows; position_ids (1 or rows, length)."""
        places = Places(super().forward(x, position_ids))
        places.positions, places.rows = position_ids, len(x)
        return places


class Attention(nn.Module):
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
        if past_key_values is not None or attention_mask is not None:
            before: tuple[Tensor, Any] = super().forward(
                hidden_states, position_embeddings, attention_mask, past_key_values, **others
            )
            return before
        assert isinstance(position_embeddings, Places)
        rows, length, _ = hidden_states.shape
        query, key, value = (x.reshape(rows * length, -1, self.head_dim) for x in self._projected(hidden_states))
        starts, turns = position_embeddings.starts, position_embeddings.turns
        attended = causal_attention(query, key, value, starts, self.scaling, turns)
        return self.o_proj(attended.reshape(rows, length, -1)), None

    def _projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return self.q_proj(x), self.k_proj(x), self.v_proj(x)

    def linears(self) -> tuple[nn.Module, ...]:
        """In the order in which they are computed."""
        return self.q_proj, self.k_proj, self.v_proj, self.o_proj

    def norms(self) -> tuple[nn.Module, ...]:
        """Of queries and of keys, where they are normed."""
        return ()


class NormedAttention(Attention):
    """Queries and keys are normed head by head, as in Qwen 3."""

    q_norm: Any
    k_norm: Any

    def _projected(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        query, key, value = super()._projected(x)
        heads = (*x.shape[:-1], -1, self.head_dim)
        return self.q_norm(query.view(heads)), self.k_norm(key.view(heads)), value

    def norms(self) -> tuple[nn.Module, ...]:
        """Of queries and of keys."""
        return self.q_norm, self.k_norm


class RootNorm(nn.Module):
    """A root-mean-square norm."""

    weight: nn.Parameter
    variance_epsilon: float

    def forward(self, hidden_states: Tensor) -> Tensor:
        """(…, width) to the same."""
        return rms_norm(hidden_states, self.weight, self.variance_epsilon)


class Gated(nn.Module):
    """The second half of a layer: down(silu(gate) * up)."""

    gate_proj: nn.Linear
    up_proj: nn.Linear
    down_proj: nn.Linear
    act_fn: nn.Module

    def forward(self, x: Tensor) -> Tensor:
        """(…, width) to the same."""
        if not self.is_silu():
            before: Tensor = super().forward(x)
            return before
        output: Tensor = self.down_proj(silu_times(self.gate_proj(x), self.up_proj(x)))
        return output

    def is_silu(self) -> bool:
        """Whether the gate is bent as the kernel bends it."""
        return isinstance(self.act_fn, SiLUActivation | nn.SiLU)


class Layer(nn.Module):
    """A decoder layer: as a whole where all in it is frozen, or lies beside what is."""

    input_layernorm: Any  # each family has a class of its own
    self_attn: Any
    post_attention_layernorm: Any
    mlp: Any

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        use_cache: bool | None = False,
        position_embeddings: tuple[Tensor, Tensor] | None = None,
        **others: Any,
    ) -> Tensor:
        """hidden_states (rows, length, width) to the same; `others` are transformers' own."""
        parts = None if attention_mask is not None or past_key_values is not None else self._parts(hidden_states)
        if parts is None:
            before: Tensor = super().forward(
                hidden_states,
                attention_mask=attention_mask,
                position_ids=position_ids,
                past_key_values=past_key_values,
                use_cache=use_cache,
                position_embeddings=position_embeddings,
                **others,
            )
            return before
        assert isinstance(position_embeddings, Places)
        looks = Looks(position_embeddings.starts_in_memory, self.self_attn.scaling, position_embeddings.turns)
        return decoder_layer(hidden_states, parts, looks)

    def _parts(self, states: Tensor) -> DecoderLayer | None:
        """The layer as the kernels take it, or None where they cannot."""
        attention, gated = self.self_attn, self.mlp
        known = isinstance(attention, Attention) and isinstance(gated, Gated) and gated.is_silu()
        if not known or not _is_computed_here(states) or not knows_features(attention.head_dim):
            return None
        if _is_watched(attention) or _is_watched(gated):
            return None
        own = (self.input_layernorm, *attention.norms(), self.post_attention_layernorm)
        projections = (*attention.linears(), gated.gate_proj, gated.up_proj, gated.down_proj)
        norms = [norm for norm in map(_norm_of, own) if norm is not None]
        linears = [linear for linear in map(_linear_of, projections) if linear is not None]
        if len(norms) < len(own) or len(linears) < len(projections):
            return None
        first, *of_heads, second = norms
        query, key, value, output, gate, up, down = linears
        heads = (of_heads[0], of_heads[1]) if of_heads else None
        return DecoderLayer(first, query, key, value, heads, output, second, gate, up, down, attention.head_dim)


def _is_computed_here(states: Tensor) -> bool:
    return states.device.type == "cpu" and states.dtype == torch.bfloat16 and native() is not None and len(states) > 0


def _is_watched(module: nn.Module) -> bool:
    """Whether somebody waits to be called when it computes, or computes in its place.

    transformers, once asked for states or attention, waits for ever: for what this attention never gives.
    """
    waiting = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    others = any(hook.__module__ != OUTPUT_CAPTURING for hooks in waiting for hook in hooks.values())
    return others or "forward" in vars(module)


def _norm_of(module: nn.Module) -> Norm | None:
    """What the kernels take for a norm, where they can."""
    if not isinstance(module, RootNorm) or _is_watched(module):
        return None
    fits = module.weight.dtype == torch.bfloat16 and not module.weight.requires_grad
    return Norm(module.weight, module.variance_epsilon) if fits else None


def _linear_of(module: nn.Module) -> FrozenLinear | None:
    """What the kernels take for a linear layer, where they can."""
    if _is_watched(module):
        return None
    if not isinstance(module, QuickLinear):
        return _frozen(module, ())
    if not module.is_plain() or _is_watched(module.base_layer):
        return None
    beside = tuple(module.beside())
    fits = all(
        matrix.dtype == torch.float32 and matrix.is_contiguous() and 0 < len(low.first) <= MOST_RANKS
        for low in beside
        for matrix in low[:2]
    )
    return _frozen(module.base_layer, beside) if fits else None


def _frozen(module: nn.Module, beside: tuple[LowRank, ...]) -> FrozenLinear | None:
    if isinstance(module, Int8Linear):
        fits = multiplies_bytes("cpu") and (module.bias is None or not module.bias.requires_grad)
        return FrozenLinear(module.codes, module.scale, module.bias, beside) if fits else None
    if type(module) is not nn.Linear:
        return None
    own = [module.weight] if module.bias is None else [module.weight, module.bias]
    fits = all(x.dtype == torch.bfloat16 and not x.requires_grad and type(x) is nn.Parameter for x in own)
    return FrozenLinear(module.weight, None, module.bias, beside) if fits else None


class QuickLinear(PeftLinear):
    """PEFT's linear layer with adapters; where they are plain ones their products are added in one pass."""

    def is_plain(self) -> bool:
        """Whether low-rank products are added to the frozen layer, and nothing else is done."""
        special = any(name in self.lora_variant or self.lora_bias[name] for name in self._names())
        return not (special or (self.disable_adapters and self.merged))

    def beside(self) -> Iterator[LowRank]:
        """The low-rank products, of plain ones; where something is dropped each draws a seed."""
        for name, (first, second) in zip(self._names(), self.matrices(), strict=True):
            dropout = self.lora_dropout[name]
            rate = dropout.p if self.training and isinstance(dropout, nn.Dropout) else 0.0
            yield LowRank(first, second, self.scaling[name], rate, draw_seed() if rate > 0 else 0)

    def matrices(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The first and the second of each active adapter."""
        for name in self._names():
            yield self.lora_A[name].get_parameter("weight"), self.lora_B[name].get_parameter("weight")

    def _names(self) -> list[str]:
        """The adapters that count now: none that is switched off, or in the frozen weights already."""
        idle = self.disable_adapters or self.merged
        return [] if idle else [name for name in self.active_adapters if name in self.lora_A]

    def forward(self, x: Tensor, *args: object, **kwargs: object) -> Tensor:
        """(…, inputs) to (…, outputs)."""
        if x.dtype != torch.bfloat16 or args or kwargs or not self.is_plain():
            return super().forward(x, *args, **kwargs)
        # On a GPU the first adapter's products go with the frozen layer's own.
        frozen = frozen_weight(self.base_layer, x.dtype) if x.is_cuda and self._names() else None
        result = self.base_layer(x) if frozen is None else None
        for low in self.beside():
            if result is None:
                bias = self.base_layer.bias
                assert frozen is not None
                assert bias is None or isinstance(bias, Tensor)
                result = low_rank_linear(x, frozen, bias, *low)
            else:
                result = add_low_rank(result, x, *low)
        assert isinstance(result, Tensor)
        return result


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
