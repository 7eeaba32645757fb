"""The process that reads: whatever happens to it, the parent says so in one line."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

import bookfiles as making
from quire.books.child import read_in_child
from quire.books.limits import MIB, Limits, ReadOptions
from quire.errors import BookError

OPTIONS = ReadOptions()


def test_books_come_back_whole(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text("CHAPTER I\n\n" + "\n\n".join(making.PARAGRAPHS) + "\n\nCHAPTER II\n\nNo more.", encoding="utf-8")
    (book,) = read_in_child(path, "txt", OPTIONS)
    assert [chapter.title for chapter in book.chapters] == ["CHAPTER I", "CHAPTER II"]
    assert book.chapters[0].blocks[1].text == making.PARAGRAPHS[1]


def test_a_reader_that_hangs_is_stopped(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    began = time.monotonic()
    with pytest.raises(BookError, match="not read within") as caught:
        read_in_child(tmp_path / "pipe", "txt", OPTIONS, Limits(seconds=0.7))
    assert caught.value.code == "too-slow"
    assert time.monotonic() - began < 5


def test_a_reader_that_wants_too_much_memory_is_stopped(tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    with path.open("wb") as file:
        file.truncate(300 * MIB)
    with pytest.raises(BookError, match=r"more than 64 MB of memory|crash"):
        read_in_child(path, "txt", OPTIONS, Limits(memory=64 * MIB))


def test_more_text_than_allowed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text(("All work and no play. " * 200 + "\n\n") * 300)
    with pytest.raises(BookError, match="more than 1 MB of text") as caught:
        read_in_child(path, "txt", OPTIONS, Limits(text=MIB))
    assert caught.value.code == "too-large"


def test_a_fault_of_a_reader_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.pdf"
    path.write_bytes(b"%PDF-1.4\n" + b"garbage " * 50)
    with pytest.raises(BookError, match="damaged PDF") as caught:
        read_in_child(path, "pdf", OPTIONS)
    assert "\n" not in caught.value.what


def test_secrets_of_the_environment_stay_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    from quire.books import child

    assert not any("TOKEN" in name or "KEY" in name for name in child._PASSED_ON)


def test_no_heavy_library_is_loaded_to_read_text() -> None:
    import subprocess
    import sys

    code = (
        "import sys, quire.books.child, quire.books.txt; print([m for m "
        "in ('torch', 'pydantic', 'lxml', 'numpy') if m in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
