"""The paths for GPUs, as far as a processor can tell: what is offered to them, what reaches flash attention on tensors
without numbers, and what the doctor hears.  Their arithmetic is in test_gpu_products.py and test_gpu_liger.py.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import util
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from kernelchecks import distance, drawn
from quire.model.kernels import gpu
from quire.model.kernels.attention import Turns, attention_on_gpu, attention_plain


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
