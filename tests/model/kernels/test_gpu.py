"""The paths for GPUs, as far as a processor can tell: what is torch alone against float64, liger's kernels in Triton's
interpreter where both are installed (TRITON_INTERPRET=1), and what reaches flash attention on tensors without numbers.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module, util
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from kernelchecks import distance
from quire.model.kernels import gpu
from quire.model.kernels.attention import Turns, attention_on_gpu, attention_plain, turned
from quire.model.kernels.gate import silu_times_plain
from quire.model.kernels.low_rank import add_low_rank_plain
from quire.model.kernels.norm import rms_norm_plain

SCALE = 0.7


def drawn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def with_gradients(make: Callable[..., Tensor], leaves: list[Tensor], gradient: Tensor) -> list[Tensor]:
    leaves = [x.detach().clone().requires_grad_() for x in leaves]
    out = make(*leaves)
    return [out.detach(), *torch.autograd.grad(out, leaves, gradient.to(out.dtype))]


# LoRA beside a frozen layer.


def sizes_of(rows: int, wide: int, out: int, rank: int, dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """x, first, second, weight, bias, the gradient of what comes out; the adapter in float32 where x has 16 bits."""
    adapter = torch.float32 if dtype in gpu.HALVES else dtype
    forms = (dtype, adapter, adapter, dtype, dtype, dtype)
    shapes = ((rows, wide), (rank, wide), (out, rank), (out, wide), (out,), (rows, out))
    return [drawn(*shape, seed=i, dtype=form) for i, (shape, form) in enumerate(zip(shapes, forms, strict=True))]


def plainly(x: Tensor, first: Tensor, second: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return functional.linear(x, weight, bias) + SCALE * ((x @ first.T) @ second.T)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 33), st.integers(1, 40), st.integers(1, 40), st.integers(1, 9), st.booleans())
def test_one_function_is_the_layer_and_its_adapter(rows, wide, out, rank, biased):
    x, first, second, weight, bias, gradient = sizes_of(rows, wide, out, rank)
    bias = bias if biased else None
    found = with_gradients(
        lambda x, a, b: gpu.low_rank_linear(x, weight, bias, a, b, SCALE), [x, first, second], gradient
    )
    wanted = with_gradients(lambda x, a, b: plainly(x, a, b, weight, bias), [x, first, second], gradient)
    for one, other in zip(found, wanted, strict=True):
        assert distance(one, other) < 1e-12


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_its_gradients_are_those_of_differences(dropout):
    x, first, second, weight, bias, _ = (t.requires_grad_() for t in sizes_of(5, 7, 6, 3))
    frozen = weight.detach()

    def layer(x: Tensor, bias: Tensor, first: Tensor, second: Tensor) -> Tensor:
        return gpu.low_rank_linear(x, frozen, bias, first, second, SCALE, dropout, 11)

    assert torch.autograd.gradcheck(layer, (x, bias, first, second))


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_what_is_added_in_place_has_the_gradients_of_differences(dropout):
    x, first, second, _, _, y = sizes_of(5, 7, 6, 3)

    def add(y: Tensor, x: Tensor, first: Tensor, second: Tensor) -> Tensor:
        return gpu.add_low_rank_on_gpu(y.clone(), x, first, second, SCALE, dropout, 11)

    assert torch.autograd.gradcheck(add, tuple(t.requires_grad_() for t in (y, x, first, second)))


def test_what_is_added_is_what_processors_add():
    x, first, second, _, _, gradient = sizes_of(4 * 6, 10, 12, 3)
    x, y, gradient = x.view(4, 6, 10), drawn(4, 6, 12, seed=9), gradient.view(4, 6, 12)
    calls = [
        with_gradients(
            lambda y, x, a, b, add=add: add(y.clone(), x, a, b, SCALE, 0.0, 0), [y, x, first, second], gradient
        )
        for add in (gpu.add_low_rank_on_gpu, add_low_rank_plain)
    ]
    for found, wanted in zip(*calls, strict=True):
        assert found.shape == wanted.shape
        assert distance(found, wanted) < 1e-12


@pytest.mark.parametrize("dtype", gpu.HALVES)
def test_in_16_bits_it_errs_no_more_than_peft_does(dtype):
    tensors = sizes_of(50, 96, 80, 8, dtype)
    x, first, second, weight, bias, gradient = tensors
    exact = [t.double() for t in tensors]
    wanted = with_gradients(lambda x, a, b: plainly(x, a, b, *exact[3:5]), exact[:3], exact[5])

    def layer(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return gpu.low_rank_linear(x, weight, bias, a, b, SCALE)

    def peft(x: Tensor, a: Tensor, b: Tensor) -> Tensor:
        return (functional.linear(x, weight, bias) + SCALE * (x.float() @ a.T) @ b.T).to(dtype)

    found, usual = (with_gradients(make, [x, first, second], gradient) for make in (layer, peft))
    step = torch.finfo(dtype).eps
    for one, other, true, leaf in zip(found, usual, wanted, [gradient, x, first, second], strict=True):
        assert one.dtype == leaf.dtype
        assert distance(one, true) < distance(other, true) + step


def test_only_what_is_wanted_is_computed_and_a_made_weight_is_not_kept():
    x, first, second, weight, _, gradient = sizes_of(4, 6, 5, 2)
    made: list[int] = []

    def make() -> Tensor:
        made.append(1)
        return weight.clone()

    kept: list[tuple[int, ...]] = []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(tuple(t.shape)) or t, lambda t: t):
        out = gpu.low_rank_linear(x, make, None, first.requires_grad_(), second.requires_grad_(), SCALE)
    assert kept == [(4, 6), (4, 2), (2, 6), (5, 2)]
    out.backward(gradient)
    assert len(made) == 1  # x learns nothing, so the way back needs no weight
    gpu.low_rank_linear(x.requires_grad_(), make, None, first, second, SCALE).backward(gradient)
    assert len(made) == 3
    assert distance(x.grad, gradient @ weight + SCALE * (gradient @ second) @ first) < 1e-12


def test_rows_of_rows_keep_their_shape_and_seeds_tell_what_drops():
    x, first, second, weight, _, _ = sizes_of(2 * 3, 64, 5, 4)
    x = x.view(2, 3, 64)
    outs = [gpu.low_rank_linear(x, weight, None, first, second, SCALE, 0.5, seed) for seed in (1, 1, 2)]
    assert outs[0].shape == (2, 3, 5)
    assert torch.equal(outs[0], outs[1])
    assert not torch.equal(outs[0], outs[2])


def test_as_much_drops_as_was_asked_for_and_the_rest_makes_up_for_it():
    ones, nothing = torch.ones(400, 500, dtype=torch.float64), torch.zeros(1, 500, dtype=torch.float64)
    first = torch.full((1, 500), 1 / 500, dtype=torch.float64)
    out = gpu.low_rank_linear(ones, nothing, None, first, torch.ones(1, 1, dtype=torch.float64), 1.0, 0.2, 5)
    assert abs(float(out.mean()) - 1) < 0.005
    assert float(out.std()) == pytest.approx((0.2 / 0.8 / 500) ** 0.5, rel=0.15)


@pytest.mark.parametrize("odd", [torch.nan, torch.inf])
def test_what_is_not_finite_stays_visible(odd):
    x, first, second, weight, _, _ = sizes_of(3, 6, 5, 2, torch.float32)
    x[1, 2] = odd
    out = gpu.low_rank_linear(x, weight, None, first, second, SCALE, 0.5, 1)
    assert not torch.isfinite(out[1]).any()
    assert torch.isfinite(out[[0, 2]]).all()


def test_layers_in_fewer_bits_are_made_whole_on_demand():
    pytest.importorskip("transformers")
    from quire.model.lowbit import Int8Linear

    weight = drawn(24, 16, dtype=torch.float32)
    layer = Int8Linear(weight, None)
    make = gpu.frozen_weight(layer, torch.float32)
    assert callable(make)
    assert torch.equal(make(), layer.weight)
    frozen = nn.Linear(3, 2).requires_grad_(False)
    assert gpu.frozen_weight(frozen, torch.float32) is frozen.weight
    assert all(gpu.frozen_weight(other, torch.bfloat16) is None for other in (layer, frozen))  # another format
    assert gpu.frozen_weight(nn.Linear(3, 2), torch.float32) is None  # it learns
    assert gpu.frozen_weight(nn.Embedding(3, 2), torch.float32) is None


def test_bitsandbytes_four_bits_give_the_same_as_through_its_own_layer():
    layers = pytest.importorskip("bitsandbytes.nn")
    layer = layers.Linear4bit(64, 48, False, compute_dtype=torch.float32, quant_type="nf4", device="meta")
    layer.weight = layers.Params4bit(
        drawn(48, 64, dtype=torch.float32), requires_grad=False, quant_type="nf4", module=layer
    ).to("cpu")
    layer.support_avx512bf16_for_cpu = False
    x, first, second, _, _, gradient = sizes_of(9, 64, 48, 4, torch.float32)
    make = gpu.frozen_weight(layer, torch.float32)
    found = with_gradients(
        lambda x, a, b: gpu.low_rank_linear(x, make, None, a, b, SCALE), [x, first, second], gradient
    )
    wanted = with_gradients(lambda x, a, b: layer(x) + SCALE * (x @ a.T) @ b.T, [x, first, second], gradient)
    for one, other in zip(found, wanted, strict=True):
        assert distance(one, other) < 1e-5


# The loss of each row.


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize(("rows", "words"), [(1, 2), (7, 33), (40, 1000)])
def test_losses_and_their_gradients(rows, words, dtype):
    logits = (drawn(rows, words, seed=rows) * 4).to(dtype)
    targets = torch.randint(words, (rows,), generator=torch.Generator().manual_seed(1))
    exact = logits.double().requires_grad_()
    wanted = functional.cross_entropy(exact, targets, reduction="none")
    (gradient,) = torch.autograd.grad(wanted.sum(), exact)
    before = logits.clone()
    alone = gpu.losses_on_gpu(logits, targets, with_gradient=False)
    assert torch.equal(logits, before)
    losses = gpu.losses_on_gpu(logits, targets, with_gradient=True)
    assert torch.equal(losses, alone)
    assert losses.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    close = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 1e-5}[dtype]
    assert distance(losses, wanted.detach()) < close
    assert distance(logits, gradient) < max(close, torch.finfo(dtype).eps)


def test_a_word_that_is_nearly_certain_keeps_its_gradient():
    logits = torch.tensor([[12.0, 0.0, 0.0]], dtype=torch.bfloat16)
    exact = logits.double().softmax(1)
    gpu.losses_on_gpu(logits, torch.tensor([0]), with_gradient=True)
    assert float(logits[0, 0]) == pytest.approx(float(exact[0, 0]) - 1, rel=0.01)


def test_a_loss_that_is_not_finite_stays_visible():
    logits = torch.tensor([[1.0, torch.nan], [1.0, 2.0]])
    losses = gpu.losses_on_gpu(logits, torch.tensor([0, 1]), with_gradient=True)
    assert losses.isfinite().tolist() == [False, True]
    assert logits.isfinite().all(1).tolist() == [False, True]


# Attention.


class Calls(TorchDispatchMode):
    """What reaches the operators, with names of words, not of numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, tuple[Any, ...]] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.found[func.overloadpacket._qualified_op_name] = args
        return func(*args, **(kwargs or {}))


def test_flash_attention_is_asked_for_works_apart_and_for_what_came_before():
    query, key, value = (torch.empty(100, heads, 64, device="meta", dtype=torch.bfloat16) for heads in (8, 2, 2))
    leaves = [x.requires_grad_() for x in (query, key, value)]
    ends, longest = gpu._ends_of((0, 40, 100), torch.device("meta"))
    assert (ends.dtype, tuple(ends.shape), longest) == (torch.int32, (3,), 60)
    with Calls() as calls:
        out = gpu.attention_by_works(query, key, value, ends, longest, 0.3)
        grads = torch.autograd.grad(out, leaves, torch.empty_like(out))
    assert out.shape == query.shape
    assert [g.shape for g in grads] == [x.shape for x in leaves]
    forward = calls.found["torch_attn::_varlen_attn"]
    assert forward[5:10] == (60, 60, True, 0.3, [-1, 0])
    if gpu.torch_version() >= (2, 12):
        assert forward[10] is True  # heads share keys
    back = calls.found["torch_attn::_varlen_attn_backward"]
    assert (back[8:11], back[12:]) == ((60, 60, True), (0.3, [-1, 0]))


def test_what_flash_attention_lacks_is_left_to_torch():
    def suits(features: int = 64, heads: int = 8, dtype: torch.dtype = torch.bfloat16, tokens: int = 10) -> bool:
        query, key = (torch.empty(tokens, n, features, device="meta", dtype=dtype) for n in (heads, 2))
        return gpu.suits_flash(query, key, key)

    assert suits()
    assert suits(dtype=torch.float16, features=128)
    assert not suits(dtype=torch.float32)
    assert not suits(features=12)
    assert not suits(features=256)
    assert not suits(heads=7)
    assert not suits(tokens=0)


@pytest.mark.skipif(util.find_spec("liger_kernel") is not None, reason="liger-kernel needs a GPU")
def test_without_a_gpu_everything_is_the_plain_version():
    query, key, value = (drawn(20, heads, 8, seed=heads, dtype=torch.float32) for heads in (4, 2, 2))
    angles = drawn(10, 4, dtype=torch.float32).repeat(1, 2)
    turns = Turns(angles.cos(), angles.sin())
    arguments = (query, key, value, [0, 10, 20], 0.3, turns)
    assert distance(attention_on_gpu(*arguments), attention_plain(*arguments)) < 1e-5
    assert gpu.attention_by_flash(query, key, value, [0, 10, 20], 0.3) is None
    assert gpu.turned_by_liger(query, key, turns.cos, turns.sin) is None
    assert gpu.gate_by_liger(query, query) is None
    assert gpu.norm_by_liger(query, drawn(8, dtype=torch.float32), 1e-5) is None


def test_halves_without_a_gpu_are_left_to_torch_too():
    query, key, value = (drawn(20, heads, 8, seed=heads, dtype=torch.bfloat16) for heads in (4, 2, 2))
    assert gpu.suits_flash(query, key, value)
    assert gpu.attention_by_flash(query, key, value, [0, 10, 20], 0.3) is None


@dataclass
class OnGpu:
    """What calls itself a tensor on a GPU: enough for the first branch of each function."""

    shape: tuple[int, ...]
    is_cuda: bool = True
    dtype: torch.dtype = torch.bfloat16

    def __len__(self) -> int:
        return self.shape[0]

    def is_contiguous(self) -> bool:
        return True


def test_what_lies_on_a_gpu_is_offered_to_the_gpu_first(monkeypatch):
    from quire.model.kernels import attention, gate, head, low_rank, norm

    asked: list[str] = []

    def answering(name: str) -> Callable[..., str]:
        return lambda *_given, **_words: asked.append(name) or name

    ways = {
        (norm, "norm_by_liger"): lambda x: norm.rms_norm(x, x, 1e-5),
        (gate, "gate_by_liger"): lambda x: gate.silu_times(x, x),
        (attention, "attention_by_flash"): lambda x: attention.causal_attention(x, x, x, [0, 4], 1.0),
        (low_rank, "add_low_rank_on_gpu"): lambda x: low_rank.add_low_rank(x, x, x, x, 1.0, 0.0, 0),
        (head, "losses_on_gpu"): lambda x: head._losses(x, x, with_gradient=False),
    }
    for module, name in ways:
        monkeypatch.setattr(module, name, answering(name))
    found = [call(OnGpu((4, 2, 8))) for call in ways.values()]
    assert found == asked == [name for _, name in ways]


def test_the_doctor_hears_what_is_there_and_why_not():
    lines = gpu.kernels_on_gpu()
    assert [line.split(":")[0] for line in lines] == ["attention", "positions, norms and gates", "adapters, loss"]
    if not torch.cuda.is_available():
        assert lines[0] == "attention: torch's, one work after the other, for no GPU is to be had"
    if util.find_spec("liger_kernel") is None:
        assert "pip install" in lines[1]


def test_the_doctor_hears_that_flash_attention_takes_all_works_at_once(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(gpu, "_why_no_flash", lambda device: None)
    assert gpu.kernels_on_gpu()[0] == "attention: torch's flash attention, all works of a row in one call"


# liger's kernels, interpreted.

interpreted = pytest.mark.skipif(
    os.environ.get("TRITON_INTERPRET") != "1" or util.find_spec("liger_kernel") is None,
    reason="liger-kernel is not installed, or Triton does not interpret (TRITON_INTERPRET=1)",
)
# To the interpreter the bits of bf16 are whole numbers.
FORMATS = pytest.mark.parametrize("dtype", [torch.float32, torch.float16])


@pytest.fixture
def liger(monkeypatch) -> gpu.Liger:
    """Its kernels.  The interpreter lacks two things that the compiler has: floats as arguments are numbers with a
    format, and CUDA's library has a reciprocal root."""
    kernels = gpu.load_liger()
    interpreter, language = import_module("triton.runtime.interpreter"), import_module("triton.language")
    numpy, convert = import_module("numpy"), interpreter._implicit_cvt

    def with_floats(argument: object) -> object:
        if not isinstance(argument, float):
            return convert(argument)
        handle = interpreter.TensorHandle(numpy.array([argument], dtype=numpy.float32), language.float32)
        return language.tensor(handle, language.float32)

    monkeypatch.setattr(interpreter, "_implicit_cvt", with_floats)
    monkeypatch.setattr(import_module("liger_kernel.ops.rms_norm"), "rsqrt", lambda x: language.rsqrt(x))
    return kernels


def compare(found: Callable[..., Tensor], plain: Callable[..., Tensor], leaves: list[Tensor], gradient: Tensor) -> None:
    """The kernel errs against float64 no more than the plain version does, give or take a rounding."""
    kept = [x.clone() for x in (*leaves, gradient)]
    exact = with_gradients(plain, [x.double() for x in leaves], gradient.double())
    step = torch.finfo(leaves[0].dtype).eps
    pairs = zip(with_gradients(found, leaves, gradient), with_gradients(plain, leaves, gradient), exact, strict=True)
    for one, other, true in pairs:
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert distance(one, true) < 1.2 * distance(other, true) + step / 2
    assert all(torch.equal(x, y) for x, y in zip((*leaves, gradient), kept, strict=True))


def taken(found: Tensor | None) -> Tensor:
    """What liger's kernel computed: here it must not leave it to others."""
    assert found is not None
    return found


@interpreted
@FORMATS
@pytest.mark.parametrize("shape", [(1, 1), (3, 33), (2, 5, 64)])
def test_norm(liger, shape, dtype):
    x, weight, gradient = drawn(*shape, dtype=dtype), drawn(shape[-1], seed=1, dtype=dtype), drawn(*shape, seed=2)
    compare(
        lambda x, w: taken(gpu.norm_by_liger(x, w, 1e-5)),
        lambda x, w: rms_norm_plain(x, w, 1e-5) if x.dtype != torch.float64 else exact_norm(x, w),
        [x, weight],
        gradient.to(dtype),
    )


def exact_norm(x: Tensor, weight: Tensor) -> Tensor:
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * weight


@interpreted
@FORMATS
@pytest.mark.parametrize("shape", [(1, 1), (3, 33), (2, 5, 64)])
def test_gate(liger, shape, dtype):
    gate, up, gradient = (drawn(*shape, seed=i, dtype=dtype) for i in range(3))
    compare(lambda gate, up: taken(gpu.gate_by_liger(gate, up)), silu_times_plain, [gate, up], gradient)


@interpreted
@FORMATS
@pytest.mark.parametrize(("rows", "length", "heads", "groups", "features"), [(1, 5, 3, 1, 8), (3, 4, 4, 2, 16)])
def test_positions(liger, rows, length, heads, groups, features, dtype):
    tokens = rows * length
    query, key = drawn(tokens, heads, features, dtype=dtype), drawn(tokens, groups, features, seed=1, dtype=dtype)
    angles = drawn(length, features // 2, seed=2).repeat(1, 2)
    turns = Turns(angles.cos().to(dtype), angles.sin().to(dtype))

    def joined(by: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda query, key: torch.cat(by(query, key), dim=1)

    def plain(query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        own = Turns(turns.cos.to(query.dtype), turns.sin.to(query.dtype))
        return turned(query, own), turned(key, own)

    gradient = drawn(tokens, heads + groups, features, seed=3, dtype=dtype)
    own = joined(lambda q, k: gpu.turn_copies(q, k, turns.cos, turns.sin, liger.turn))
    compare(own, joined(plain), [query, key], gradient)


@interpreted
def test_attention_with_turned_heads_is_the_plain_one(liger):
    query, key, value = (drawn(20, heads, 8, seed=heads, dtype=torch.float32) for heads in (4, 2, 1))
    value = value.expand(20, 2, 8)
    angles = drawn(10, 4, seed=5, dtype=torch.float32).repeat(1, 2)
    arguments = ([0, 10, 13, 20], 0.3, Turns(angles.cos(), angles.sin()))
    gradient = drawn(20, 4, 8, seed=7, dtype=torch.float32)
    found, wanted = (
        with_gradients(lambda q, k, v, by=by: by(q, k, v, *arguments), [query, key, value], gradient)
        for by in (attention_on_gpu, attention_plain)
    )
    for one, other in zip(found, wanted, strict=True):
        assert distance(one, other) < 1e-5


@interpreted
def test_the_installation_is_told_to_the_doctor():
    assert "liger-kernel 0." in gpu.kernels_on_gpu()[1]
