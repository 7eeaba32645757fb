"""On a GPU, in one command and about five minutes: is each path for GPUs right, and how fast is a training step?

    PYTHONPATH=src python -m benchmarks.gpu_check

First every function of `quire.model.kernels.gpu` against float64, beside the plain version; then LoRA of rank 16 on all
linear layers of the 1B and 8B shapes in packed rows of 2,048 tokens, as Quire trains it and as transformers with PEFT
does; then the same over a base in 4 bits, where bitsandbytes is.  Weights are random and made on the device.  Needs
torch, transformers and peft; without liger-kernel and bitsandbytes it says so and goes on.  Results go to
$OUT/gpu.json, or to benchmarks/results/gpu.json.  `--device cpu --shapes tiny` tries the command itself.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module, metadata, util
from pathlib import Path
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM
from transformers.initialization import no_init_weights

from quire.model.ending import states_of
from quire.model.kernels import gpu
from quire.model.kernels.attention import Turns, attention_plain, turned
from quire.model.kernels.gate import silu_times_plain
from quire.model.kernels.head import summed_cross_entropy
from quire.model.kernels.norm import rms_norm_plain
from quire.model.quick import quicken

RESULTS = Path(__file__).parent / "results" / "gpu.json"
RANK, ALPHA, WINDOW = 16, 32, 2048
WARM, STEPS = 3, 6
LINEAR = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
LIBRARIES = ("torch", "triton", "transformers", "peft", "liger-kernel", "bitsandbytes")


@dataclass(frozen=True)
class Shape:
    """A Llama without its weights; `rows` of the window are computed at once, or half as many where memory runs out."""

    hidden: int
    layers: int
    heads: int
    groups: int
    intermediate: int
    vocabulary: int
    rows: int
    window: int = WINDOW

    @property
    def matrices(self) -> list[tuple[int, int]]:
        """(outputs, inputs) of a layer's."""
        shared = self.hidden // self.heads * self.groups
        wide = [(self.hidden, self.hidden)] * 2 + [(shared, self.hidden)] * 2
        return wide + [(self.intermediate, self.hidden)] * 2 + [(self.hidden, self.intermediate)]

    @property
    def head(self) -> tuple[int, int]:
        return self.vocabulary, self.hidden


SHAPES = {
    "tiny": Shape(64, 2, 4, 2, 160, 300, rows=2, window=96),
    "1B": Shape(2048, 22, 32, 4, 5632, 32000, rows=8),
    "8B": Shape(4096, 32, 32, 8, 14336, 128256, rows=4),
}


def main() -> None:
    options = _options()
    device = torch.device(options.device)
    started = time.perf_counter()
    found: dict[str, Any] = {"machine": facts(device), "kernels": list(gpu.kernels_on_gpu())}
    print("\n".join(found["kernels"]))
    found["checks"] = [guarded(name, lambda check=check: check(device)) for name, check in CHECKS.items()]
    found["training"] = []
    for name in options.shapes:
        ways = ("plain", "quick") + (("quick nf4",) if name != "1B" and util.find_spec("bitsandbytes") else ())
        for way in ways:
            case = guarded(f"{name} {way}", lambda name=name, way=way: train(SHAPES[name], way, device))
            found["training"].append(case)
    found["seconds"] = round(time.perf_counter() - started, 1)
    out = Path(os.environ["OUT"]) / "gpu.json" if "OUT" in os.environ else RESULTS
    out = options.out or out
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(f"{out}, after {found['seconds']} s")
    wrong = [case["name"] for case in found["checks"] if not case.get("right")]
    raise SystemExit(f"wrong: {', '.join(wrong)}" if wrong else 0)


def guarded(name: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What `work` found, or what went wrong: the rest goes on."""
    try:
        case = {"name": name, **work()}
    except Exception as error:
        case = {"name": name, "problem": f"{type(error).__name__}: {str(error)[:300]}"}
    gc.collect()
    torch.cuda.empty_cache()
    print(json.dumps(case), flush=True)
    return case


def facts(device: torch.device) -> dict[str, Any]:
    """What was measured on; no names of machines."""
    known = {name: metadata.version(name) for name in LIBRARIES if util.find_spec(name.replace("-", "_"))}
    card = torch.cuda.get_device_properties(device) if device.type == "cuda" else None
    return {
        "gpu": None if card is None else card.name,
        "gpu_memory_bytes": None if card is None else card.total_memory,
        "capability": None if card is None else [card.major, card.minor],
        "date": datetime.now(UTC).date().isoformat(),
        **known,
    }


# Is it right?  Each check gives the errors of the path and of the plain version, as shares of the float64 result's
# size, for the values and every gradient, and the milliseconds of both, forward and backward.


@dataclass(frozen=True)
class Ways:
    """A function of leaves in 16 bits by our path and plainly."""

    path: Callable[..., Tensor]
    plain: Callable[..., Tensor]
    leaves: tuple[Tensor, ...]


def compared(ways: Ways) -> dict[str, Any]:
    exact = gradients(ways.plain, [x.double() for x in ways.leaves])
    path, plain = (gradients(way, ways.leaves) for way in (ways.path, ways.plain))
    errors = [[distance(x, true) for x, true in zip(found, exact, strict=True)] for found in (path, plain)]
    step = torch.finfo(ways.leaves[0].dtype).eps
    right = all(one < 1.5 * other + step for one, other in zip(*errors, strict=True))
    return {
        "right": right,
        "errors": [float(f"{error:.2g}") for error in errors[0]],
        "plain_errors": [float(f"{error:.2g}") for error in errors[1]],
        "milliseconds": milliseconds_of(ways.path, ways.leaves),
        "plain_milliseconds": milliseconds_of(ways.plain, ways.leaves),
    }


def gradients(way: Callable[..., Tensor], leaves: Sequence[Tensor]) -> list[Tensor]:
    """What comes out, and the gradients for one that is drawn."""
    own = [x.detach().clone().requires_grad_() for x in leaves]
    out = way(*own)
    wish = torch.cos(torch.arange(out.numel(), device=out.device, dtype=torch.float64)).bfloat16().view(out.shape)
    return [out.detach().clone(), *torch.autograd.grad(out, own, wish.to(out.dtype))]


def milliseconds_of(way: Callable[..., Tensor], leaves: Sequence[Tensor]) -> float:
    """Forward and backward, without what has to be prepared.  liger's gate leaves other numbers in them."""
    own = [x.detach().clone().requires_grad_() for x in leaves]
    wish = torch.ones_like(way(*own))
    return milliseconds(lambda: torch.autograd.grad(way(*own), own, wish), leaves[0].device)


def distance(found: Tensor, wanted: Tensor) -> float:
    return float((found.double() - wanted).norm() / wanted.norm().clamp_min(1e-30))


def numbers(device: torch.device, *shape: int, times: float = 1.0) -> Tensor:
    generator = torch.Generator(device).manual_seed(sum(shape))
    return torch.randn(*shape, generator=generator, device=device).mul_(times).to(torch.bfloat16)


def sized(device: torch.device) -> Shape:
    return SHAPES["8B" if device.type == "cuda" else "tiny"]


def check_attention(device: torch.device) -> dict[str, Any]:
    shape = sized(device)
    features, tokens = shape.hidden // shape.heads, shape.window
    starts = [0, tokens // 3 + 1, tokens // 3 + 2, tokens]
    angles = torch.outer(
        torch.arange(tokens, device=device), 10000.0 ** -torch.linspace(0, 1, features // 2, device=device)
    ).repeat(1, 2)

    def by(way: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return lambda q, k, v: way(
            q, k, v, starts, features**-0.5, Turns(angles.cos().to(q.dtype), angles.sin().to(q.dtype))
        )

    leaves = tuple(numbers(device, tokens, heads, features) for heads in (shape.heads, shape.groups, shape.groups))
    return compared(Ways(by(gpu.attention_on_gpu), by(attention_plain), leaves))


def check_norm(device: torch.device) -> dict[str, Any]:
    shape = sized(device)

    def exact(x: Tensor, weight: Tensor) -> Tensor:
        if x.dtype != torch.float64:
            return rms_norm_plain(x, weight, 1e-5)
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-5) * weight

    leaves = numbers(device, shape.window, shape.hidden), numbers(device, shape.hidden)
    return compared(Ways(lambda x, w: gpu.rms_norm_on_gpu(x, w, 1e-5), exact, leaves))


def check_gate(device: torch.device) -> dict[str, Any]:
    shape = sized(device)
    leaves = tuple(numbers(device, shape.window, shape.intermediate) for _ in range(2))
    return compared(Ways(gpu.silu_times_on_gpu, silu_times_plain, leaves))


def check_adapter(device: torch.device) -> dict[str, Any]:
    shape = sized(device)
    weight = numbers(device, shape.intermediate, shape.hidden, times=0.02)

    def plain(x: Tensor, first: Tensor, second: Tensor) -> Tensor:
        """As PEFT: the adapter's products in its own format."""
        own = first.float() if x.dtype != torch.float64 else first
        low = x.to(own.dtype) @ own.T @ second.to(own.dtype).T
        return (functional.linear(x, weight.to(x.dtype)) + 2 * low).to(x.dtype)

    leaves = (
        numbers(device, shape.window, shape.hidden),
        numbers(device, RANK, shape.hidden, times=0.02),
        numbers(device, shape.intermediate, RANK, times=0.02),
    )
    return compared(
        Ways(lambda x, a, b: gpu.low_rank_linear(x, weight, None, a.float(), b.float(), 2.0), plain, leaves)
    )


def check_dropout(device: torch.device) -> dict[str, Any]:
    """Whether the mask of the way back is that of the way forward, and as many drop as should."""
    shape = sized(device)
    weight, x = numbers(device, shape.hidden, shape.hidden, times=0.02), numbers(device, shape.window, shape.hidden)
    first, second = numbers(device, RANK, shape.hidden).float(), numbers(device, shape.hidden, RANK).float()

    def path(x: Tensor, first: Tensor) -> Tensor:
        return gpu.low_rank_linear(x, weight, None, first, second, 2.0, 0.05, 7)

    def plain(x: Tensor, first: Tensor) -> Tensor:
        low = functional.dropout(x.float(), 0.05) @ first.T @ second.T
        return functional.linear(x, weight) + (2.0 * low).to(x.dtype)

    kept = gpu._kept(x, 0.05, 7)
    assert kept is not None
    share = float(kept.double().mean())
    again = gpu._kept(x, 0.05, 7)
    # Without the base the gradient of x is nought where x is dropped.
    leaf = x.detach().clone().requires_grad_()
    nothing = torch.zeros_like(weight)
    (found,) = torch.autograd.grad(gpu.low_rank_linear(leaf, nothing, None, first, second, 2.0, 0.05, 7).sum(), leaf)
    right = abs(share - 0.95) < 0.01 and torch.equal(kept, again) and not bool(found[~kept].any())
    return {
        "right": right,
        "milliseconds": milliseconds_of(path, (x, first)),
        "plain_milliseconds": milliseconds_of(plain, (x, first)),
    }


def check_loss(device: torch.device) -> dict[str, Any]:
    """The head's loss in blocks, and liger's fused one beside it where it is."""
    shape = sized(device)
    weight = numbers(device, *shape.head, times=0.02)
    targets = torch.arange(shape.window, device=device) * 7 % shape.vocabulary
    targets[::9] = -100

    def plain(x: Tensor) -> Tensor:
        logits = functional.linear(x, weight.to(x.dtype))
        wide = logits if x.dtype == torch.float64 else logits.float()
        return functional.cross_entropy(wide, targets, ignore_index=-100, reduction="sum")

    leaves = (numbers(device, shape.window, shape.hidden),)
    case = compared(Ways(lambda x: summed_cross_entropy(x, weight, None, targets, -100), plain, leaves))
    words = targets[:256].clamp_min(0)
    rows = numbers(device, len(words), shape.vocabulary)
    case["block_milliseconds"] = milliseconds(lambda: gpu.losses_on_gpu(rows, words, with_gradient=True), device)
    if util.find_spec("liger_kernel") and device.type == "cuda":
        fused = import_module("liger_kernel.ops.fused_linear_cross_entropy").LigerFusedLinearCrossEntropyFunction.apply

        def liger(x: Tensor) -> Tensor:
            return fused(x, weight, targets, None, None, -100, 0.0, 0.0, "sum")[0]  # type: ignore[no-any-return]

        exact = gradients(plain, [leaves[0].double()])
        case["liger_errors"] = [distance(x, y) for x, y in zip(gradients(liger, leaves), exact, strict=True)]
        case["liger_milliseconds"] = milliseconds_of(liger, leaves)
    return case


def check_turning(device: torch.device) -> dict[str, Any]:
    """Positions alone."""
    shape = sized(device)
    features = shape.hidden // shape.heads
    angles = torch.outer(
        torch.arange(shape.window, device=device), 10000.0 ** -torch.linspace(0, 1, features // 2, device=device)
    ).repeat(1, 2)

    def by(way: Callable[..., tuple[Tensor, Tensor]]) -> Callable[[Tensor, Tensor], Tensor]:
        return lambda q, k: torch.cat(way(q, k, Turns(angles.cos().to(q.dtype), angles.sin().to(q.dtype))), 1)

    leaves = tuple(numbers(device, shape.window, heads, features) for heads in (shape.heads, shape.groups))
    return compared(Ways(by(gpu._turned_on_gpu), by(lambda q, k, t: (turned(q, t), turned(k, t))), leaves))


CHECKS: dict[str, Callable[[torch.device], dict[str, Any]]] = {
    "positions": check_turning,
    "attention": check_attention,
    "norm": check_norm,
    "gate": check_gate,
    "adapter": check_adapter,
    "adapter with dropout": check_dropout,
    "loss": check_loss,
}


# How fast is it?


def train(shape: Shape, way: str, device: torch.device) -> dict[str, Any]:
    """Steps of LoRA on all linear layers; `way` is plain (transformers, PEFT), quick (Quire's layers), or with nf4."""
    model = adapted(shape, device, nf4="nf4" in way)
    if "quick" in way:
        assert quicken(model)
    model.train()
    rows = shape.rows
    while True:
        try:
            return {"rows": rows, "window": shape.window, **measured(model, shape, rows, way, device)}
        except torch.cuda.OutOfMemoryError:
            if rows == 1:
                raise
        torch.cuda.empty_cache()
        rows //= 2


def measured(model: PeftModel, shape: Shape, rows: int, way: str, device: torch.device) -> dict[str, Any]:
    model.zero_grad(set_to_none=True)
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=1e-4, fused=device.type == "cuda")
    generator = torch.Generator(device).manual_seed(3)
    ids = torch.randint(shape.vocabulary, (rows, shape.window + 1), generator=generator, device=device)
    tokens = rows * shape.window
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    losses, spent, rates = [], [], []

    def step() -> Tensor:
        total = loss_of(model, ids[:, :-1], ids[:, 1:].flatten(), way)
        (total / tokens).backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return total.detach()

    for _ in range(WARM + STEPS):
        rates.append(product_seconds(shape, tokens, device))
        with timed(device) as took:
            total = step()
        losses.append(float(total) / tokens)
        spent.append(took[0])
    seconds, products = statistics.median(spent[WARM:]), statistics.median(rates[WARM:])
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else 0
    features = shape.hidden // shape.heads
    seen = shape.window * (shape.window + 1) // 2
    attention = 12 * shape.heads * features * seen * shape.layers * rows
    operations = 4 * tokens * (shape.layers * sum(a * b for a, b in shape.matrices) + shape.vocabulary * shape.hidden)
    rate = operations / products
    case = {
        "tokens_per_second": round(tokens / seconds),
        "roofline_fraction": round((operations + attention) / rate / seconds, 3),
        "bf16_tflops": round(rate / 1e12, 1),
        "seconds": round(seconds, 4),
        "peak_gib": round(peak / 2**30, 2),
        "losses": [round(loss, 4) for loss in losses],
    }
    if way != "plain" and device.type == "cuda":
        case["kernels"] = longest_kernels(step, seconds)
    if peak:
        case["tokens_per_second_and_gib"] = round(tokens / seconds / (peak / 2**30))
    return case


def longest_kernels(step: Callable[[], object], seconds: float) -> list[str]:
    """What the GPU spends a step on, and its share of the step: below 1 in sum, the GPU waits for the processor."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        step()
        torch.cuda.synchronize()
    parts = sorted(
        ((e.self_device_time_total / 1e6 / seconds, e.count, e.key) for e in profile.key_averages()), reverse=True
    )
    return [f"{sum(share for share, _, _ in parts):.3f} all"] + [
        f"{s:.3f} {n} × {key[:90]}" for s, n, key in parts[:24]
    ]


def loss_of(model: PeftModel, inputs: Tensor, targets: Tensor, way: str) -> Tensor:
    """Summed over the targets."""
    if way == "plain":
        logits = model(input_ids=inputs, use_cache=False).logits
        return functional.cross_entropy(logits.float().flatten(0, 1), targets, reduction="sum")
    states = states_of(model, inputs, None).flatten(0, 1)
    head = model.get_base_model().get_output_embeddings()
    return summed_cross_entropy(states, head.weight, None, targets, -100)


def adapted(shape: Shape, device: torch.device, nf4: bool) -> PeftModel:
    """Random weights in bf16, in 4 bits where `nf4`, under adapters in float32."""
    config = LlamaConfig(
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.groups,
        intermediate_size=shape.intermediate,
        vocab_size=shape.vocabulary,
        max_position_embeddings=2 * shape.window,
        tie_word_embeddings=False,
    )
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.bfloat16)
    try:
        with torch.device(device), no_init_weights():
            model = LlamaForCausalLM._from_config(config, attn_implementation="sdpa")
    finally:
        torch.set_default_dtype(before)
    generator = torch.Generator(device).manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.normal_(std=0.02, generator=generator) if parameter.dim() > 1 else parameter.fill_(1.0)
    if nf4:
        from quire.model.lowbit import to_nf4

        to_nf4(model, str(device))
    torch.manual_seed(0)
    lora = LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules=LINEAR)
    learns = get_peft_model(model, lora)
    assert isinstance(learns, PeftModel)
    return learns


def product_seconds(shape: Shape, tokens: int, device: torch.device) -> float:
    """Of the products with all matrices, forward and for the input's gradient, each size timed by itself."""
    total = 0.0
    sizes = [*((size, shape.layers) for size in shape.matrices), (shape.head, 1)]
    for size in dict.fromkeys(size for size, _ in sizes):
        count = sum(times for other, times in sizes if other == size)
        step = min(tokens, 4096) if size == shape.head else tokens
        left = torch.randn(step, size[1], device=device, dtype=torch.bfloat16)
        weight = torch.randn(*size, device=device, dtype=torch.bfloat16)
        back = torch.randn(step, size[0], device=device, dtype=torch.bfloat16)
        torch.mm(left, weight.t())
        with timed(device) as took:
            torch.mm(left, weight.t())
            torch.mm(back, weight)
        total += count * took[0] * tokens / step
    return total


@contextmanager
def timed(device: torch.device) -> Iterator[list[float]]:
    """Seconds until the device has done what was asked of it."""
    spent: list[float] = []
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    started = time.perf_counter()
    yield spent
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    spent.append(time.perf_counter() - started)


def milliseconds(work: Callable[[], object], device: torch.device, rounds: int = 10) -> float:
    """The median."""
    found = []
    for _ in range(rounds + 2):
        with timed(device) as took:
            work()
        found.append(took[0])
    return round(1000 * statistics.median(found[2:]), 3)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--shapes", nargs="+", default=["1B", "8B"], choices=list(SHAPES))
    parser.add_argument("--out", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
