"""Archives that break off: what can be had of them."""

from __future__ import annotations

import io
import random
import tempfile
import zipfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bookfiles as making
from quire.books import cut_zip
from quire.books.cut_zip import CUT, open_zip
from quire.books.kinds import find_kind
from quire.books.reading import read_path
from quire.errors import BookError

FIRST, SECOND = "some text " * 9, random.Random(1).randbytes(600)


def archive(streamed: bool = False, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Two entries; `streamed` as programs write them that do not know sizes ahead."""
    out = io.BytesIO()
    if streamed:
        out.seekable = lambda: False  # type: ignore[method-assign]
    with zipfile.ZipFile(out, "w", method) as made:
        made.writestr("one", FIRST)
        made.writestr("in/two", SECOND)
    return out.getvalue()


def opened(tmp_path: Path, data: bytes) -> tuple[dict[str, bytes], bool]:
    path = tmp_path / "a.zip"
    path.write_bytes(data)
    found, is_cut = open_zip(path)
    return {name: found.read(name) for name in found.namelist()}, is_cut


def test_a_whole_archive_is_as_it_is(tmp_path: Path) -> None:
    assert opened(tmp_path, archive()) == ({"one": FIRST.encode(), "in/two": SECOND}, False)


@pytest.mark.parametrize("streamed", [False, True])
@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_what_is_before_the_cut_is_had(tmp_path: Path, streamed: bool, method: int) -> None:
    if streamed and method == zipfile.ZIP_STORED:
        pytest.skip("nothing tells where such an entry ends")
    data = archive(streamed, method)
    found, is_cut = opened(tmp_path, data[: data.index(b"PK\x01\x02") + 20])
    assert is_cut
    assert found == {"one": FIRST.encode(), "in/two": SECOND}
    found, is_cut = opened(tmp_path, data[: data.index(b"PK\x01\x02") - 200])
    assert is_cut
    assert found["one"] == FIRST.encode()
    assert SECOND.startswith(found["in/two"])
    assert 300 < len(found["in/two"]) < 600


def test_nothing_at_all_is_no_archive(tmp_path: Path) -> None:
    for data in (b"", b"PK\x03\x04", archive()[:20], b"PK\x05\x06"):
        with pytest.raises(zipfile.BadZipFile):
            opened(tmp_path, data)


def test_no_more_inflates_than_is_allowed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut_zip, "MOST_INFLATED", 3_000_000)
    bomb = making.zipped(tmp_path / "b.zip", {"a": b" " * 50_000_000}).read_bytes()
    found, _ = opened(tmp_path, bomb[: bomb.index(b"PK\x01\x02") - 10])
    assert len(found["a"]) < 6_000_000


def test_a_file_too_large_to_look_through_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cut_zip, "MOST_BYTES", 100)
    with pytest.raises(zipfile.BadZipFile):
        opened(tmp_path, archive()[:400])


@given(st.integers(0, 900), st.lists(st.tuples(st.integers(0, 900), st.integers(0, 255)), max_size=6))
def test_any_piece_of_an_archive_opens_or_is_none(cut: int, changes: list[tuple[int, int]]) -> None:
    data = bytearray(archive(streamed=bool(cut % 2)))
    for place, byte in changes:
        data[place % len(data)] = byte
    with tempfile.TemporaryDirectory() as folder:
        try:
            assert sum(map(len, opened(Path(folder), bytes(data[:cut]))[0].values())) < 10_000
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, UnicodeDecodeError):
            return


def test_books_that_are_cut_off_are_read_as_far_as_they_go(tmp_path: Path) -> None:
    pages = {f"p{n}.xhtml": f"<body><h1>Part {n}</h1><p>{making.PARAGRAPHS[n]}</p></body>" for n in range(4)}
    whole = making.epub(tmp_path / "whole.epub", pages).read_bytes()
    path = tmp_path / "cut.epub"
    path.write_bytes(whole[: whole.index(b"PK\x01\x02")])
    (book,) = read_path(path)
    assert CUT in book.warnings
    assert all(paragraph in book.text for paragraph in making.PARAGRAPHS)
    document = "".join(f"<w:p><w:r><w:t>{paragraph}</w:t></w:r></w:p>" for paragraph in making.PARAGRAPHS)
    whole = making.docx(tmp_path / "whole.docx", document).read_bytes()
    path = tmp_path / "cut.docx"
    path.write_bytes(whole[: whole.index(b"PK\x01\x02") - 40])
    (book,) = read_path(path)
    assert CUT in book.warnings
    assert making.PARAGRAPHS[0] in book.text


def test_where_nothing_of_a_book_is_left_it_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "a.epub"
    path.write_bytes(archive()[:-10])
    with pytest.raises(BookError, match="what is left of it holds no book") as caught:
        find_kind(path)
    assert caught.value.code == "damaged"
