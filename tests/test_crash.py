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


def carried_out(module: str, *asked: str, code: int = 0) -> str:
    """The last line of what a bench prints; it must have found nothing wrong, or end with `code`."""
    done = subprocess.run(
        [sys.executable, "-m", module, *asked],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout.splitlines()[-1]


def test_a_run_that_was_killed_ends_with_the_same_bytes() -> None:
    """Though steps of it are left out, and it is killed while it goes back, which no kill had hit before."""
    asked = ["--kills", "0", "--seed", "4", "--ways", "aimed", "--only", "not finite", "--phases", "going back"]
    last = carried_out("benchmarks.crash", *asked)
    assert last == "1 kills over 1 runs, 0 differences, 0 phases missed"


@pytest.mark.slow
def test_a_phase_that_no_kill_has_hit_is_a_failure() -> None:
    """Nothing is left out in a run whose steps are all finite."""
    asked = ["--kills", "0", "--seed", "4", "--ways", "aimed", "--only", "short", "--phases", "leaving out"]
    last = carried_out("benchmarks.crash", *asked, code=1)
    assert last == "0 kills over 0 runs, 0 differences, 1 phases missed"


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
