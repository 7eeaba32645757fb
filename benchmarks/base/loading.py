"""How long the base takes to be there: in fresh processes, libraries apart, each the median of some."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from typing import Any

from benchmarks.base.task import Task, tell

TRIES = 5
_CHILD = """
import json, sys, time
began = time.perf_counter()
from quire.model.base import load_base
from quire.planner.bases import find_base
import transformers.models.llama.modeling_llama
imported = time.perf_counter()
load_base(find_base(sys.argv[1]), "fp32")
loaded = time.perf_counter()
load_base(find_base(sys.argv[1]), "fp32")
print(json.dumps([imported - began, loaded - imported, time.perf_counter() - loaded]))
"""


def measure(task: Task, tries: int = TRIES) -> dict[str, Any]:
    """Seconds of importing, of loading for the first time in a process, and of loading once more."""
    found = []
    for _ in range(tries):
        asked = [sys.executable, "-W", "ignore", "-c", _CHILD, task.base]
        done = subprocess.run(asked, capture_output=True, check=True, text=True)  # noqa: S603
        found.append(json.loads(done.stdout.splitlines()[-1]))
        tell(f"  import {found[-1][0]:.2f} s, load {found[-1][1]:.3f} s, again {found[-1][2]:.3f} s")
    imported, loaded, again = (round(statistics.median(column), 3) for column in zip(*found, strict=True))
    return {"tries": tries, "import_seconds": imported, "load_seconds": loaded, "again_seconds": again}
