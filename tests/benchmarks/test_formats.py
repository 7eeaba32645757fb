"""The files that the bench writes hold the text that it says they hold."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import pytest
from benchmarks.designs import DESIGNS
from benchmarks.formats import FORMATS, write_one
from benchmarks.given import epub_truth, find_books
from benchmarks.truth import Truth, words_of
from benchmarks.typeset import compose, escape, work_of


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Truth]]:
    folder = tmp_path_factory.mktemp("books")
    made = [write_one(name, ending, folder) for name, ending in FORMATS]
    return {path.name: (path, truth) for path, truth in made}


def test_text_files_hold_every_word(written: dict[str, tuple[Path, Truth]]) -> None:
    encodings = {"utf8": "utf-8", "utf16": "utf-16", "cp1252": "cp1252", "mac": "mac-roman", "latin1": "latin-1"}
    for name, encoding in encodings.items():
        path, truth = written[f"garde.{name}.txt"]
        words = words_of(path.read_text(encoding=encoding))
        true = [word for text in truth.body for word in words_of(text)]
        assert len(true) < len(words) < len(true) + 200


def test_the_epub_gives_back_its_truth_without_any_reader(written: dict[str, tuple[Path, Truth]]) -> None:
    path, truth = written["garde.3.epub"]
    found = epub_truth(path)
    assert found.headings == truth.headings
    assert [words_of(text) for text in found.body] == [words_of(text) for text in truth.body]
    assert [words_of(note) for note in found.notes or ()] == [words_of(note) for note in truth.notes or ()]


def test_word_files_have_what_must_not_be_read(written: dict[str, tuple[Path, Truth]]) -> None:
    path, truth = written["garde.docx"]
    with zipfile.ZipFile(path) as archive:
        document = archive.read("word/document.xml").decode()
        assert "w:del" in document
        assert document.count("w:footnoteReference ") == len(truth.notes or ())
        assert "footnotes.xml" in archive.read("[Content_Types].xml").decode()


@pytest.mark.parametrize("design", DESIGNS, ids=lambda design: design.name)
def test_every_design_sets_all_its_text(design: object) -> None:
    (chosen,) = (one for one in DESIGNS if one is design)
    work = work_of(chosen)
    source, truth = compose(work, chosen)
    assert len(truth.body) >= sum(piece.kind not in ("heading", "break") for piece in work.pieces)
    assert len(truth.headings or ()) >= sum(piece.kind == "heading" for piece in work.pieces)
    assert source.count("#footnote[") == len(truth.notes or ())


def test_typst_shows_text_unchanged() -> None:
    assert escape("*a* #b [c] -- 'd'") == r"#emph[a] \#b \[c\] \-\- \'d\'"
    assert escape("3. May") == r"3\. May"


def test_designs_have_names_of_their_own() -> None:
    names = [design.name for design in DESIGNS]
    assert len(set(names)) == len(names) >= 20
    assert all(re.match("en-|fr-", name) for name in names)


def test_books_are_found_with_the_truth_beside_them(tmp_path: Path) -> None:
    (tmp_path / "ferry.pdf").write_bytes(b"%PDF")
    (tmp_path / "ferry.truth.txt").write_text("One.\n\nTwo lines\nof verse.\n")
    (tmp_path / "ferry.footnotes.txt").write_text("A note.\n")
    (tmp_path / "other.pdf").write_bytes(b"%PDF")
    ((path, truth),) = find_books(tmp_path)
    assert path.name == "ferry.pdf"
    assert (truth.body, truth.notes, truth.headings) == (("One.", "Two lines\nof verse."), ("A note.",), None)
