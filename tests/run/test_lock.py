from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from quire.errors import RunError
from quire.run.lock import hold, holder

HOLD = "import sys\nfrom pathlib import Path\nfrom quire.run.lock import hold\n"
HOLD += "with hold(Path(sys.argv[1])):\n    print('held', flush=True)\n    sys.stdin.read()\n"


def start_holder(path: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    return process


def test_living_process_is_named_and_a_killed_one_is_no_obstacle(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    process = start_holder(path)
    try:
        with pytest.raises(RunError, match=rf"in use by process {process.pid}") as caught, hold(path):
            pass
        assert "--run" in caught.value.then
        assert holder(path) == process.pid
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert path.read_text() == f"{process.pid}\n"
    assert holder(path) is None
    with hold(path):
        assert holder(path) == os.getpid()


def test_lock_can_be_taken_again_once_left(tmp_path: Path) -> None:
    for _ in range(2):
        with hold(tmp_path / "lock"), pytest.raises(RunError), hold(tmp_path / "lock"):
            pass
    assert holder(tmp_path / "lock") is None


def test_nobody_holds_a_lock_that_is_not_there(tmp_path: Path) -> None:
    assert holder(tmp_path / "lock") is None
