"""On GPUs: attention by torch's flash kernels, elementwise work by liger-kernel's, LoRA's products in 16 bits.

The functions of the files beside this one come here first with what lies on a GPU, as they come to the native library
with what does not.  Those named after whose kernels they take (`…_by_flash`, `…_by_liger`) answer None where the GPU or
this installation lacks them, and the caller computes plainly.  Those that are torch alone (`low_rank_linear`,
`add_low_rank_on_gpu`, `losses_on_gpu`) run anywhere, so that a processor can test them.

The loss is `kernels.head`'s blocks with `losses_on_gpu`, not liger-kernel's fused linear cross-entropy.  That is no
finding: neither was measured on a GPU, and the size of the blocks is the one that suited a processor.  Ours is there
without liger-kernel.  `benchmarks.gpu_check` times both.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import import_module, metadata

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx, once_differentiable
from torch.nn import functional

from quire.model.kernels.native import OFF

HALVES = (torch.bfloat16, torch.float16)
MOST_FEATURES = 192  # of a head: wider ones have no way back on every GPU with flash attention
MOST_COLUMNS = 65536  # of a row that liger's kernels hold at once
CAUSAL = (-1, 0)  # as varlen_attn says: all tokens before, none after

# A frozen weight, or how it is made out of what stands for it.
Frozen = Tensor | Callable[[], Tensor]

Turn = Callable[[Tensor, Tensor, Tensor, Tensor], tuple[Tensor, Tensor]]
Norm = Callable[[Tensor, Tensor, float, float, str, bool], Tensor]
Gate = Callable[[Tensor, Tensor], Tensor]


def kernels_on_gpu() -> tuple[str, ...]:
    """What computes on the GPU, and why not something faster: a line for each, for people."""
    why = _why_no_flash(torch.device("cuda", 0)) if torch.cuda.is_available() else "no GPU is to be had"
    flash, plain = "torch's flash attention, all works of a row in one call", "torch's, one work after the other"
    attention = flash if why is None else f"{plain}, for {why}"
    found, version_or_why = _liger()
    fused = f"liger-kernel {version_or_why}" if found is not None else f"torch's, for {version_or_why}"
    return f"attention: {attention}", f"positions, norms and gates: {fused}", "adapters, loss: our own, in torch"


def attention_by_flash(query: Tensor, key: Tensor, value: Tensor, starts: Sequence[int], scale: float) -> Tensor | None:
    """`causal_attention` of turned heads, shapes as there: all works of a row in one call."""
    if torch.is_autocast_enabled("cuda"):  # which torch's own attention heeds by itself
        query, key, value = (x.to(torch.get_autocast_dtype("cuda")) for x in (query, key, value))
    if not suits_flash(query, key, value) or _why_no_flash(query.device) is not None:
        return None
    ends, longest = _ends_of(tuple(starts), query.device)
    return attention_by_works(query, key, value, ends, longest, scale)


def norm_by_liger(x: Tensor, weight: Tensor, eps: float) -> Tensor | None:
    """`rms_norm`; shapes as there."""
    kernels, _ = _liger()
    fits = x.dtype == weight.dtype and x.dtype in (*HALVES, torch.float32) and x.shape[-1] <= MOST_COLUMNS
    if kernels is None or not fits or not x.numel():
        return None
    # Not in place: the gradient that comes in may be somebody else's too.
    return kernels.norm(x, weight, eps, 0.0, "llama", False)


def gate_by_liger(gate: Tensor, up: Tensor) -> Tensor | None:
    """`silu_times`; shapes as there.

    liger's way back writes the gradients over `gate` and `up`: give it what nobody reads afterwards, and go back once.
    """
    kernels, _ = _liger()
    fits = gate.shape == up.shape and gate.dtype == up.dtype and gate.dtype in (*HALVES, torch.float32)
    if kernels is None or not fits or not gate.numel() or gate.shape[-1] > MOST_COLUMNS:
        return None
    return kernels.gate(gate, up)


@torch.no_grad()
def losses_on_gpu(logits: Tensor, targets: Tensor, *, with_gradient: bool) -> Tensor:
    """Cross-entropy in nats of each row of logits (rows, words), in float32; with `with_gradient` the logits become the
    gradient of their sum.  targets (rows) are whole numbers.

    Three passes where the plain version of `kernels.head` makes nine: the softmax reads 16 bits and writes 32, and its
    exponential goes back into 16.  The target's own number is taken from its logarithm, so that nothing cancels.
    """
    wide = logits.dtype if logits.dtype == torch.float64 else torch.float32
    shares = torch.log_softmax(logits, 1, dtype=wide)
    words = targets.long()[:, None]
    hit = shares.gather(1, words)
    if with_gradient:
        torch.exp(shares, out=logits)
        logits.scatter_(1, words, hit.expm1().to(logits.dtype))
    return -hit[:, 0]


def low_rank_linear(
    x: Tensor,
    weight: Frozen,
    bias: Tensor | None,
    first: Tensor,
    second: Tensor,
    scale: float,
    dropout: float = 0.0,
    seed: int = 0,
) -> Tensor:
    """x (…, K) @ weight.T + bias + scale * (drop(x) @ first.T) @ second.T: (…, N).

    weight (N, K), frozen, in x's format, or a function that makes it: called once on the way forward and once on the
    way back, never kept.  bias (N) in x's format too; first (r, K), second (N, r) in any.  Products are made in x's
    format, gradients of `first` and `second` in theirs.  Kept are x and x @ first.T; the gradient of x is summed where
    the base's lies (the order of products is that of Han and Han's Unsloth).  Which elements drop, `seed` says.
    """
    make = weight if callable(weight) else _given(weight)
    arguments = (x.reshape(-1, x.shape[-1]), make, bias, first, second, scale, dropout, seed)
    y: Tensor = _LowRankLinear.apply(*arguments)  # type: ignore[no-untyped-call]
    return y.view(*x.shape[:-1], y.shape[-1])


def add_low_rank_on_gpu(
    y: Tensor, x: Tensor, first: Tensor, second: Tensor, scale: float, dropout: float, seed: int
) -> Tensor:
    """`add_low_rank` on a GPU: y (…, N) += scale * (drop(x) @ first.T) @ second.T in y's format, in place."""
    done: Tensor = _AddLowRank.apply(y, x, first, second, scale, dropout, seed)  # type: ignore[no-untyped-call]
    return done


def frozen_weight(layer: nn.Module, dtype: torch.dtype) -> Frozen | None:
    """What `low_rank_linear` takes for a layer and an x of this format: the weight of a plain layer, a function for one
    in 8 bits or in bitsandbytes' 4; None for others."""
    from quire.model.lowbit import Int8Linear  # it brings transformers, which kernels do without

    if type(layer) is nn.Linear:
        return layer.weight if layer.weight.dtype == dtype and not layer.weight.requires_grad else None
    if isinstance(layer, Int8Linear):
        return (lambda: layer.weight) if layer.dtype == dtype else None
    if type(layer).__module__.startswith("bitsandbytes.") and type(layer).__name__ == "Linear4bit":
        packed = layer.get_parameter("weight")
        state = packed.quant_state  # type: ignore[attr-defined]
        whole = import_module("bitsandbytes.functional").dequantize_4bit
        return (lambda: whole(packed.data, state)) if state is not None and state.dtype == dtype else None
    return None


def attention_by_works(query: Tensor, key: Tensor, value: Tensor, ends: Tensor, longest: int, scale: float) -> Tensor:
    """All works in one call, none of which sees another; `ends` (works + 1, int32) are where they begin, and the end,
    on the tensors' device."""
    from torch.nn.attention.varlen import varlen_attn

    if torch_version() < (2, 12):
        # It has no word for heads that share keys, and hands them to the kernel, which knows them.
        out = varlen_attn(query, key, value, ends, ends, longest, longest, scale=scale, window_size=CAUSAL)
    else:
        shares = query.shape[1] != key.shape[1]
        out = varlen_attn(
            query, key, value, ends, ends, longest, longest, scale=scale, window_size=CAUSAL, enable_gqa=shares
        )
    assert isinstance(out, Tensor)
    return out


def suits_flash(query: Tensor, key: Tensor, value: Tensor) -> bool:
    """Whether flash attention knows these shapes and formats."""
    return (
        all(x.dtype == query.dtype and x.stride(-1) == 1 for x in (query, key, value))
        and query.dtype in HALVES
        and query.shape[2] % 8 == 0
        and query.shape[2] <= MOST_FEATURES
        and query.shape[1] % key.shape[1] == 0
        and len(query) > 0
    )


def turned_by_liger(query: Tensor, key: Tensor, cos: Tensor, sin: Tensor) -> tuple[Tensor, Tensor] | None:
    """Both turned by `cos` and `sin` (rows, features), as `attention.turned` does it."""
    kernels, _ = _liger()
    if kernels is None or not len(query) or cos.shape[1] != query.shape[2]:
        return None
    return turn_copies(query, key, cos, sin, kernels.turn)


def turn_copies(query: Tensor, key: Tensor, cos: Tensor, sin: Tensor, turn: Turn) -> tuple[Tensor, Tensor]:
    """Both turned; (tokens, heads, features) as they were.

    The kernel turns in place: it gets copies.  Of cos and sin it reads the first half of the features; the second says
    the same in every family that `quick` knows.
    """
    rows = len(query) // len(cos)
    shapes = query.shape, key.shape
    # In memory (rows, length, heads, features); the kernel wants heads before length, and changes them back.
    query, key = (
        x.clone(memory_format=torch.contiguous_format).view(rows, -1, *x.shape[1:]).transpose(1, 2)
        for x in (query, key)
    )
    query, key = turn(query, key, cos[None], sin[None])
    return query.transpose(1, 2).reshape(shapes[0]), key.transpose(1, 2).reshape(shapes[1])


@cache
def torch_version() -> tuple[int, int]:
    """Its first two numbers."""
    found = re.match(r"(\d+)\.(\d+)", torch.__version__)
    assert found is not None
    return int(found[1]), int(found[2])


class _LowRankLinear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx,
        x: Tensor,
        weight: Callable[[], Tensor],
        bias: Tensor | None,
        first: Tensor,
        second: Tensor,
        scale: float,
        dropout: float,
        seed: int,
    ) -> Tensor:
        y = functional.linear(x, weight(), bias)
        low = _into(y, x, first, second, scale, _kept(x, dropout, seed), dropout)
        ctx.save_for_backward(x, low, first, second)
        ctx.numbers = scale, dropout, seed  # type: ignore[attr-defined]
        ctx.weight = weight  # type: ignore[attr-defined]
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        wanted = ctx.needs_input_grad  # type: ignore[attr-defined]
        to_x = gradient @ ctx.weight() if wanted[0] else None  # type: ignore[attr-defined]
        to_x, to_first, to_second = _back(ctx, gradient, to_x, (wanted[0], wanted[3], wanted[4]))
        to_bias = gradient.sum(0) if wanted[2] else None
        return to_x, None, to_bias, to_first, to_second, None, None, None


class _AddLowRank(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: FunctionCtx,
        y: Tensor,
        x: Tensor,
        first: Tensor,
        second: Tensor,
        scale: float,
        dropout: float,
        seed: int,
    ) -> Tensor:
        ctx.mark_dirty(y)
        rows, out = x.reshape(-1, x.shape[-1]), y.view(-1, y.shape[-1])
        low = _into(out, rows, first, second, scale, _kept(rows, dropout, seed), dropout)
        ctx.save_for_backward(x, low, first, second)
        ctx.numbers = scale, dropout, seed  # type: ignore[attr-defined]
        return y

    @staticmethod
    @once_differentiable
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor | None, ...]:
        wanted = ctx.needs_input_grad  # type: ignore[attr-defined]
        rows = gradient.reshape(-1, gradient.shape[-1])
        to_x, to_first, to_second = _back(ctx, rows, None, (wanted[1], wanted[2], wanted[3]))
        to_x = None if to_x is None else to_x.view(*gradient.shape[:-1], to_x.shape[-1])
        return gradient, to_x, to_first, to_second, None, None, None


def _into(
    y: Tensor, x: Tensor, first: Tensor, second: Tensor, scale: float, kept: Tensor | None, dropout: float
) -> Tensor:
    """y += scale * (drop(x) @ first.T) @ second.T; returns drop(x) @ first.T (rows, r)."""
    dropped = x if kept is None else x * kept
    low = dropped @ _in(first, x, 1 / (1 - dropout)).t()
    y.addmm_(low, _in(second, x, scale).t())
    return low


def _back(
    ctx: FunctionCtx, gradient: Tensor, to_x: Tensor | None, wanted: tuple[bool, bool, bool]
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """The gradients of x, first and second, where they are wanted; x's is added to `to_x` where there is one."""
    x, low, first, second = ctx.saved_tensors  # type: ignore[attr-defined]
    scale, dropout, seed = ctx.numbers  # type: ignore[attr-defined]
    x = x.reshape(-1, x.shape[-1])
    to_first, to_second = None, None
    if wanted[0] or wanted[1]:
        share, kept = 1 / (1 - dropout), _kept(x, dropout, seed)
        to_low = gradient @ _in(second, x, scale)
        if wanted[0]:
            to_x = _added(to_x, to_low, _in(first, x, share), kept)
        if wanted[1]:
            to_first = _product_in(to_low.t(), x if kept is None else x * kept, first.dtype).mul_(share)
    if wanted[2]:
        to_second = _product_in(gradient.t(), low, second.dtype).mul_(scale)
    return to_x, to_first, to_second


def _added(total: Tensor | None, left: Tensor, right: Tensor, kept: Tensor | None) -> Tensor:
    """total + (left @ right, where it is kept), in place where there is a total."""
    if kept is None:
        return left @ right if total is None else total.addmm_(left, right)
    part = (left @ right).mul_(kept)
    return part if total is None else total.add_(part)


def _in(matrix: Tensor, x: Tensor, times: float) -> Tensor:
    """matrix * times in x's format, rounded once."""
    return (matrix if times == 1 else matrix * times).to(x.dtype)


def _product_in(left: Tensor, right: Tensor, dtype: torch.dtype) -> Tensor:
    """left @ right; what 16 bits hold is summed in 32 anyway, and need not be rounded back."""
    if dtype == torch.float32 and left.dtype in HALVES:
        if left.is_cuda:
            return torch.mm(left, right, out_dtype=dtype)
        return left.float() @ right.float()
    return (left @ right).to(dtype)


def _kept(x: Tensor, dropout: float, seed: int) -> Tensor | None:
    """Which elements of x stay, by torch's own generator for its device; None where all do."""
    assert 0 <= dropout < 1
    if dropout == 0:
        return None
    generator = torch.Generator(x.device).manual_seed(seed)
    return torch.empty(x.shape, dtype=torch.bool, device=x.device).bernoulli_(1 - dropout, generator=generator)


def _given(weight: Tensor) -> Callable[[], Tensor]:
    return lambda: weight


@lru_cache(maxsize=4)
def _ends_of(starts: tuple[int, ...], device: torch.device) -> tuple[Tensor, int]:
    """On the device, and the longest work: every layer asks for the same, and each copy would wait for the GPU."""
    longest = max(end - first for first, end in zip(starts[:-1], starts[1:], strict=True))
    return torch.tensor(starts, dtype=torch.int32, device=device), longest


@cache
def _why_no_flash(device: torch.device) -> str | None:
    """Why flash attention cannot be had on this GPU; None where it can."""
    if os.environ.get(OFF) == "1":
        return f"{OFF}=1 is set"
    if device.type != "cuda" or torch.version.cuda is None or not torch.backends.cuda.is_flash_attention_available():
        return "this build of torch has no flash attention"
    if torch.cuda.get_device_capability(device) < (8, 0):
        return "this GPU is older than flash attention asks for (compute capability 8.0)"
    return None


@dataclass(frozen=True)
class Liger:
    """What we call of liger-kernel; each is the `apply` of an autograd function."""

    turn: Turn  # query and key (rows, heads, length, features), cos and sin (1, length, features); in place
    norm: Norm  # x, weight, eps, what is added to the weight, where it is rounded, whether its way back is in place
    gate: Gate  # gate, up


def load_liger() -> Liger:
    """Its kernels.  ImportError where it is not installed, or not for this torch."""
    import_module("torch.distributed.tensor")  # some of its versions take for granted that it is loaded
    ops = "liger_kernel.ops"
    return Liger(
        turn=import_module(f"{ops}.rope").LigerRopeFunction.apply,
        norm=import_module(f"{ops}.rms_norm").LigerRMSNormFunction.apply,
        gate=import_module(f"{ops}.swiglu").LigerSiLUMulFunction.apply,
    )


@cache
def _liger() -> tuple[Liger | None, str]:
    """The kernels and their version, or None and why."""
    if os.environ.get(OFF) == "1":
        return None, f"{OFF}=1 is set"
    try:
        return load_liger(), metadata.version("liger-kernel")
    except ModuleNotFoundError as error:
        return None, f"{error.name} is not installed; install it with: pip install 'quire[gpu]'"
    except (ImportError, RuntimeError, AttributeError) as error:
        return None, f"liger-kernel cannot be loaded here ({error})"
