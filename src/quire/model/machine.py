"""What this machine can do, measured: cores, memory, and how fast it multiplies matrices in each number format."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import torch

from quire.model.kernels.native import native
from quire.planner.facts import MachineFacts
from quire.planner.memory import VERY_LARGE
from quire.planner.precision import require_precision

Precision = Literal["fp32", "bf16", "fp16", "int8", "nf4"]
DTYPES: dict[Precision, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

# Where the processor lacks bf16 instructions, bf16 is 30 to 200 times slower than fp32 (measured, field notes 4): a
# small gain is therefore no proof of native bf16 but a clear one is.
WORTHWHILE_GAIN = 1.2

# What `give_freed_memory_back` takes for a large tensor, in bytes, and what `keep_small_memory` does; the numbers by
# which malloc.h knows these settings.
LARGE = 2**20
_M_MMAP_THRESHOLD, _M_TRIM_THRESHOLD = -3, -1

# One thread is taken only where it is clearly faster: two starts on the same machine should decide alike.
CLEARLY = 1.5


@dataclass(frozen=True)
class Decision:
    """A choice made by measuring, with the reason that is printed and kept."""

    value: Precision
    reason: str


def device_name() -> Literal["cpu", "cuda"]:
    """`cuda` where there is a GPU, otherwise `cpu`."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def measure_machine() -> MachineFacts:
    """Facts about this machine: what is free as it is now, the rates as they were when they were first asked for."""
    rates = _rates()
    formats = ["fp32"]
    if dict(rates)["bf16"] >= WORTHWHILE_GAIN * dict(rates)["fp32"]:
        formats.append("bf16")
    gpu = torch.cuda.is_available()
    if gpu:
        formats.append("fp16")
    memory, free = _memory()
    return MachineFacts(
        cores=os.cpu_count() or 1,
        memory_bytes=memory,
        memory_free_bytes=free,
        disk_free_bytes=shutil.disk_usage(Path.cwd()).free,
        rates=rates,
        native=tuple(formats),
        gpu=torch.cuda.get_device_name() if gpu else None,
        gpu_memory_bytes=torch.cuda.get_device_properties(0).total_memory if gpu else None,
        gpus=torch.cuda.device_count() if gpu else 0,
        kernels=native() is not None,
    )


@cache
def _rates() -> tuple[tuple[str, float], ...]:
    """Of products in each format; takes well under a second.  Two questions in one process should decide alike."""
    return ("fp32", matmul_rate(torch.float32)), ("bf16", matmul_rate(torch.bfloat16))


def matmul_rate(dtype: torch.dtype, size: int = 512, seconds: float = 0.08) -> float:
    """FLOP/s of a (size × size) matmul in `dtype` on the device that training would use: the best of a few runs."""
    device = device_name()
    left = torch.ones(size, size, dtype=dtype, device=device)
    right = torch.ones(size, size, dtype=dtype, device=device)
    best = float("inf")
    until = time.perf_counter() + seconds
    rounds = 0
    while rounds < 3 or time.perf_counter() < until:
        started = time.perf_counter()
        torch.matmul(left, right)
        if device == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - started)
        rounds += 1
    return 2 * size**3 / best


def choose_threads(most: int, seconds: float = 0.15) -> tuple[int, str]:
    """Threads for the computation, and why: `most` of them, or one where several get in each other's way.

    A step is a long chain of small products, and after each the threads wait for the slowest.  Where other programs
    keep the processor busy that wait is a slice of the scheduler's time, and two threads can be twenty times slower
    than one (measured: 130 against 2,800 tokens a second).
    """
    if most == 1:
        return 1, "one core"
    before = torch.get_num_threads()
    chains = {threads: _chains_per_second(threads, seconds) for threads in (1, most)}
    torch.set_num_threads(before)
    chosen = 1 if chains[1] > CLEARLY * chains[most] else most
    return chosen, f"{most} threads {chains[most]:.0f}, one {chains[1]:.0f} rounds a second measured here"


def set_threads(threads: int) -> None:
    """Sums are added up in an order that depends on the number of threads: a resumed run must use the same."""
    torch.set_num_threads(threads)


def give_freed_memory_back() -> bool:
    """Let large tensors leave the process when they are freed; whether this C library can (glibc alone).

    Its heap keeps holes between what lives long and what is freed soon, and where activations are computed twice there
    is little else: the peak of a 135M base in windows of 512 was 1,740 MiB, and 1,150 without the holes.  Memory that
    is asked for anew costs time, which is why this is not always so.  No number changes.
    """
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    return hasattr(library, "mallopt") and library.mallopt(_M_MMAP_THRESHOLD, LARGE) == 1


def keep_small_memory() -> bool:
    """Let tensors below VERY_LARGE stay on the heap when they are freed, and those above leave the process; whether
    this C library can (glibc alone).

    By itself glibc learns to keep blocks of up to 32 MB on its heap, holes included, and gives its upper end back now
    and then, which the next step asks for anew.  A step of a 1B base in a window of 1,024 held 0.1 to 1.1 GB in holes
    from one start to the next, and none like this; one of 135M took 7 % less time (measured).
    """
    if not sys.platform.startswith("linux"):
        return False
    library: ctypes.CDLL = ctypes.CDLL(None)
    if not hasattr(library, "mallopt"):
        return False
    kept = library.mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)
    freed = library.mallopt(_M_MMAP_THRESHOLD, VERY_LARGE)
    return bool(kept == freed == 1)


def trim_heap() -> bool:
    """Give back what the heap holds and nothing uses: preparing a corpus leaves 150 MB of it.  Whether this C library
    can (glibc alone)."""
    if not sys.platform.startswith("linux"):
        return False
    library = ctypes.CDLL(None)
    if not hasattr(library, "malloc_trim"):
        return False
    library.malloc_trim(0)
    return True


def _chains_per_second(threads: int, seconds: float) -> float:
    """How often a layer's worth of products on a row of tokens is computed in a second."""
    torch.set_num_threads(threads)
    row, up, down = torch.ones(512, 256), torch.ones(256, 704), torch.ones(704, 256)
    rounds = 0
    started = time.perf_counter()
    while (passed := time.perf_counter() - started) < seconds:
        for _ in range(4):
            hidden = torch.nn.functional.silu(row @ up) @ down
            torch.softmax(hidden, dim=-1)
        rounds += 1
    return rounds / passed


def choose_precision(machine: MachineFacts, wanted: str, low_bits: bool = False) -> Decision:
    """The number format of the computation; of a base in `low_bits` (qlora) that of its weights.

    Raises RecipeError for one that this machine cannot compute in.
    """
    require_precision(wanted, machine)
    if wanted != "auto":
        assert wanted in ("fp32", "bf16", "fp16", "int8", "nf4")
        return Decision(wanted, "as the recipe says")  # type: ignore[arg-type]
    if low_bits:
        if machine.gpu is not None:
            return Decision("nf4", "qlora on a GPU: 4 bits a weight")
        return Decision("int8", "qlora on a processor: 8 bits a weight, which it can multiply")
    fp32, bf16 = machine.rate("fp32"), machine.rate("bf16")
    assert fp32 is not None
    assert bf16 is not None
    measured = f"bf16 {bf16 / 1e9:.0f} GFLOP/s against fp32 {fp32 / 1e9:.0f} measured here"
    if "bf16" in machine.native:
        return Decision("bf16", measured)
    if machine.gpu is not None:
        return Decision("fp16", f"this GPU lacks bf16 ({measured}); the loss is scaled")
    return Decision("fp32", measured)


def _memory() -> tuple[int, int]:
    """Total and free memory in bytes; free is what the system says can be had without swapping."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    facts = Path("/proc/meminfo")
    if not facts.exists():
        return total, total
    lines = dict(line.split(":", 1) for line in facts.read_text().splitlines() if ":" in line)
    return total, int(lines["MemAvailable"].split()[0]) * 1024
