"""In a process of its own, as a shell sees it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from quire.run.events import EventLog, read_events
from quire.run.folder import RunFolder


@pytest.mark.parametrize("arguments", [["train", "no-such.epub"], ["read", "--nonsense", "x"]])
def test_a_shell_sees_two_lines_and_exit_code_2(arguments: Sequence[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "quire", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    error, remedy = done.stderr.splitlines()
    assert done.returncode == 2
    assert error.startswith("error: ")
    assert remedy.startswith("try: ")
    assert done.stdout == ""


def test_the_log_of_a_stopped_run_can_be_appended_to(halfway: Path) -> None:
    """A torn last line, which a crash leaves, is no damage."""
    with (halfway / "events.jsonl").open("ab") as file:
        file.write(b'{"time": 17')
    before = len(read_events(halfway / "events.jsonl"))
    with EventLog(RunFolder(halfway).events_file) as log:
        log.append("warning", values={"text": "on we go"})
    assert len(read_events(halfway / "events.jsonl")) == before + 1
