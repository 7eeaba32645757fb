from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from quire.verbs.processes import launch as module
from quire.verbs.processes.launch import Outcome, arguments_without, launch, threads_each

SRC = Path(module.__file__).parents[3]


def script(folder: Path, body: str) -> list[str]:
    """A worker that needs no torch: `rank`, `count`, `home` and `wait_for(name)` are given."""
    text = f"""
import os, pathlib, signal, sys, time
sys.path.insert(0, {str(SRC)!r})
rank, count, home = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"]), pathlib.Path({str(folder)!r})
def wait_for(name):
    until = time.monotonic() + 20
    while not (home / name).exists() and time.monotonic() < until:
        time.sleep(0.01)
"""
    file = folder / "worker.py"
    file.write_text(text + textwrap.dedent(body), encoding="utf-8")
    return [sys.executable, str(file)]


def run(folder: Path, body: str, processes: int = 2) -> Outcome:
    return launch(["train", "book"], processes, "quire train book", script(folder, body))


def test_workers_know_their_places_and_meet_on_a_port_that_is_held_for_them(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        """
        import socket
        names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR")
        held = ""
        if rank == 0:
            listening = socket.socket(fileno=int(os.environ["QUIRE_LISTENER"]))
            held = str(listening.getsockname()[1] == int(os.environ["MASTER_PORT"]))
        (home / f"{rank}").write_text(" ".join([*(os.environ[name] for name in names), *sys.argv[1:], held]))
        """,
        processes=3,
    )
    assert done == Outcome(0)
    assert (tmp_path / "0").read_text() == "0 0 3 3 127.0.0.1 train book True"
    assert (tmp_path / "2").read_text() == "2 2 3 3 127.0.0.1 train book "


def test_a_killed_worker_ends_the_others_and_the_run_can_be_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "GRACE", 0.3)
    started = time.monotonic()
    done = run(
        tmp_path,
        """
        (home / f"pid{rank}").write_text(str(os.getpid()))
        if rank == 1:
            wait_for("pid0")
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(60)
        """,
    )
    assert time.monotonic() - started < 10
    assert done.code == 75
    hint = "(the system does so when memory runs out)"
    assert done.what == f"process 2 of 2 was ended by SIGKILL {hint}, so the others were stopped"
    assert done.then == "quire train book"
    assert not alive(int((tmp_path / "pid0").read_text()))


def test_a_mistake_of_the_user_is_said_once_and_a_bug_is_a_bug(tmp_path: Path) -> None:
    each = 'print("warning: x", "error: no such book", "try: another", sep=chr(10), file=sys.stderr); sys.exit(2)'
    assert run(tmp_path, f"if rank == 0: {each}\nsys.exit(2)") == Outcome(2), "it is on the screen already"
    one = f"if rank:\n    {each}\nsys.exit(2)"
    assert run(tmp_path, one) == Outcome(2, "error: no such book\ntry: another")
    bug = 'if rank: raise RuntimeError("odd")'
    done = run(tmp_path, bug)
    assert done.code == 1
    assert done.said.endswith("RuntimeError: odd")


def test_a_crash_is_a_bug_and_not_a_wish_to_stop(tmp_path: Path) -> None:
    done = run(tmp_path, "if rank: os.kill(os.getpid(), signal.SIGSEGV)")
    assert (done.code, done.what) == (1, "process 2 of 2 crashed (SIGSEGV), so the others were stopped")


def test_an_agreed_stop_keeps_its_code(tmp_path: Path) -> None:
    assert run(tmp_path, "sys.exit(75)") == Outcome(75)


def test_workers_that_had_to_be_ended_have_not_done_their_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked to stop twice while they cannot listen yet: they are killed, and nobody may take that for success."""
    monkeypatch.setattr(module, "GRACE", 0.1)

    @contextmanager
    def asked_twice() -> Iterator[list[int]]:
        yield [signal.SIGTERM, signal.SIGTERM]

    monkeypatch.setattr(module, "_hearing_stops", asked_twice)
    done = run(tmp_path, "time.sleep(60)")
    assert done == Outcome(75, "", "the processes did not stop in time and were ended", "quire train book")


LAUNCHER = """
import sys
sys.path.insert(0, {src!r})
from quire.verbs.processes.launch import launch
sys.exit(launch([], 2, "", {command!r}).code)
"""


def start_launcher(folder: Path, body: str) -> subprocess.Popen[bytes]:
    code = LAUNCHER.format(src=str(SRC), command=script(folder, body))
    process = subprocess.Popen([sys.executable, "-c", code])
    until = time.monotonic() + 20
    while not ((folder / "pid0").exists() and (folder / "pid1").exists()) and time.monotonic() < until:
        time.sleep(0.01)
    return process


def test_a_signal_to_the_launcher_is_handed_to_every_worker_as_often_as_it_comes(tmp_path: Path) -> None:
    process = start_launcher(
        tmp_path,
        """
        heard = []
        signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))
        (home / f"pid{rank}").write_text(str(os.getpid()))
        while len(heard) < 2:
            (home / f"heard{rank}-{len(heard)}").touch()
            time.sleep(0.01)
        sys.exit(75)
        """,
    )
    process.send_signal(signal.SIGTERM)
    until = time.monotonic() + 20
    while not all((tmp_path / f"heard{rank}-1").exists() for rank in (0, 1)) and time.monotonic() < until:
        time.sleep(0.01)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 75


def test_no_worker_outlives_a_launcher_that_is_killed(tmp_path: Path) -> None:
    process = start_launcher(
        tmp_path,
        """
        from quire.verbs.processes.launch import end_with_launcher
        end_with_launcher()
        (home / f"pid{rank}").write_text(str(os.getpid()))
        time.sleep(60)
        """,
    )
    pids = [int((tmp_path / f"pid{rank}").read_text()) for rank in (0, 1)]
    assert all(alive(pid) for pid in pids)
    process.kill()
    process.wait()
    until = time.monotonic() + 10
    while any(alive(pid) for pid in pids) and time.monotonic() < until:
        time.sleep(0.01)
    assert not any(alive(pid) for pid in pids)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        state = Path(f"/proc/{pid}/stat")
        return not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_threads_are_shared_out_unless_they_are_set() -> None:
    cores = len(os.sched_getaffinity(0))
    assert threads_each(1, {}) == cores
    assert threads_each(10 * cores, {}) == 1
    assert threads_each(2, {"OMP_NUM_THREADS": "3"}) == 3


def test_a_flag_goes_with_its_value() -> None:
    assert arguments_without(["train", "b", "--processes", "2", "--run", "r"], "--processes") == [
        *("train", "b", "--run", "r")
    ]
    assert arguments_without(["train", "--processes=2", "b"], "--processes") == ["train", "b"]
