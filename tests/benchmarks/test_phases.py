from __future__ import annotations

import os
import signal

import pytest
from benchmarks.phases import NAMES, Watch

from quire.run.atomic import fresh_folder, write_text


def in_a_child(work) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = work() or 0
        finally:
            os._exit(code)
    return os.waitpid(child, 0)[1]


def test_every_phase_names_functions_that_are_there() -> None:
    assert set(Watch().counts) == set(NAMES)


def test_a_process_that_was_killed_has_told_where_it_was(tmp_path) -> None:
    heard = Watch()

    def work() -> None:
        heard.listen()
        write_text(tmp_path / "a", "no phase of its own")
        with fresh_folder(tmp_path / "b"):
            pass

    assert in_a_child(work) == 0
    assert heard.counts["renaming"] > 3
    assert heard.counts["checkpoint"] == 0
    assert heard.active == []


@pytest.mark.parametrize("number", [0, 2])
def test_it_ends_at_the_call_that_was_aimed_at(tmp_path, number: int) -> None:
    heard = Watch()

    def work() -> None:
        heard.listen(("renaming", number))
        with fresh_folder(tmp_path / "b"):
            pass

    assert os.WTERMSIG(in_a_child(work)) == signal.SIGKILL
    assert heard.active == ["renaming"]
    assert heard.counts["renaming"] == number
