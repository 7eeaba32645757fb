"""From files, folders and globs to a shelf; what bad input gets."""

from __future__ import annotations

import json
import os
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import bookfiles as making
from quire.books.limits import ReadOptions
from quire.books.reading import read_path, read_shelf
from quire.errors import BookError
from quire.recipe.schema import ShelfItem

TEXT = "\n\n".join(making.PARAGRAPHS)


def refused(path: Path, match: str) -> BookError:
    with pytest.raises(BookError, match=match) as caught:
        read_path(path)
    assert caught.value.then
    assert "\n" not in caught.value.what
    return caught.value


def test_a_missing_file_names_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "novel.txt").write_text(TEXT)
    error = refused(tmp_path / "nvoel.txt", "does not exist")
    assert "novel.txt" in error.then


def test_an_empty_file_and_one_of_white_space(tmp_path: Path) -> None:
    (tmp_path / "a.txt").touch()
    (tmp_path / "b.txt").write_text(" \n\t\n ")
    refused(tmp_path / "a.txt", "is empty")
    refused(tmp_path / "b.txt", "holds no text")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT)
    (tmp_path / "a.txt").chmod(0)
    assert "chmod" in refused(tmp_path / "a.txt", "may not be read").then


def test_a_pipe_a_device_and_a_dangling_link_block_nothing(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.txt")
    refused(tmp_path / "a.txt", "is a pipe")
    refused(Path("/dev/zero"), "is a device")
    (tmp_path / "b.txt").symlink_to(tmp_path / "nowhere")
    refused(tmp_path / "b.txt", "link to nothing")


def test_files_that_are_no_books_are_named_for_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4)
    (tmp_path / "b.docx").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500))
    (tmp_path / "c.pdf").write_text("<p>404 not found</p>")
    (tmp_path / "d.txt").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "e.epub").write_bytes(b"PK\x03\x04 and then nothing")
    (tmp_path / "f.csv").write_text("a,b\n1,2\n")
    refused(tmp_path / "a.txt", "PNG picture")
    refused(tmp_path / "b.docx", "old Word document")
    refused(tmp_path / "c.pdf", "is no PDF")
    refused(tmp_path / "d.txt", "binary data")
    refused(tmp_path / "e.epub", "damaged archive")
    refused(tmp_path / "f.csv", "no column of text among a, b")
    making.zipped(tmp_path / "g.zip", {"readme": "nothing"})
    refused(tmp_path / "g.zip", "zip archive without a book")


def test_the_bytes_decide_before_the_name(tmp_path: Path) -> None:
    page = f"<body><h2>I</h2><p>{making.PARAGRAPHS[0]}</p></body>"
    path = making.epub(tmp_path / "book.pdf", {"a.xhtml": page})
    assert read_path(path)[0].author == "A. Writer"
    (tmp_path / "page.txt").write_text(f"<!DOCTYPE html><html>{page}</html>")
    assert read_path(tmp_path / "page.txt")[0].chapters[0].title == "I"


def test_a_zip_bomb_is_stopped(tmp_path: Path) -> None:
    page = "<body><p>" + "a " * 4_000_000 + "</p></body>"
    refused(making.epub(tmp_path / "bomb.epub", {"a.xhtml": page}), "inflates far beyond")


def test_an_archive_with_a_path_outside_writes_nothing(tmp_path: Path) -> None:
    pages = {"a.xhtml": f"<body><p>{making.PARAGRAPHS[0]}</p></body>"}
    (tmp_path / "in" / "deep").mkdir(parents=True)
    path = making.epub(tmp_path / "in" / "deep" / "b.epub", pages)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("../../slipped.txt", "x")
    assert read_path(path)[0].words
    assert not list(tmp_path.rglob("slipped.txt"))


def test_bad_files_among_good_ones_are_listed(tmp_path: Path) -> None:
    (tmp_path / "b.txt").write_text(TEXT)
    (tmp_path / "a.txt").write_text(TEXT.upper())
    (tmp_path / "c.pdf").write_bytes(b"%PDF-1.7 cut off")
    (tmp_path / "notes.xlsx").write_bytes(b"x")
    (tmp_path / ".hidden").write_text("x")
    shelf = read_shelf([ShelfItem(path=str(tmp_path))])
    assert [Path(book.path).name for book in shelf] == ["a.txt", "b.txt"]
    assert {Path(bad.path).name: bool(bad.reason) for bad in shelf.unreadable} == {"c.pdf": True, "notes.xlsx": True}
    (tmp_path / "notes.xlsx").unlink()
    with pytest.raises(BookError, match=r"c\.pdf"):
        read_shelf([ShelfItem(path=str(tmp_path))], strict=True)


def test_among_files_that_are_named_a_bad_one_is_listed_where_that_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text(TEXT)
    (tmp_path / "bad.epub").write_text("no epub")
    (tmp_path / "empty.txt").touch()
    items = [ShelfItem(path=str(tmp_path / name)) for name in ("bad.epub", "good.txt", "empty.txt")]
    shelf = read_shelf(items, forgiving=True)
    assert len(shelf) == 1
    assert [(Path(bad.path).name, bad.code) for bad in shelf.unreadable] == [
        ("bad.epub", "wrong-kind"),
        ("empty.txt", "empty"),
    ]
    with pytest.raises(BookError, match="is no EPUB"):
        read_shelf(items)
    with pytest.raises(BookError, match="is no EPUB"):
        read_shelf([items[0], items[2]], forgiving=True)
    with pytest.raises(BookError, match="does not exist"):
        read_shelf([*items, ShelfItem(path=str(tmp_path / "godo.txt"))], forgiving=True)


def test_globs_and_folders_without_books(tmp_path: Path) -> None:
    (tmp_path / "one.txt").write_text(TEXT)
    (tmp_path / "two.md").write_text(TEXT)
    shelf = read_shelf([ShelfItem(path=str(tmp_path / "*.txt"))])
    assert len(shelf) == 1
    with pytest.raises(BookError, match="nothing matches"):
        read_shelf([ShelfItem(path=str(tmp_path / "*.epub"))])
    (tmp_path / "empty").mkdir()
    with pytest.raises(BookError, match="empty folder"):
        read_shelf([ShelfItem(path=str(tmp_path / "empty"))])
    (tmp_path / "empty" / "x.png").write_bytes(b"\x89PNG")
    with pytest.raises(BookError, match="holds no book"):
        read_shelf([ShelfItem(path=str(tmp_path / "empty"))])


def test_a_folder_without_books_names_the_file_that_says_most(tmp_path: Path) -> None:
    (tmp_path / "a.log").touch()
    (tmp_path / "b.pdf").write_bytes(b"%PDF-1.7 and no more")
    with pytest.raises(BookError, match=r"2 files; .*b\.pdf: is a damaged PDF"):
        read_shelf([ShelfItem(path=str(tmp_path))])


def test_a_file_by_several_names_is_read_once_and_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(TEXT)
    (tmp_path / "b.txt").symlink_to(tmp_path / "a.txt")
    os.link(tmp_path / "a.txt", tmp_path / "c.txt")
    (book,) = read_shelf([ShelfItem(path=str(tmp_path))])
    assert Path(book.path).name == "a.txt"
    assert any("2 more names here, the first of them b.txt" in warning for warning in book.warnings)
    assert len(read_shelf([ShelfItem(path=str(tmp_path / name)) for name in ("a.txt", "b.txt")])) == 2


def test_linked_folders_go_in_no_circles_and_are_listed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text(TEXT)
    (tmp_path / "in" / "again").symlink_to(tmp_path / "in")
    for pattern in ("in", "**/*.txt", "*"):
        shelf = read_shelf([ShelfItem(path=str(tmp_path / pattern))])
        assert len(shelf) == 1
        assert [Path(bad.path).name for bad in shelf.unreadable] == ["again"]
    assert len(read_shelf([ShelfItem(path=str(tmp_path / "in" / "again"))])) == 1


def test_a_folder_that_cannot_be_opened_is_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "closed").mkdir()
    (tmp_path / "a.txt").write_text(TEXT)
    scan = os.scandir

    def refuse(path: str) -> object:
        if Path(path).name == "closed":
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    shelf = read_shelf([ShelfItem(path=str(tmp_path))])
    assert [(Path(bad.path).name, bad.reason) for bad in shelf.unreadable] == [
        ("closed", "cannot be opened (Permission denied)")
    ]


def test_names_of_any_bytes_are_read(tmp_path: Path) -> None:
    names = [os.fsdecode(b"caf\xe9.txt"), "line\nbreak.txt", "\x1b[31m.txt"]
    for number, name in enumerate(names):
        (tmp_path / name).write_text(TEXT + str(number))
    shelf = read_shelf([ShelfItem(path=str(tmp_path))])
    assert {Path(book.path).name for book in shelf} == set(names)


def test_names_with_spaces_accents_and_brackets_are_files_not_globs(tmp_path: Path) -> None:
    path = tmp_path / "l'été [à la mer] (copie).txt"
    path.write_text(TEXT)
    assert len(read_shelf([ShelfItem(path=str(path))])) == 1


def test_train_validation_and_test_files_set_the_split(tmp_path: Path) -> None:
    for name in ("train", "dev", "test"):
        (tmp_path / f"{name}.jsonl").write_text(json.dumps({"text": TEXT + name}) + "\n")
    shelf = read_shelf([ShelfItem(path=str(tmp_path))])
    assert {Path(book.path).stem: book.split for book in shelf} == {
        "train": "train",
        "dev": "validation",
        "test": "test",
    }
    assert read_shelf([ShelfItem(path=str(tmp_path / "test.jsonl"))]).books[0].split is None


@pytest.mark.parametrize(("name", "language"), [("novella", "en"), ("tale", "fr"), ("poems", "en")])
def test_the_samples_are_read_from_the_package(name: str, language: str) -> None:
    shelf = read_shelf([ShelfItem(sample=name)])
    assert shelf.words > 4000
    assert shelf.books[0].language == language


def test_an_unknown_sample_names_those_there_are() -> None:
    with pytest.raises(BookError) as caught:
        read_shelf([ShelfItem(sample="odyssey")])
    assert "novella" in caught.value.then


def test_chapters_of_a_text_file_can_be_poems(tmp_path: Path) -> None:
    (tmp_path / "p.md").write_text("# One\n\n> a line\n> another\n\n# Two\n\n> a third\n> a fourth\n")
    shelf = read_shelf([ShelfItem(path=str(tmp_path / "p.md"), format="poems")])
    assert [(book.title, book.kind) for book in shelf] == [("One", "poems"), ("Two", "poems")]


def test_nothing_hostile_escapes_or_hangs(shared_data: Path) -> None:
    """Every file of the collection is read or refused in one line with something to try."""
    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(outcome, sorted((shared_data / "hostile").glob("*.*"))))
    assert len(outcomes) > 50
    for name, text, error in outcomes:
        assert text.strip() or (error and error.then and "\n" not in error.what), name
        assert not any(ord(char) < 32 and char != "\n" for char in text), name
        assert "\u202e" not in text, name


def outcome(path: Path) -> tuple[str, str, BookError | None]:
    try:
        return path.name, "".join(book.text for book in read_path(path)), None
    except BookError as error:
        return path.name, "", error


def test_columns_are_asked_of_tables_alone(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("Some words that are a text.\n", encoding="utf-8")
    with pytest.raises(BookError, match="has no columns for text: to name") as raised:
        read_path(tmp_path / "a.txt", ReadOptions(text="body"))
    assert raised.value.code == "wrong-kind"
    with pytest.raises(BookError, match="has no columns for where: to name"):
        read_path(tmp_path / "a.txt", ReadOptions(where=(("age", ("modern",)),)))


def test_tables_of_every_kind_are_read_by_the_child(tmp_path: Path) -> None:
    import lzma

    import pyarrow as pa
    from pyarrow import parquet

    rows = [{"title": "One", "text": "Some words that are a text."}]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text("title,text\nOne,Some words that are a text.\n", encoding="utf-8")
    (tmp_path / "c.jsonl.xz").write_bytes(lzma.compress(json.dumps(rows[0]).encode()))
    (tmp_path / "d.json").write_text(json.dumps(rows, indent=2), encoding="utf-8")
    shelf = read_shelf([ShelfItem(path=str(tmp_path))])
    assert [(book.title, book.text) for book in shelf] == [("One", "Some words that are a text.")] * 4
    assert shelf.unreadable == ()
