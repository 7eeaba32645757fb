"""Promise 3 in small: `make crash-test` kills more runs, in more configurations."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.syscalls import is_supported

ROOT = Path(__file__).parents[1]


def carried_out(module: str, *asked: str) -> str:
    """The last line of what a bench prints; it must have found nothing wrong."""
    done = subprocess.run(
        [sys.executable, "-m", module, *asked],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()[-1]


def test_a_run_that_was_killed_ends_with_the_same_bytes() -> None:
    last = carried_out("benchmarks.crash", "--kills", "1", "--seed", "4", "--ways", "aimed", "--only", "short")
    assert "1 kills" in last
    assert "0 differences" in last


@pytest.mark.slow
def test_runs_that_were_killed_end_with_the_same_bytes() -> None:
    asked = ["--kills", "10", "--seed", "1", "--ways", "aimed", "warm", "file", "term"]
    names = [part for name in ("parts", "accumulate", "stages") for part in ("--only", name)]
    last = carried_out("benchmarks.crash", *asked, *names)
    assert "10 kills" in last
    assert "0 differences" in last


@pytest.mark.slow
@pytest.mark.skipif(not is_supported(), reason="needs seccomp's user notification")
def test_runs_on_disks_that_crash_fail_or_flip_bits_end_with_the_same_bytes() -> None:
    last = carried_out("benchmarks.faults", "--only", "short", "--count", "3", "--seed", "2")
    assert last == "0 faults"
