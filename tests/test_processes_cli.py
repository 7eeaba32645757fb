"""`quire train --processes N` as a user types it: one voice, whatever the number, and one that goes on after a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quire.run.events import Event, read_events
from toy import toy_book

pytestmark = pytest.mark.slow

CORES = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
PATIENCE = 300.0  # seconds until something counts as hanging
METHOD = "{lora: {rank: 4, dropout: 0}}"  # each process draws a dropout of its own
SETTINGS = ("window=64", "precision=fp32", "learning_rate=5e-3", "batch=2", "accumulate=2", "evaluate_every=4")
VOICE = ("voice/adapter_model.safetensors", "voice/adapter_config.json", "voice/tokenizer.json")


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_book(tmp_path_factory.mktemp("book") / "river.md")


def started(base: Path, book: Path, run: Path, steps: int, processes: int, threads: int = 1) -> subprocess.Popen[str]:
    """The command, with so many workers of so many threads."""
    settings = [f"train.{each}" for each in (*SETTINGS, f"steps={steps}", f"method={METHOD}")]
    sets = [part for each in (*settings, "write.max_new_tokens=4") for part in ("--set", each)]
    command = [sys.executable, "-m", "quire", "train", str(book), "--base", str(base), "--run", str(run), *sets]
    return subprocess.Popen(
        [*command, "--processes", str(processes)],
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def left_alone(base: Path, book: Path, run: Path, steps: int, processes: int, threads: int = 1) -> Path:
    """The run, carried out to its end."""
    process = started(base, book, run, steps, processes, threads)
    _, said = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, said
    return run


def events(run: Path) -> list[Event]:
    return read_events(run / "events.jsonl")


def losses(run: Path) -> list[tuple[str, int, object]]:
    return [(e.kind, e.step, e.values["loss"]) for e in events(run) if e.kind in ("step", "validation")]


def voice(run: Path) -> list[bytes]:
    return [(run / name).read_bytes() for name in VOICE]


def wait_for_checkpoint(launcher: subprocess.Popen[str], run: Path, step: int) -> None:
    """Until training is at work behind the checkpoint of `step`."""
    until = time.monotonic() + PATIENCE
    while not any(event.kind == "step" and event.step > step for event in events(run)):
        assert launcher.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < until, "no step within the time"
        time.sleep(0.01)


@pytest.mark.skipif(sys.platform != "linux", reason="who is whose child is read from /proc")
def test_where_a_worker_is_killed_all_leave_with_75_and_the_same_command_ends_in_the_voice_of_one_process(
    tiny_base: Path, book: Path, tmp_path: Path
) -> None:
    steps, run = 60, tmp_path / "killed"
    launcher = started(tiny_base, book, run, steps, 2)
    wait_for_checkpoint(launcher, run, 4)
    workers = [int(pid) for pid in Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()]
    assert len(workers) == 2
    os.kill(workers[1], signal.SIGKILL)
    killed_at = time.monotonic()
    _, said = launcher.communicate(timeout=PATIENCE)
    assert time.monotonic() - killed_at < 30
    assert launcher.returncode == 75, said
    assert "process 2 of 2 was ended by SIGKILL" in said
    assert not [pid for pid in workers if Path(f"/proc/{pid}").exists()], "somebody is left over"
    assert not any(event.kind == "done" for event in events(run))

    left_alone(tiny_base, book, run, steps, 2)
    assert [event.kind for event in events(run)].count("resume") == 1
    alone = left_alone(tiny_base, book, tmp_path / "alone", steps, 1)
    assert losses(run) == losses(alone)
    assert voice(run) == voice(alone)


@pytest.mark.skipif(CORES < 2, reason="needs two cores")
def test_two_threads_or_two_processes_are_one_voice(tiny_base: Path, book: Path, tmp_path: Path) -> None:
    one = left_alone(tiny_base, book, tmp_path / "one", 4, 1, threads=2)
    two = left_alone(tiny_base, book, tmp_path / "two", 4, 2, threads=1)
    assert losses(two) == losses(one)
    assert voice(two) == voice(one)
