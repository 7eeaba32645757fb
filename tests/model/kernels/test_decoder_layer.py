"""A decoder layer in one step of autograd: values and gradients those of transformers' layer in float64."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn
from transformers import LlamaConfig, Qwen3Config
from transformers.models.llama.modeling_llama import LlamaDecoderLayer, LlamaRotaryEmbedding
from transformers.models.qwen3.modeling_qwen3 import Qwen3DecoderLayer

from kernelchecks import threads_leave_no_trace
from quire.model.kernels.attention import Looks, Turns
from quire.model.kernels.decoder_layer import DecoderLayer, FrozenLinear, Norm, decoder_layer
from quire.model.kernels.low_rank import LowRank, keep_mask
from quire.model.kernels.native import native
from quire.model.kernels.whole_numbers import quantise_rows

pytestmark = pytest.mark.skipif(native() is None, reason="no native library for this processor")

NAMES = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")
WORKS = (33, 1, 20)
TOKENS = sum(WORKS)
WIDTH, HEADS, GROUPS, FEATURES, INSIDE = 72, 4, 2, 16, 100
SIZES = {
    "q_proj": (WIDTH, HEADS * FEATURES),
    "k_proj": (WIDTH, GROUPS * FEATURES),
    "v_proj": (WIDTH, GROUPS * FEATURES),
    "o_proj": (HEADS * FEATURES, WIDTH),
    "gate_proj": (WIDTH, INSIDE),
    "up_proj": (WIDTH, INSIDE),
    "down_proj": (INSIDE, WIDTH),
}
SHAPE = {
    "hidden_size": WIDTH,
    "intermediate_size": INSIDE,
    "num_attention_heads": HEADS,
    "num_key_value_heads": GROUPS,
    "head_dim": FEATURES,
    "attn_implementation": "sdpa",
}


def others_layer(kind: str) -> nn.Module:
    """transformers' own layer, in float64, with weights that bf16 can hold."""
    torch.manual_seed(1)
    biases = kind == "with biases"
    if kind == "with norms of heads":
        layer: nn.Module = Qwen3DecoderLayer(Qwen3Config(**SHAPE), 0)
    else:
        layer = LlamaDecoderLayer(LlamaConfig(**SHAPE, attention_bias=biases, mlp_bias=biases), 0)
    for name, parameter in layer.named_parameters():
        values = 0.1 * torch.randn(parameter.shape) + ("norm" in name)
        parameter.data = values.bfloat16().double()
        parameter.requires_grad_(False)
    return layer


def low_ranks(targets: tuple[str, ...], dropout: float = 0.0) -> dict[str, LowRank]:
    generator = torch.Generator().manual_seed(2)

    def drawn(rows: int, columns: int) -> Tensor:
        return (torch.randn(rows, columns, generator=generator) * 0.2).requires_grad_()

    return {
        name: LowRank(drawn(3, SIZES[name][0]), drawn(SIZES[name][1], 3), 0.7, dropout, 40 + i)
        for i, name in enumerate(targets)
    }


def our_layer(layer: nn.Module, beside: dict[str, LowRank]) -> DecoderLayer:
    def norm(module: nn.Module) -> Norm:
        return Norm(module.weight.bfloat16(), module.variance_epsilon)

    def linear(name: str) -> FrozenLinear:
        module = layer.get_submodule(("mlp." if name in NAMES[4:] else "self_attn.") + name)
        bias = None if module.bias is None else module.bias.bfloat16()
        return FrozenLinear(module.weight.bfloat16(), None, bias, (beside[name],) if name in beside else ())

    own = layer.self_attn
    heads = (norm(own.q_norm), norm(own.k_norm)) if isinstance(layer, Qwen3DecoderLayer) else None
    query, key, value, output, gate, up, down = map(linear, NAMES)
    first, second = norm(layer.input_layernorm), norm(layer.post_attention_layernorm)
    return DecoderLayer(first, query, key, value, heads, output, second, gate, up, down, FEATURES)


def turns(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    positions = torch.cat([torch.arange(n) for n in WORKS])[None]
    return LlamaRotaryEmbedding(LlamaConfig(**SHAPE))(torch.zeros(1, dtype=dtype), positions)


def looks() -> Looks:
    cos, sin = (x[0].contiguous() for x in turns(torch.bfloat16))
    return Looks(torch.tensor([0, 33, 34, 54]), FEATURES**-0.5, Turns(cos, sin))


class Beside(nn.Module):
    """A linear layer in float64 with low-rank products beside it, as PEFT adds them."""

    def __init__(self, inner: nn.Module, low: LowRank) -> None:
        super().__init__()
        self.inner, self.low = inner, low

    def forward(self, x: Tensor) -> Tensor:
        low, dropped = self.low, x
        if low.dropout:
            kept = keep_mask(low.seed, TOKENS, x.shape[-1], low.dropout).view(x.shape)
            dropped = torch.where(kept, x / (1 - low.dropout), 0.0)
        return self.inner(x) + low.scale * (dropped @ low.first.double().t() @ low.second.double().t())


def answers(found: Tensor, x: Tensor, beside: dict[str, LowRank], gradient: Tensor) -> dict[str, Tensor]:
    found.backward(gradient.to(found.dtype))
    grads = {f"{name} {side}": m.grad for name, low in beside.items() for side, m in zip("AB", low[:2], strict=True)}
    if x.requires_grad:
        grads["x"] = x.grad
    return {"y": found.detach().double(), **{key: grad.double() for key, grad in grads.items()}}


def inputs(learning: bool = True) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    x, gradient = torch.randn(2, 1, TOKENS, WIDTH, generator=generator).bfloat16()
    return x.requires_grad_(learning), gradient


def wanted(kind: str, targets: tuple[str, ...], dropout: float = 0.0, learning: bool = True) -> dict[str, Tensor]:
    """By transformers, work by work's mask, in float64."""
    layer, beside = others_layer(kind), low_ranks(targets, dropout)
    for name, low in beside.items():
        parent = layer.mlp if name in NAMES[4:] else layer.self_attn
        setattr(parent, name, Beside(getattr(parent, name), low))
    x, gradient = inputs(learning)
    wide = x.detach().double().requires_grad_(learning)
    works = torch.block_diag(*(torch.ones(n, n) for n in WORKS)).tril().bool()
    places = tuple(part.bfloat16().double() for part in turns(torch.float64))
    y = layer(wide, attention_mask=works[None, None], position_embeddings=places)
    return answers(y, wide, beside, gradient)


def found(kind: str, targets: tuple[str, ...], dropout: float = 0.0, learning: bool = True) -> dict[str, Tensor]:
    beside = low_ranks(targets, dropout)
    x, gradient = inputs(learning)
    return answers(decoder_layer(x, our_layer(others_layer(kind), beside), looks()), x, beside, gradient)


def furthest(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> float:
    assert found.keys() == wanted.keys()
    return max(float((found[key] - x).norm() / x.norm()) for key, x in wanted.items())


@pytest.mark.parametrize("kind", ["plain", "with biases", "with norms of heads"])
@pytest.mark.parametrize("targets", [("q_proj", "v_proj"), NAMES, ("down_proj",), ("o_proj", "up_proj")])
def test_values_and_gradients_are_those_of_transformers_in_float64(kind: str, targets: tuple[str, ...]) -> None:
    # bf16 has 8 bits, and a gradient passes some ten roundings.
    assert furthest(found(kind, targets), wanted(kind, targets)) < 0.02


def test_what_drops_is_what_the_mask_says() -> None:
    assert furthest(found("plain", NAMES, 0.25), wanted("plain", NAMES, 0.25)) < 0.02


@pytest.mark.parametrize("targets", [("q_proj", "v_proj"), ("o_proj",), ("gate_proj",), ("down_proj",)])
def test_where_nothing_below_learns_the_same_gradients_come(targets: tuple[str, ...]) -> None:
    alone, all_the_way = found("plain", targets, learning=False), found("plain", targets)
    assert alone.keys() == all_the_way.keys() - {"x"}
    assert all(torch.equal(alone[key], all_the_way[key]) for key in alone)


def test_below_the_lowest_that_learns_nothing_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("attention's way back was walked")

    monkeypatch.setattr("quire.model.kernels.decoder_layer.attend_back", refuse)
    found("plain", ("o_proj", "down_proj"), learning=False)
    with pytest.raises(AssertionError, match="way back was walked"):
        found("plain", ("o_proj", "v_proj"), learning=False)


def test_a_matrix_that_does_not_learn_gets_no_gradient_and_the_others_theirs() -> None:
    beside = low_ranks(("q_proj", "v_proj"))
    beside["q_proj"].first.requires_grad_(False)
    beside["q_proj"].second.requires_grad_(False)
    x, gradient = inputs()
    decoder_layer(x, our_layer(others_layer("plain"), beside), looks()).backward(gradient)
    assert beside["q_proj"].first.grad is None
    right = wanted("plain", ("q_proj", "v_proj"))
    assert furthest({"A": beside["v_proj"].first.grad.double()}, {"A": right["v_proj A"]}) < 0.02


def test_several_low_ranks_beside_one_layer_add_up() -> None:
    one, other = low_ranks(("v_proj",))["v_proj"], low_ranks(("q_proj", "v_proj"))["v_proj"]
    frozen = our_layer(others_layer("plain"), {})
    both = replace(frozen, value=replace(frozen.value, beside=(one, other)))
    joined = LowRank(torch.cat([one.first, other.first]), torch.cat([one.second, other.second], 1), one.scale, 0.0, 0)
    as_one = replace(frozen, value=replace(frozen.value, beside=(joined,)))
    x, _ = inputs()
    torch.testing.assert_close(decoder_layer(x, both, looks()), decoder_layer(x, as_one, looks()), atol=0.05, rtol=0.02)


def test_in_8_bits_it_is_as_near_as_8_bits_are() -> None:
    if not native().bytes_too:  # type: ignore[union-attr]
        pytest.skip("this processor multiplies no bytes")
    beside = low_ranks(("q_proj", "v_proj"))
    layer = our_layer(others_layer("plain"), beside)
    changed = {}
    for name in ("query", "key", "value", "output", "gate", "up", "down"):
        linear: FrozenLinear = getattr(layer, name)
        codes, scale = quantise_rows(linear.weight)
        changed[name] = replace(linear, weight=codes, scale=scale[:, 0])
    x, gradient = inputs()
    right = wanted("plain", ("q_proj", "v_proj"))
    assert furthest(answers(decoder_layer(x, replace(layer, **changed), looks()), x, beside, gradient), right) < 0.06


def test_no_result_depends_on_the_number_of_threads() -> None:
    threads_leave_no_trace(lambda: found("plain", NAMES, 0.1).values())


def test_less_is_kept_for_the_way_back_than_its_parts_would_keep() -> None:
    kept: list[int] = []

    def count(tensor: Tensor) -> Tensor:
        kept.append(tensor.nbytes)
        return tensor

    x, _ = inputs()
    layer = our_layer(others_layer("plain"), low_ranks(("q_proj", "v_proj")))
    with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
        decoder_layer(x, layer, looks())
    # x and what lies between the halves; queries and what attention gave; keys, values; gate and up, bf16
    states = TOKENS * 2 * (2 * WIDTH + 2 * HEADS * FEATURES + 2 * GROUPS * FEATURES + 2 * INSIDE)
    # a number for each norm and row of scores, four for each low rank, float32
    numbers = TOKENS * 4 * (2 + HEADS + 2 * 4)
    matrices = 4 * 3 * sum(sum(SIZES[name]) for name in ("q_proj", "v_proj"))
    assert sum(kept) == states + numbers + matrices


def test_a_matrix_that_changed_in_between_is_noticed() -> None:
    beside = low_ranks(("v_proj",))
    x, gradient = inputs()
    y = decoder_layer(x, our_layer(others_layer("plain"), beside), looks())
    with torch.no_grad():
        beside["v_proj"].first.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward(gradient)


def test_whole_numbers_serve_as_scale_and_as_epsilon() -> None:
    x, _ = inputs()
    frozen = our_layer(others_layer("plain"), {})
    found = []
    for number in (float, int):
        low = low_ranks(("v_proj",))["v_proj"]._replace(scale=number(2))
        norm = replace(frozen.before_gate, eps=number(1))
        layer = replace(frozen, value=replace(frozen.value, beside=(low,)), before_gate=norm)
        found.append(decoder_layer(x, layer, looks()))
    assert torch.equal(*found)
