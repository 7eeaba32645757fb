"""What a child is asked and what it answers.  How it is started and watched is shown in test_child.py."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from quire.books import pulse
from quire.books.book import Book
from quire.books.limits import Limits, ReadOptions
from quire.books.readers import KINDS, Kind, load
from quire.books.walls import nursery
from quire.books.walls.wire import Unpacker
from quire.errors import BookError

PATH = Path("a.txt")


def answered(error: BaseException, kind: Kind | None = "txt") -> tuple[str, str, str]:
    """The fault that is sent when the reader raises `error`."""

    def reader(kind: Kind, path: Path, options: ReadOptions) -> list[Book]:
        raise error

    unpacker = Unpacker(Limits())
    for line in nursery.answer(reader, kind, PATH, ReadOptions(), Limits()):
        unpacker.take(line)
    assert unpacker.fault is not None
    return unpacker.fault


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BookError("a.txt is locked", then="unlock it", code="protected"), "protected"),
        (MemoryError(), "too-large"),
        (RecursionError("deep"), "too-long"),
        (PermissionError(13, "Permission denied"), "unreadable"),
        (ValueError("bad\nthing"), "damaged"),
        (ImportError("No module named 'lxml'"), "unreadable"),
        (SystemExit(3), "crashed"),
        (GeneratorExit(), "crashed"),
    ],
)
def test_every_way_to_fail_has_a_code(error: BaseException, code: str) -> None:
    what, then, said = answered(error)
    assert said == code
    assert what.startswith("a.txt ")
    assert "\n" not in what
    assert then


def test_a_kind_that_cannot_be_told_is_a_fault_too() -> None:
    assert answered(ValueError(), kind=None)[2] == "unreadable"  # a.txt is not there


def test_options_arrive_as_they_were() -> None:
    options = ReadOptions("content", (("author", ("A", "B")),), "poems", "all", True)
    request = json.loads(nursery.pack_request(Path("a\udcff\n.txt"), "pdf", options, Limits(seconds=3)))
    assert nursery._options(request) == options
    assert Limits(**request["limits"]) == Limits(seconds=3)
    assert request["path"] == "a\udcff\n.txt"


def test_the_heart_counts_every_beat_but_writes_only_some(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[int] = []
    times = iter([1.0, 1.001, 1.002, 2.0])
    monkeypatch.setattr(nursery.os, "write", lambda file, data: written.append(int.from_bytes(data, "little")))
    monkeypatch.setattr(nursery.time, "monotonic", lambda: next(times))
    pulse.listen(nursery._heart(7))
    try:
        for _ in range(4):
            pulse.beat()
    finally:
        pulse.listen(None)
    assert written == [1, 4]


def test_every_reader_can_be_loaded_ahead() -> None:
    for kind in KINDS:
        load(kind)


def test_without_a_process_to_spare_it_reads_the_file_itself(tmp_path: Path) -> None:
    """The first request is answered whole; then it is gone, and the next one has another nursery."""
    code = (
        "import os, sys; from quire.books.walls import nursery\n"
        "def refuse(): raise BlockingIOError(11, 'no more processes')\n"
        "os.fork = refuse\nmain = nursery.main\n"
    )
    (tmp_path / "forkless.py").write_text(code)
    path = tmp_path / "a.txt"
    path.write_text("One line of text.")
    here, there = socket.socketpair()
    replies, reply = os.pipe()
    pulses, beats = os.pipe()
    with there:
        arguments = ("quire.books.readers:read_kind", str(os.getpid()))
        process = subprocess.Popen(
            [sys.executable, "-c", "import forkless; forkless.main()", *arguments], stdin=there, cwd=tmp_path
        )
    with path.open("rb") as book, here:
        request = nursery.pack_request(path, "txt", ReadOptions(), Limits())
        socket.send_fds(here, [request], [book.fileno(), reply, beats])
        os.close(reply)
        os.close(beats)
        assert here.recv(100) == b"begun\n"
        assert here.recv(100) == b""
    assert process.wait() == 0
    unpacker = Unpacker(Limits())
    with os.fdopen(replies, "rb") as said:
        for line in said:
            unpacker.take(line)
    assert unpacker.finished()
    os.close(pulses)


def test_a_folder_that_is_gone_is_the_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert json.loads(nursery.pack_request(PATH, None, ReadOptions(), Limits()))["folder"] == "/"
