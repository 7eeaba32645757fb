"""How a command ends when it cannot go on."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from quire.cli import failing
from quire.errors import BookError, QuireError, Stopped
from quire.verbs.crash import crash_kept_in


def guarded(error: BaseException, arguments: tuple[str, ...] = ("read", "novel.txt")) -> int:
    return failing.guarded(raising(error), arguments, arguments[0])


def raising(error: BaseException) -> Callable[[], object]:
    def command() -> None:
        raise error

    return command


@pytest.fixture
def crash_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_an_error_of_the_user_is_two_lines(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(BookError("novel.pdf is encrypted", "save a copy without password")) == 2
    shown = capsys.readouterr()
    assert shown.err == "error: novel.pdf is encrypted\ntry: save a copy without password\n"
    assert shown.out == ""


def test_line_ends_in_a_message_do_not_make_more_lines(capsys: pytest.CaptureFixture[str]) -> None:
    guarded(QuireError("one\n  two", "three\nfour"))
    assert capsys.readouterr().err == "error: one two\ntry: three four\n"


def test_an_error_without_remedy_points_to_the_help_of_its_verb(capsys: pytest.CaptureFixture[str]) -> None:
    guarded(QuireError("no"), ("judge", "novel"))
    assert capsys.readouterr().err.endswith("try: quire judge --help\n")


def test_the_guide_is_named_where_it_says_more(capsys: pytest.CaptureFixture[str]) -> None:
    guarded(QuireError("too short", "a longer book", "not-enough-text"))
    assert capsys.readouterr().err.endswith("try: a longer book (more: docs/guide.md#not-enough-text)\n")


def test_stopping_on_request_is_exit_code_75_and_names_the_command_that_resumes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert guarded(Stopped("stopped at step 3"), ("train", "my novel.epub", "--set", "seed=1")) == 75
    assert capsys.readouterr().err.endswith("try: quire train 'my novel.epub' --set seed=1\n")


def test_an_interrupt_is_exit_code_130(capsys: pytest.CaptureFixture[str]) -> None:
    assert guarded(KeyboardInterrupt()) == 130
    assert "Traceback" not in capsys.readouterr().err


def test_a_bug_keeps_its_traceback_in_a_file_that_is_named(
    crash_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert guarded(ZeroDivisionError("division by zero")) == 1
    error, remedy = capsys.readouterr().err.splitlines()
    (kept,) = crash_home.glob("quire-crash-*.txt")
    assert str(kept) in error
    assert "ZeroDivisionError: division by zero" in error
    assert remedy.startswith("try: ")
    assert "Traceback (most recent call last)" in kept.read_text(encoding="utf-8")


def test_a_traceback_that_the_run_folder_holds_is_not_kept_twice(
    crash_home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = crash_home / "crash.txt"

    def train() -> None:
        with crash_kept_in(file):
            raise RuntimeError("boom")

    assert failing.guarded(train, ("train", "novel.epub"), "train") == 1
    assert str(file) in capsys.readouterr().err
    assert list(crash_home.iterdir()) == [file]


def test_a_reader_that_leaves_early_hears_no_complaint() -> None:
    command = [sys.executable, "-m", "quire", "read", "--text", "sample:novella"]
    talk = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert talk.stdout is not None
    assert talk.stderr is not None
    talk.stdout.read(10)
    talk.stdout.close()
    complaints = talk.stderr.read()
    talk.stderr.close()
    assert talk.wait(timeout=60) == 0
    assert complaints == b""
