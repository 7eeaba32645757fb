"""Packed files and lines without an end."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from quire.books.rows.inflate import can_enter, open_unpacked, read_head, read_lines
from quire.books.rows.row import PACKED_MAGIC
from quire.errors import BookError


@pytest.mark.parametrize("pack", [bytes, gzip.compress, lzma.compress, bz2.compress])
def test_packed_or_not_the_bytes_are_the_same(pack: Callable[[bytes], bytes], tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(pack(b"one\ntwo\n"))
    with open_unpacked(path) as file:
        assert file.read() == b"one\ntwo\n"
    assert path.read_bytes().startswith(PACKED_MAGIC) == (pack is not bytes)


def test_utf_16_becomes_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"text": "été"}', encoding="utf-16")
    with open_unpacked(path) as file:
        assert file.read() == '{"text": "été"}'.encode()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_text_in_wide_characters_is_recoded_a_piece_at_a_time(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    text = "text,n\n" + "The ferry’s bell rang “twice” at dawn,7\n" * 30_000
    path.write_bytes(gzip.compress(text.encode(encoding), 1))
    size, head = len(text.encode()), text.encode()[: 1 << 16]
    tracemalloc.start()
    with open_unpacked(path) as file:
        begins = file.read(1 << 16) == head
        file.seek(0)
        read = sum(len(line.data or b"") + 1 for line in read_lines(file))
        entered = can_enter(file)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (begins, read, entered) == (True, size, False)
    assert most < 1_000_000


def test_line_ends_of_old_macs_are_line_ends(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes("text\rété\rhiver\r".encode())
    with open_unpacked(path) as file:
        assert [line.data for line in read_lines(file)] == [b"text", "été".encode(), b"hiver"]
    path.write_bytes(b"text\r\nA\r\n")
    with open_unpacked(path) as file:
        assert can_enter(file)


def test_damaged_packing_is_said(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(b"\x1f\x8b\x08" + b"?" * 50)
    with pytest.raises(BookError, match="damaged") as raised:
        read_head(path)
    assert raised.value.code == "damaged"


def test_lines_have_numbers_and_the_place_after_them() -> None:
    lines = list(read_lines(io.BytesIO(b"a\r\n\nlast")))
    assert [(line.number, line.data, line.after) for line in lines] == [(1, b"a", 3), (2, b"", 4), (3, b"last", 8)]
    assert [line.data for line in read_lines(io.BytesIO(b"a\nb\nc"), offset=2, number=2)] == [b"b", b"c"]


def test_a_line_that_is_too_long_is_passed_over() -> None:
    data = b"good\n" + b"x" * 1000 + b"\n" + b"after\n" + b"y" * 500
    lines = list(read_lines(io.BytesIO(data), longest=100))
    assert [line.data for line in lines] == [b"good", None, b"after", None]
    assert [line.number for line in lines] == [1, 2, 3, 4]
    assert lines[1].start.startswith(b"xxx")
    assert lines[1].after == 1006
    exact = list(read_lines(io.BytesIO(b"x" * 100 + b"\nb"), longest=100))
    assert [len(line.data or b"") for line in exact] == [100, 1]


def test_a_line_beyond_its_bound_is_never_held(tmp_path: Path) -> None:
    """The file is a few kB: a line of 64 MB, packed."""
    path = tmp_path / "a.jsonl.gz"
    with gzip.open(path, "wb", compresslevel=1) as out:
        for _ in range(64):
            out.write(b"x" * (1 << 20))
        out.write(b'\n{"text": "after"}\n')
    tracemalloc.start()
    with open_unpacked(path) as file:
        lines = list(read_lines(file, longest=1 << 20))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [line.data for line in lines] == [None, b'{"text": "after"}']
    assert most < 8 << 20
