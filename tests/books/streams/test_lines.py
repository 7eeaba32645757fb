"""The lines of a child: as they come, within their time, to the end of the child or of whoever waits."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Any

import pytest

from quire.books.limits import MIB, Limits
from quire.books.streams import lines as stream_lines
from quire.books.streams.lines import ENDLESS, Died, Enough, Lines

SILENT = Limits(silence=0.3)


@pytest.fixture
def program(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the child does; it stands in for the one that reads."""
    does: list[str] = []

    def launch(_: str, **pipes: Any) -> subprocess.Popen[bytes]:
        begin = "import sys, time; said = sys.stdin.read(); out = sys.stdout\n"
        return subprocess.Popen([sys.executable, "-I", "-c", begin + does[0]], **pipes)

    monkeypatch.setattr(stream_lines, "launch", launch)
    return does


def test_lines_come_whole_however_they_were_written(program: list[str]) -> None:
    program.append("for piece in ('a', 'b\\nc\\n', said, '\\n'): out.write(piece); out.flush()")
    with Lines(b"question", Limits(), ENDLESS) as lines:
        assert list(lines) == [b"ab", b"c", b"question"]
        assert lines.ending() == "crashed (it said nothing)"


def test_a_child_that_says_nothing_more_is_not_waited_for(program: list[str]) -> None:
    program.append("print('a', flush=True); time.sleep(60)")
    began = time.monotonic()
    with Lines(b"", SILENT, ENDLESS) as lines, pytest.raises(Died, match="no sign of life"):
        list(lines)
    assert time.monotonic() - began < 10


def test_signs_of_life_do_not_lengthen_the_time_of_a_row(program: list[str]) -> None:
    program.append("while True: print('beat', flush=True); time.sleep(0.05)")
    with Lines(b"", Limits(seconds=0.4), ENDLESS) as lines, pytest.raises(Died, match="was not done with it within"):
        list(lines)


def test_rows_that_are_taken_have_each_their_own_time(program: list[str]) -> None:
    program.append("for _ in range(12): print('row', flush=True); time.sleep(0.05)")
    with Lines(b"", Limits(seconds=0.4), ENDLESS) as lines:
        assert [lines.begin() for _ in lines] == [None] * 12


def test_whoever_looks_sees_at_least_one_row(program: list[str]) -> None:
    """A row may be a novel, and what the table holds is told before it: the time is up only once a row is done."""
    program.append("for _ in range(3): print('told', flush=True)\nwhile True: print('row', flush=True)")
    with Lines(b"", Limits(), time.monotonic() - 1) as lines:
        told = iter(lines)
        assert [next(told) for _ in range(4)] == [b"told", b"told", b"told", b"row"]
        lines.begin()
        with pytest.raises(Enough):
            for _ in told:
                pass


def test_a_line_without_an_end_is_not_held(program: list[str]) -> None:
    program.append("while True: out.write('a' * 2**20)")
    with Lines(b"", Limits(text=MIB), ENDLESS) as lines, pytest.raises(Died, match="gave more than 1 MB"):
        list(lines)


def test_how_a_child_ended_is_told(program: list[str]) -> None:
    program.append("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    with Lines(b"", Limits(), ENDLESS) as lines:
        assert list(lines) == []
        assert lines.ending() == "crashed (SIGSEGV)"
