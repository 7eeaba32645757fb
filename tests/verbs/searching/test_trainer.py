"""The search's side of the wire, against a process that does as trials do, in no time."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from quire.run.events import Event
from quire.training.watch import StopWish
from quire.verbs.searching import trainer as module
from quire.verbs.searching.trainer import Ended, Trainer, may_fork

HOST = """
import json, os, signal, sys, time
def say(**message): os.write(1, json.dumps(message).encode() + b"\\n")
for line in sys.stdin:
    asked = json.loads(line)
    child = os.fork()
    if child == 0:
        say(begun=os.getpid())
        def stop(*given):
            say(ended="Stopped", what="stopped", fixable=True); os._exit(75)
        signal.signal(signal.SIGTERM, stop)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        if asked["do"] == "die": os.kill(os.getpid(), signal.SIGKILL)
        if asked["do"] == "crash": os._exit(3)
        if asked["do"] == "wait":
            while True: time.sleep(0.01)
        if asked["do"] == "fail": say(ended="GuardError", what="no", then="do", fixable=True); os._exit(1)
        for step in range(3):
            say(event={"time": 0.0, "kind": "validation", "stage": "train", "part": 0, "step": step, "values": {}})
            answer = b""
            while not answer.endswith(b"\\n"): answer += os.read(0, 1)
            if answer != b"go\\n": say(ended="Pruned"); os._exit(75)
        say(ended="done"); os._exit(0)
    if asked["do"] == "lose the host": os._exit(9)
    say(left=os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.fixture
def trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trainer:
    # Unbuffered, and reading lines byte by byte as the real one does.
    program = HOST.replace("for line in sys.stdin:", "for line in iter(lambda: sys.stdin.buffer.raw.readline(), b''):")
    file = tmp_path / "host.py"
    file.write_text(program)
    popen = module.subprocess.Popen

    def start(words: list[str], **given: Any) -> Any:
        return popen([sys.executable, str(file)], **given)

    monkeypatch.setattr(module.subprocess, "Popen", start)
    return Trainer(tmp_path, fork=True)


def go_on(event: Event) -> bool:
    return True


@pytest.mark.parametrize(
    ("do", "ended"),
    [
        ("train", Ended("done")),
        ("fail", Ended("GuardError", "no", "do", "", True)),
        ("die", Ended("killed", "its process was ended by SIGKILL, most likely for want of memory")),
        ("crash", Ended("crashed", "its process ended with status 3; trials.log may say why")),
    ],
)
def test_how_a_trial_ends_is_told(do: str, ended: Ended, trainer: Trainer) -> None:
    with trainer:
        assert trainer.carry_out({"do": do}, go_on, StopWish()) == ended
        assert trainer.carry_out({"do": "train"}, go_on, StopWish()) == Ended("done"), "and the next one trains"


def test_every_event_is_heard_and_the_answer_counts(trainer: Trainer) -> None:
    heard: list[int] = []

    def hear(event: Event) -> bool:
        heard.append(event.step)
        return event.step < 1

    with trainer:
        assert trainer.carry_out({"do": "train"}, hear, StopWish()).how == "Pruned"
    assert heard == [0, 1]


def test_a_wish_to_stop_is_handed_on(trainer: Trainer) -> None:
    wish = StopWish()
    wish.heard(signal.SIGTERM, None)
    with trainer:
        assert trainer.carry_out({"do": "wait"}, go_on, wish).how == "Stopped"


def test_a_host_that_is_lost_is_started_anew(trainer: Trainer) -> None:
    with trainer:
        trainer.carry_out({"do": "lose the host"}, lambda event: False, StopWish())
        assert trainer.carry_out({"do": "train"}, go_on, StopWish()) == Ended("done")


def test_where_a_gpu_may_be_no_process_forks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Path", lambda name: tmp_path)
    assert may_fork()
    (tmp_path / "nvidia0").touch()
    assert not may_fork()
