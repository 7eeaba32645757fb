"""liger's kernels beside the plain versions: in Triton's interpreter where both are installed (TRITON_INTERPRET=1)."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib import import_module, util

import pytest
import torch
from torch import Tensor

from kernelchecks import distance, drawn, with_gradients
from quire.model.kernels import gpu
from quire.model.kernels.attention import Turns, attention_on_gpu, attention_plain, turned
from quire.model.kernels.gate import silu_times_plain
from quire.model.kernels.norm import rms_norm_plain

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
