"""How fast is a training step, and which share of the roofline is that?  LoRA of rank 16 on all linear layers.

`plain` is transformers with PEFT, `quick` the same with Quire's layers and loss, `quick nf4` that over 4 bits.
The roofline is that of `quire bench`: the products with all weights and those of causal attention, at the rate at which
the device multiplies matrices of these sizes between the steps.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Any

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from torch import Tensor
from torch.nn import functional

from benchmarks.gpu.clock import timed
from benchmarks.gpu.shapes import ALPHA, RANK, Size
from quire.model.ending import states_of
from quire.model.kernels.head import summed_cross_entropy
from quire.model.quick import quicken
from quire.verbs.benching.made import random_model
from quire.verbs.benching.rates import Rates
from quire.verbs.benching.roofline import best_seconds, work_of

WARM, STEPS = 3, 6
MOST_KERNELS = 24  # that are named


def train(size: Size, way: str, device: torch.device) -> dict[str, Any]:
    """Steps by one of the ways; half as many rows where memory runs out, and again."""
    model = adapted(size, device, nf4="nf4" in way)
    if "quick" in way:
        assert quicken(model)
    model.train()
    rows = size.rows
    while True:
        try:
            return {"rows": rows, "window": size.window, **measured(model, size, rows, way, device)}
        except torch.cuda.OutOfMemoryError:
            if rows == 1:
                raise
        torch.cuda.empty_cache()
        rows //= 2


def adapted(size: Size, device: torch.device, nf4: bool) -> PeftModel:
    """Random weights in bf16, in 4 bits where `nf4`, under adapters in float32."""
    base = random_model(size.shape.config, "nf4" if nf4 else "bf16", str(device))
    torch.manual_seed(0)
    names = [linear.name for linear in size.base.linears]
    learns = get_peft_model(base, LoraConfig(r=RANK, lora_alpha=ALPHA, lora_dropout=0.0, target_modules=names))
    assert isinstance(learns, PeftModel)
    return learns


def measured(model: PeftModel, size: Size, rows: int, way: str, device: torch.device) -> dict[str, Any]:
    """The median step of rows of random words, each a text of its own."""
    model.zero_grad(set_to_none=True)
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=1e-4, fused=device.type == "cuda")
    generator = torch.Generator(device).manual_seed(3)
    ids = torch.randint(size.base.vocabulary, (rows, size.window + 1), generator=generator, device=device)
    tokens = rows * size.window
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)

    def step() -> Tensor:
        total = loss_of(model, ids[:, :-1], ids[:, 1:].flatten(), way)
        (total / tokens).backward()
        torch.nn.utils.clip_grad_norm_(learning, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        return total.detach()

    losses, spent, peak = [], [], 0
    rates = Rates(size.base, tokens, ("bf16",), device.type)
    for _ in range(WARM + STEPS):
        with timed(device) as took:
            total = step()
        losses.append(float(total) / tokens)
        spent.append(took[0])
        if device.type == "cuda":
            peak = torch.cuda.max_memory_allocated(device)
        rates.measure()
        if device.type == "cuda":  # what the products held was not the step's
            torch.cuda.reset_peak_memory_stats(device)
    case = {**speed(size, rows, spent[WARM:], rates.medians(), peak), "losses": [round(loss, 4) for loss in losses]}
    if way != "plain" and device.type == "cuda":
        case["kernels"] = longest_kernels(step, case["seconds"])
    return case


def speed(size: Size, rows: int, spent: Sequence[float], rates: dict[str, float], peak: int) -> dict[str, Any]:
    """Of steps that took so many seconds each, where products run at these rates (operations a second)."""
    seconds, tokens = statistics.median(spent), rows * size.window
    best = rows * best_seconds(work_of(size.base, size.window), rates, "bf16", "bf16")
    case: dict[str, Any] = {
        "tokens_per_second": round(tokens / seconds),
        "roofline_fraction": round(best / seconds, 3),
        "bf16_tflops": round(rates["bf16"] / 1e12, 1),
        "seconds": round(seconds, 4),
    }
    if peak:
        case["peak_gib"] = round(peak / 2**30, 2)
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
    named = [f"{share:.3f} {count} × {key[:90]}" for share, count, key in parts[:MOST_KERNELS]]
    return [f"{sum(share for share, _, _ in parts):.3f} all", *named]


def loss_of(model: PeftModel, inputs: Tensor, targets: Tensor, way: str) -> Tensor:
    """Summed over the targets."""
    if way == "plain":
        logits = model(input_ids=inputs, use_cache=False).logits
        return functional.cross_entropy(logits.float().flatten(0, 1), targets, reduction="sum")
    states = states_of(model, inputs, None).flatten(0, 1)
    head = model.get_base_model().get_output_embeddings()
    return summed_cross_entropy(states, head.weight, None, targets, -100)
