"""On what was measured: processor, instructions, memory, versions.  Nothing that names the machine or its owner."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from quire import __version__
from quire.verbs.hardware import look_at_machine

_CPUINFO = Path("/proc/cpuinfo")
# Those that decide which products a processor has instructions for.
TELLING = ("avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16", "amx_int8", "bf16", "i8mm")
_LIBRARIES = ("torch", "transformers", "peft", "tokenizers", "numpy")


def machine_facts() -> dict[str, Any]:
    """Facts about this machine and its software, for a file of results.  Bytes are bytes."""
    found = look_at_machine(Path.cwd())
    return {
        "processor": _told("model name") or platform.processor() or platform.machine(),
        "cores": found.cores,
        "instructions": [flag for flag in TELLING if flag in (_told("flags") or _told("Features") or "").split()],
        "memory_bytes": found.memory_bytes,
        "memory_free_bytes": found.memory_free_bytes,
        "gpu": found.gpu,
        "gpu_memory_bytes": found.gpu_memory_bytes,
        "load": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "quire": __version__,
        **{name: _version(name) for name in _LIBRARIES},
        "date": datetime.now(UTC).date().isoformat(),
    }


def _told(name: str) -> str | None:
    """A line of Linux's description of the first core."""
    if not _CPUINFO.is_file():
        return None
    lines = _CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    return next((line.split(":", 1)[1].strip() for line in lines if line.split(":", 1)[0].strip() == name), None)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
