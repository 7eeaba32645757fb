"""Watching a child: what the nursery and the child say, whatever they say.  Real ones are shown in test_child.py."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from quire.books.limits import MIB, Limits
from quire.books.walls.watch import Ended, Gone, Task, Watch
from quire.books.walls.wire import pack_fault, pack_kind
from quire.errors import BookError

FAULT = pack_kind("txt") + pack_fault("a.txt is odd", "look", "damaged")


class Scene:
    """Both ends of the lines between a nursery, its child and the watch."""

    def __init__(self, limits: Limits) -> None:
        self.here, self.nursery = socket.socketpair()
        self.replies, self.child = os.pipe()
        self.pulses, self.heart = os.pipe()
        self.watch = Watch(Task(Path("a.txt"), -1, b"", limits), self.here, self.replies, self.pulses, lambda: 5)

    def end(self, said: bytes = b"", words: bytes = b"", gone: bool = False) -> Ended:
        if said:
            os.write(self.child, said)
        self.nursery.sendall(words)
        if gone:
            self.nursery.close()
        return self.watch.until_the_end()


@pytest.fixture
def scene() -> Iterator[Scene]:
    made = Scene(Limits(seconds=0.3, silence=0.1, text=MIB))
    yield made
    made.here.close()
    made.nursery.close()
    for file in (made.replies, made.child, made.pulses, made.heart):
        os.close(file)


def test_the_end_is_told_with_what_was_said(scene: Scene) -> None:
    ended = scene.end(FAULT, b"begun\n0 2048\n")
    assert (ended.status, ended.memory) == (0, 2 * MIB)
    assert ended.unpacker.fault == ("a.txt is odd", "look", "damaged")


def test_half_a_line_is_no_answer(scene: Scene) -> None:
    assert scene.end(FAULT[:-1], b"begun\n0 0\n").unpacker.fault is None


def test_a_nursery_that_reads_itself_ends_with_its_own_status(scene: Scene) -> None:
    ended = scene.end(FAULT, b"begun\n", gone=True)
    assert ended.status == 5
    assert ended.unpacker.fault is not None


@pytest.mark.parametrize("words", [b"begun\nfine thanks\n", b"begun\n0\n", b"a\nb\nc\n", b"begun\n0 0 0\n"])
def test_nonsense_from_a_nursery_is_a_crash(scene: Scene, words: bytes) -> None:
    assert scene.end(FAULT, words).status == 1


def test_a_nursery_that_never_began_is_gone(scene: Scene) -> None:
    with pytest.raises(Gone):
        scene.end(gone=True)


def test_silence_and_time_have_an_end(scene: Scene) -> None:
    os.write(scene.heart, (3).to_bytes(8, "little"))
    with pytest.raises(BookError, match=r"no sign of life for 0\.1 s, after 3 pages or chapters") as caught:
        scene.end(words=b"begun\n")
    assert caught.value.code == "too-slow"


def test_a_line_without_end_is_too_large(scene: Scene) -> None:
    scene.watch._line = bytearray(5 * MIB)
    with pytest.raises(BookError, match="more than 1 MB of text"):
        scene.end(b"[" * 100, b"begun\n")
