"""Starting Python beside this one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import quire
from quire.books.walls import launch
from quire.books.walls.launch import ending, hear_signals, signals_held_back

SHOW = """
import json, os, sys
def main():
    json.dump({"argv": sys.argv[1:], "env": dict(os.environ), "path": sys.path}, sys.stdout)
"""


def test_a_module_is_found_and_secrets_are_not_passed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "showing.py").write_text(SHOW)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.syspath_prepend("/a/script's/own/folder")
    process = launch.launch("showing", "one", "two", stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    out, _ = process.communicate()
    assert process.returncode == 0
    shown = json.loads(out)
    assert shown["argv"] == ["one", "two"]
    assert "HF_TOKEN" not in shown["env"]
    assert "/a/script's/own/folder" not in shown["path"]
    assert str(Path(quire.__file__).absolute().parents[1]) in shown["path"]


def test_a_program_that_is_not_there_is_an_os_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(OSError):
        launch.launch("json", stdin=subprocess.DEVNULL)


def test_a_process_started_inside_is_deaf(tmp_path: Path) -> None:
    """It inherits what its thread blocks, whatever other threads there are."""
    show = "import signal; print(sorted(int(n) for n in signal.pthread_sigmask(signal.SIG_BLOCK, [])))"
    with signals_held_back():
        inside = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True).stdout
    outside = subprocess.run([sys.executable, "-c", show], capture_output=True, text=True, check=True).stdout
    assert {int(signal.SIGINT), int(signal.SIGTERM)} <= set(json.loads(inside))
    assert int(signal.SIGTERM) not in json.loads(outside)


def test_what_was_sent_to_this_thread_is_heard_at_the_end() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        with signals_held_back():
            signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
            assert heard == []
        assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)


def test_what_a_parent_ignored_is_heard_again() -> None:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        hear_signals()
        assert signal.getsignal(signal.SIGCHLD) == signal.SIG_DFL
    finally:
        signal.signal(signal.SIGCHLD, before)


def test_how_a_process_ended() -> None:
    assert [ending(status) for status in (0, 3, -11, -200)] == [
        "it said nothing",
        "exit status 3",
        "SIGSEGV",
        "signal 200",
    ]
