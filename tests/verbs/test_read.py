"""`quire.read` and what `quire read --json` prints."""

from __future__ import annotations

from pathlib import Path

import pytest

import bookfiles as making
from quire.errors import BookError
from quire.verbs.read import describe, read


def test_files_folders_and_samples_make_one_shelf(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n\n".join(making.PARAGRAPHS), encoding="utf-8")
    shelf = read(tmp_path / "a.txt", "sample:novella")
    assert shelf.books[0].path == str(tmp_path / "a.txt")
    assert shelf.books[1].title


def test_the_facts_have_the_design_shape(tmp_path: Path) -> None:
    page = f"<body><h2>Chapter I<br/>The Boat</h2><p>{making.PARAGRAPHS[0]}</p></body>"
    cover = '<body><section epub:type="imprint"><p>Printed in a cellar.</p></section></body>'
    facts = describe(read(making.epub(tmp_path / "b.epub", {"i.xhtml": cover, "a.xhtml": page})))
    assert set(facts) == {"books"}
    (book,) = facts["books"]
    assert list(book) == ["path", "title", "author", "language", "words", "chapters", "dropped", "warnings"]
    assert book["chapters"] == [{"title": "Chapter I The Boat", "words": 4 + len(making.PARAGRAPHS[0].split())}]
    assert book["dropped"] == [{"reason": "imprint", "count": 1, "example": "Printed in a cellar."}]


def test_rows_are_filtered_and_their_column_named(shared_data: Path) -> None:
    path = shared_data / "poems" / "poems.jsonl"
    shelf = read(path, where={"age": "modern", "type": ["love", "NATURE"]}, text="content")
    assert {dict(book.columns)["age"] for book in shelf} == {"Modern"}
    assert len(shelf) == 198


def test_bad_files_are_shown_unless_strict(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n\n".join(making.PARAGRAPHS), encoding="utf-8")
    (tmp_path / "b.pdf").write_text("no pdf")
    facts = describe(read(tmp_path))
    assert [Path(bad["path"]).name for bad in facts["unreadable"]] == ["b.pdf"]
    with pytest.raises(BookError):
        read(tmp_path, strict=True)


def test_nothing_named_is_refused() -> None:
    with pytest.raises(BookError, match="nothing to read"):
        read()
