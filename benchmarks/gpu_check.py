"""On a GPU, in one command: is each path for GPUs right, how fast is a training step, and how fast is it beside others?

    PYTHONPATH=src python -m benchmarks.gpu_check [--peers]

First every function that a GPU computes for Quire against float64, beside the plain version (`gpu.checks`); then LoRA
of rank 16 on all linear layers of the 1B and 8B shapes in rows of 2,048 tokens, as Quire trains it and as transformers
with PEFT does, with the share of the roofline; then 8B in 4 bits, where bitsandbytes is (`gpu.steps`).  With `--peers`
TRL with Liger's kernels and Unsloth train beside Quire (`gpu.beside`), which takes longer and, the first time, the
package index.  Weights are random and made on the device.  Needs torch, transformers and peft; without the others it
says so and goes on.  Results go to $OUT/gpu.json, or to benchmarks/results/gpu.json.  No GPU has run it in this form.
`--device cpu --shapes tiny` tries the command itself.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import time
from collections.abc import Callable, Sequence
from importlib import util
from pathlib import Path
from typing import Any

import torch

from benchmarks import facts
from benchmarks.gpu.beside import beside
from benchmarks.gpu.checks import CHECKS
from benchmarks.gpu.shapes import SIZES
from benchmarks.gpu.steps import train
from quire.model.kernels import gpu

RESULTS = Path(__file__).parent / "results" / "gpu.json"
FOUR_BITS = ("8B", "tiny")  # shapes that are trained over a base in 4 bits too


def main(arguments: Sequence[str] | None = None) -> int:
    """Print and keep what was found; 1 where a path is wrong."""
    asked = _options(arguments)
    device = torch.device(asked.device)
    started = time.perf_counter()
    found: dict[str, Any] = {"machine": facts.machine(), "kernels": list(gpu.kernels_on_gpu())}
    print("\n".join(found["kernels"]))
    found["checks"] = [guarded(name, check, device) for name, check in CHECKS.items()]
    found["training"] = [
        guarded(f"{name} {way}", train, SIZES[name], way, device) for name in asked.shapes for way in ways_of(name)
    ]
    if asked.peers:
        found["beside"] = [
            guarded(name, beside, name, asked.rounds, rate_of(found["training"], name)) for name in asked.shapes
        ]
    found["seconds"] = round(time.perf_counter() - started, 1)
    out = asked.out or (Path(os.environ["OUT"]) / RESULTS.name if "OUT" in os.environ else RESULTS)
    out.parent.mkdir(parents=True, exist_ok=True)
    facts.write(out, found)
    print(f"{out}, after {found['seconds']} s")
    wrong = [case["name"] for case in found["checks"] if not case.get("right")]
    if wrong:
        print(f"wrong: {', '.join(wrong)}")
    return int(bool(wrong))


def ways_of(shape: str) -> tuple[str, ...]:
    """How a shape is trained here."""
    in_four_bits = shape in FOUR_BITS and util.find_spec("bitsandbytes") is not None
    return ("plain", "quick", "quick nf4") if in_four_bits else ("plain", "quick")


def rate_of(training: Sequence[dict[str, Any]], shape: str) -> float | None:
    """Operations a second of products in bf16, from the steps of this shape; None where none went well."""
    found = [case["bf16_tflops"] * 1e12 for case in training if case["name"] == f"{shape} quick" and "seconds" in case]
    return found[0] if found else None


def guarded(name: str, work: Callable[..., dict[str, Any]], *given: Any) -> dict[str, Any]:
    """What `work` found, or what went wrong: the rest goes on."""
    try:
        case = {"name": name, **work(*given)}
    except Exception as error:
        case = {"name": name, "problem": f"{type(error).__name__}: {str(error)[:300]}"}
    gc.collect()
    torch.cuda.empty_cache()
    print(json.dumps(case), flush=True)
    return case


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.gpu_check", description=(__doc__ or "").split("\n", 1)[0]
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--shapes", nargs="+", default=["1B", "8B"], choices=list(SIZES))
    parser.add_argument("--peers", action="store_true", help="TRL with Liger's kernels and Unsloth too")
    parser.add_argument("--rounds", type=int, default=2, help="of the peers")
    parser.add_argument("--out", type=Path)
    return parser.parse_args(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
