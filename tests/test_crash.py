"""Promise 3 in small: `make crash-test` kills more runs, in more configurations."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_runs_that_were_killed_end_with_the_same_bytes() -> None:
    asked = ["--kills", "6", "--seed", "1", "--ways", "warm", "file", "--only", "parts", "--only", "accumulate"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.crash", *asked],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "6 kills" in done.stdout.splitlines()[-1]
    assert "0 differences" in done.stdout.splitlines()[-1]
