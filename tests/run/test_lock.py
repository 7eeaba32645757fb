from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from benchmarks.syscalls import is_supported, watch

from quire.errors import RunError
from quire.run.folder import RunFolder
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


def test_of_starts_at_one_moment_one_has_the_folder_and_the_others_are_told(tmp_path: Path) -> None:
    """Eight processes make the same run folder at once, over and over."""
    for attempt in range(5):
        run, gate = tmp_path / f"run-{attempt}", os.pipe()
        children = [fork_start(run, gate[0]) for _ in range(8)]
        os.write(gate[1], b"g" * len(children))
        codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
        assert sorted(codes) == [0] + [2] * 7
        for end in gate:
            os.close(end)


def fork_start(run: Path, gate: int) -> int:
    """A process that waits at the gate, makes the run folder and holds its lock for as long as others try."""
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.read(gate, 1)
        folder = RunFolder.create(run)
        with hold(folder.lock):
            time.sleep(0.5)
            code = 0
    except RunError as error:
        code = 2 if "in use" in str(error) else 3
    finally:
        os._exit(code)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
@pytest.mark.skipif(not is_supported(), reason="needs seccomp's user notification")
def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path, number: int) -> None:
    RunFolder.create(tmp_path / "run")

    def work() -> int:
        try:
            with hold(tmp_path / "run" / "lock"):
                return 0
        except RunError as error:
            return 2 if str(tmp_path / "run") in error.what and error.then else 3

    with hold(tmp_path / "run" / "lock"):
        pass  # an earlier start has left the file
    status = watch(work, tmp_path, lambda operation: number)
    assert os.waitstatus_to_exitcode(status) == 2
