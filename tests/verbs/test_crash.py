"""A bug in a run leaves its traceback in the run folder."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from quire.errors import RunError, Stopped
from quire.verbs.crash import crash_kept_in, kept_file


def test_the_traceback_of_a_bug_is_kept_and_the_bug_goes_on(tmp_path: Path) -> None:
    file = tmp_path / "crash.txt"
    with pytest.raises(ZeroDivisionError) as caught, crash_kept_in(file):
        1 / 0  # noqa: B018
    assert "ZeroDivisionError: division by zero" in file.read_text(encoding="utf-8")
    assert kept_file(caught.value) == file


def test_what_the_user_can_put_right_is_no_crash(tmp_path: Path) -> None:
    with pytest.raises(RunError), crash_kept_in(tmp_path / "crash.txt"):
        raise RunError("no")
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written_the_bug_itself_is_still_told(tmp_path: Path) -> None:
    with pytest.raises(KeyError) as caught, crash_kept_in(tmp_path / "gone" / "crash.txt"):
        raise KeyError("loss")
    assert kept_file(caught.value) is None


def test_a_bug_is_passed_once_a_later_start_has_ended_as_it_should(tmp_path: Path) -> None:
    file = tmp_path / "crash.txt"
    for ends in (RunError("no"), Stopped("asked to"), None):
        file.write_text("Traceback", encoding="utf-8")
        with suppress(RunError, Stopped), crash_kept_in(file):
            if ends is not None:
                raise ends
        assert file.exists() == isinstance(ends, RunError)
