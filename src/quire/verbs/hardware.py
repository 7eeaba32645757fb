"""What can be learned of this machine without torch: enough to choose a base and to say what would fit."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import numpy as np

from quire.model.kernels.build import LIBRARY
from quire.planner.facts import MachineFacts

_BF16_FLAGS = ("avx512_bf16", "amx_bf16", "bf16")  # the last one as ARM processors call it
_MATRIX = 768
_SECONDS = 0.15


def look_at_machine(folder: Path) -> MachineFacts:
    """Cores, memory, disk at `folder`, GPU, and the rate of fp32 matrix products, which takes a moment to measure."""
    total, free = _memory()
    gpu, gpu_memory, gpus = _gpu()
    return MachineFacts(
        cores=os.cpu_count() or 1,
        memory_bytes=total,
        memory_free_bytes=free,
        disk_free_bytes=shutil.disk_usage(_standing(folder)).free,
        rates=() if gpu else (("fp32", _fp32_rate()),),
        native=("fp32", "bf16") if gpu or _has_bf16() else ("fp32",),
        gpu=gpu,
        gpu_memory_bytes=gpu_memory,
        gpus=gpus,
        kernels=not gpu and _has_bf16() and LIBRARY.exists(),
    )


def _fp32_rate() -> float:
    """FLOP/s of the best of a few numpy products; numpy and torch call libraries of about the same speed."""
    left = np.ones((_MATRIX, _MATRIX), dtype=np.float32)
    best = float("inf")
    until = time.perf_counter() + _SECONDS
    while time.perf_counter() < until:
        started = time.perf_counter()
        np.matmul(left, left)
        best = min(best, time.perf_counter() - started)
    return 2 * _MATRIX**3 / best


def _memory() -> tuple[int, int]:
    """Bytes in all and bytes that can be had now."""
    facts = Path("/proc/meminfo")
    if facts.exists():
        lines = dict(line.split(":", 1) for line in facts.read_text(encoding="ascii").splitlines() if ":" in line)
        return int(lines["MemTotal"].split()[0]) * 1024, int(lines["MemAvailable"].split()[0]) * 1024
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return total, total


def _has_bf16() -> bool:
    facts = Path("/proc/cpuinfo")
    if not facts.exists():
        return False
    flags = set(facts.read_text(encoding="utf-8", errors="replace").split())
    return any(flag in flags for flag in _BF16_FLAGS)


def _gpu() -> tuple[str | None, int | None, int]:
    """Name and memory of the first GPU that NVIDIA's tool lists, and how many it lists."""
    tool = shutil.which("nvidia-smi")
    if tool is None:
        return None, None, 0
    ask = [tool, "--query-gpu=name,memory.total", "--format=csv,noheader,nounits"]
    try:
        answer = subprocess.run(ask, capture_output=True, text=True, timeout=10, check=True).stdout  # noqa: S603
        name, memory = answer.splitlines()[0].rsplit(",", 1)
        return name.strip(), int(memory) * 2**20, len(answer.splitlines())
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None, None, 0


def _standing(path: Path) -> Path:
    path = path.absolute()
    while not path.exists():
        path = path.parent
    return path
