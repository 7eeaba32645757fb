"""When memory runs out in a step: what may be made smaller without changing what the step means.

A step's gradient is the sum over its rows, in whatever batches they are computed; so the micro-batch is halved and the
accumulation doubled, down to single rows, and then activations are computed twice.  Only the order of additions
changes, in the last digits.
"""

from __future__ import annotations

import gc
import resource
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PreTrainedModel

from quire.errors import OutOfMemory
from quire.model.kernels.blocks import release
from quire.model.machine import give_freed_memory_back, trim_heap
from quire.recipe.resolved import StageDecided
from quire.run.events import JSON

# What the allocators of CPU tensors say; there is no class of its own for it (c10/core/impl/alloc_cpu.cpp).
_SAID_BY_ALLOCATORS = ("can't allocate memory", "not enough memory", "Cannot allocate memory", "bad_alloc")


_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_MEMINFO, _GROUP = Path("/proc/meminfo"), Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Footing:
    """How a step's rows are computed: so many at once, activations kept or computed twice."""

    batch: int
    checkpointing: bool


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an allocation failed, on a GPU or in main memory."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in _SAID_BY_ALLOCATORS)


@contextmanager
def naming_out_of_memory() -> Iterator[None]:
    """Raise OutOfMemory where an allocation fails in the block: what could be made smaller there was tried before."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        said = (str(error).splitlines() or ["an allocation failed"])[0]
        raise OutOfMemory(
            f"memory ran out ({said})",
            "close what else holds memory and go on with the same command; or, in a new run, use a shorter "
            "train.window, a smaller base, or method: qlora",
            "out-of-memory",
        ) from error


def smaller(footing: Footing, rows: int) -> Footing:
    """The next footing that needs less memory for a step of `rows` rows, which stay as many.

    Raises OutOfMemory where there is none.
    """
    if footing.batch > 1:
        half = footing.batch // 2
        return Footing(max(size for size in range(1, half + 1) if rows % size == 0), footing.checkpointing)
    if not footing.checkpointing:
        return Footing(1, True)
    raise OutOfMemory(
        "a single row does not fit into memory, even with its activations computed twice",
        "use a shorter train.window, a smaller base, or method: qlora; quire plan says what would fit",
        "out-of-memory",
    )


def compute_activations_twice(model: PreTrainedModel) -> None:
    """Keep only what goes into each layer, and compute the rest again on the way back (gradient checkpointing)."""
    give_freed_memory_back()
    model.gradient_checkpointing_enable(  # type: ignore[no-untyped-call]
        gradient_checkpointing_kwargs={"use_reentrant": False}
    )


def on_footing(decided: StageDecided, footing: Footing, rows: int) -> StageDecided:
    """What the run keeps of it, so that a resume begins there."""
    return decided.model_copy(
        update={
            "batch": footing.batch,
            "accumulate": -(-rows // footing.batch),
            "batch_reason": f"memory ran out with {decided.batch} at once; {rows} rows make a step as before",
            "checkpointing": footing.checkpointing,
        }
    )


def begin_peak(device: str) -> int | None:
    """Let `peak_memory` count from now on, where the system can; returns the bytes that are held whatever comes.

    A stage is not to be told the peak of the one before.  None where what was freed cannot be told from what is held.
    """
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        return torch.cuda.memory_allocated()
    gc.collect()
    release()
    trimmed = trim_heap()
    with suppress(OSError):
        _CLEAR.write_text("5", encoding="ascii")  # resets VmHWM: proc_pid_clear_refs(5)
    return _told_by_linux("VmRSS") if trimmed else None


def peak_memory(device: str) -> int:
    """Most bytes this process has held since `begin_peak`, or ever: of the GPU's memory there, of resident memory
    otherwise."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return _told_by_linux("VmHWM") or (peak if sys.platform == "darwin" else peak * 1024)


def _told_by_linux(name: str) -> int | None:
    """A line of /proc/self/status in bytes; None where there is none."""
    try:
        lines = _STATUS.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{name}:")), None)


def memory_now(device: str) -> dict[str, JSON]:
    """What has been held so far and what can be held at most, for an event."""
    told: dict[str, JSON] = {"memory_bytes": peak_memory(device)}
    limit = memory_limit(device)
    return told if limit is None else {**told, "memory_limit_bytes": limit}


def memory_limit(device: str) -> int | None:
    """Bytes that this process can hold at most: the GPU's memory; or what it has and what is free beside it, as far as
    Linux lets its control group go.  None where that is not told."""
    if device == "cuda":
        return torch.cuda.mem_get_info()[1]
    try:
        own = int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()
        told = dict(line.split(":", 1) for line in _MEMINFO.read_text().splitlines())
        limits = [own + int(told["MemAvailable"].split()[0]) * 1024]
    except (OSError, ValueError, KeyError, IndexError):
        return None
    with suppress(OSError, ValueError):  # no group, or one without a limit
        limits.append(own + _room_in_group(_GROUP))
    return min(limits)


def _room_in_group(group: Path) -> int:
    """Bytes that a control group may still take: what it holds of files goes where memory is wanted."""
    holds = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    files = sum(int(holds.get(name, 0)) for name in ("inactive_file", "active_file"))
    return int((group / "memory.max").read_text()) - int((group / "memory.current").read_text()) + files
