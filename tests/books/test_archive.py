"""Zip archives from strangers: what is read, what is refused, where references lead."""

from __future__ import annotations

import collections
import copy
import struct
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bookfiles as making
from quire.books import archive
from quire.books.archive import Archive, resolve
from quire.errors import BookError


def test_entries_are_read_by_name(tmp_path: Path) -> None:
    opened = Archive(making.zipped(tmp_path / "a.zip", {"one.txt": "first", "in/two.txt": b"\x00\xff"}))
    assert opened.names == ["one.txt", "in/two.txt"]
    assert opened.read("one.txt") == b"first"
    assert opened.read("in/two.txt") == b"\x00\xff"
    assert "three.txt" not in opened
    with pytest.raises(KeyError):
        opened.read("three.txt")


def test_what_inflates_beyond_measure_is_refused_while_it_inflates(tmp_path: Path) -> None:
    opened = Archive(making.zipped(tmp_path / "bomb.zip", {"a": b" " * (4 * 2**20)}))
    with pytest.raises(BookError, match="inflates far beyond") as caught:
        opened.read("a")
    assert caught.value.code == "too-large"


def test_a_small_entry_may_be_packed_as_tightly_as_it_likes(tmp_path: Path) -> None:
    opened = Archive(making.zipped(tmp_path / "a.zip", {"a": b" " * 2**20}))
    assert len(opened.read("a")) == 2**20


def test_all_entries_together_have_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_BYTES", 1000)
    opened = Archive(making.zipped(tmp_path / "a.zip", {"a": "x" * 600, "b": "y" * 600}))
    opened.read("a")
    with pytest.raises(BookError, match="inflates far beyond"):
        opened.read("b")


def test_more_files_than_any_book_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_ENTRIES", 2)
    path = making.zipped(tmp_path / "a.zip", {"a": "", "b": "", "c": ""})
    with pytest.raises(BookError, match="holds 3 files"):
        Archive(path)


def test_no_archive_at_all_and_one_with_a_spoilt_entry(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"PK\x03\x04 nothing more")
    with pytest.raises(BookError, match="damaged archive"):
        Archive(tmp_path / "a.zip")
    path = tmp_path / "b.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("page", "a line of text that will be spoilt")
    path.write_bytes(path.read_bytes().replace(b"a line of text", b"a lime of text", 1))
    with pytest.raises(BookError, match="damaged at page"):
        Archive(path).read("page")


def patched(path: Path, find: bytes, instead: bytes, count: int = -1) -> Path:
    data = path.read_bytes()
    assert find in data
    path.write_bytes(data.replace(find, instead, count))
    return path


def test_an_entry_that_lies_about_its_size_gives_no_more_than_is_counted(tmp_path: Path) -> None:
    """What it says it inflates to, and what it says it is packed into, is not believed."""
    path = making.zipped(tmp_path / "a.zip", {"a": b" " * (4 * 2**20)})
    size, packed = struct.pack("<I", 4 * 2**20), struct.pack("<I", zipfile.ZipFile(path).getinfo("a").compress_size)
    small = patched(tmp_path / "a.zip", size, struct.pack("<I", 1000))
    with pytest.raises(BookError, match="damaged at a") as caught:
        Archive(small).read("a")
    assert caught.value.code == "damaged"
    path = making.zipped(tmp_path / "b.zip", {"a": b" " * (4 * 2**20)})
    with pytest.raises(BookError, match=r"inflates far beyond|damaged"):
        Archive(patched(path, packed, struct.pack("<I", 2**31))).read("a")


def test_entries_that_overlap_are_counted_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many names for the same bytes: each costs what it inflates to."""
    monkeypatch.setattr(archive, "MOST_BYTES", 3 * 2**20)
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("page", b" " * 2**20)
        for number in range(9):
            info = copy.copy(made.getinfo("page"))
            info.filename = info.orig_filename = f"pag{number}"
            made.filelist.append(info)
            made.NameToInfo[info.filename] = info
    opened = Archive(path)
    assert len(opened.names) == 10
    opened.read(opened.names[0])
    with pytest.raises(BookError, match=r"inflates far beyond|damaged"):  # newer Pythons refuse the second name
        collections.deque(map(opened.read, opened.names), maxlen=0)


def test_names_that_lead_outside_links_and_folders_are_no_entries(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as made:
        for name in ("../up.txt", "/etc/passwd", "in/../../up.txt", "C:/a.txt", "folder/", "n" * 2000, "in\\page.txt"):
            made.writestr(name, "text")
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        made.writestr(link, "/etc/passwd")
    assert Archive(path).names == ["in/page.txt"]
    assert Archive(path).read("in/page.txt") == b"text"


def test_locked_entries_and_other_methods_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as made:
        made.writestr("a", b" " * 2**20)
    with pytest.raises(BookError, match="a method that books do not use") as caught:
        Archive(path).read("a")
    assert caught.value.code == "damaged"
    path = making.zipped(tmp_path / "b.zip", {"a": "text"})
    data = bytearray(path.read_bytes())
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(BookError, match="locked with a password") as caught:
        Archive(path).read("a")
    assert caught.value.code == "protected"


def test_an_archive_in_an_archive_is_not_opened(tmp_path: Path) -> None:
    inner = making.zipped(tmp_path / "inner.zip", {"a": "text"}).read_bytes()
    opened = Archive(making.zipped(tmp_path / "outer.zip", {"inner.zip": inner}))
    assert opened.names == ["inner.zip"]
    assert opened.read("inner.zip") == inner


@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=12), st.integers(0, 200))
def test_any_archive_is_read_or_refused(changes: list[tuple[int, int]], cut: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = making.zipped(Path(folder) / "a.zip", {"one": "some text " * 9, "in/two": bytes(300)})
        data = bytearray(path.read_bytes())
        for place, byte in changes:
            data[place % len(data)] = byte
        path.write_bytes(data[: len(data) - cut])
        code = ""
        try:
            opened = Archive(path)
            assert sum(len(opened.read(name)) for name in opened.names) <= archive.MOST_BYTES
        except BookError as error:
            code = error.code
        assert code in ("", "damaged", "protected", "too-large")


@pytest.mark.parametrize(
    ("base", "reference", "entry"),
    [
        ("OEBPS/book.opf", "text/one.xhtml", "OEBPS/text/one.xhtml"),
        ("OEBPS/text/one.xhtml", "../two.xhtml#note3", "OEBPS/two.xhtml"),
        ("book.opf", "chapter%20one.xhtml", "chapter one.xhtml"),
        ("book.opf", "../outside.txt", ""),
        ("book.opf", "/etc/passwd", ""),
        ("book.opf", "https://example.org/a", ""),
        ("book.opf", "#here", ""),
        ("OEBPS/book.opf", "text//./one.xhtml", "OEBPS/text/one.xhtml"),
        ("OEBPS/book.opf", "text/", "OEBPS/text"),
        ("OEBPS/book.opf", "../../outside.txt", ""),
    ],
)
def test_references_lead_to_entries_and_never_outside(base: str, reference: str, entry: str) -> None:
    assert resolve(base, reference) == entry


def test_small_entries_come_out_the_same_as_large_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.zip"
    texts = {"empty": b"", "a.txt": b"a page " * 99, "déjà.txt": "été".encode()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in texts.items():
            packed.writestr(name, text)
    assert {name: Archive(path).read(name) for name in texts} == texts
    monkeypatch.setattr(archive, "_SMALL", 0)
    assert {name: Archive(path).read(name) for name in texts} == texts
