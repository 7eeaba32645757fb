"""Every kind of file has a reader that makes a book of it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import bookfiles as making
from quire.books.limits import ReadOptions
from quire.books.readers import KINDS, Kind, read_kind

P = making.PARAGRAPHS
WORD = making.word_paragraph(P[0])
TEXTS: dict[Kind, str] = {
    "txt": P[0],
    "md": P[0],
    "html": f"<html><body><p>{P[0]}</p></body></html>",
    "rtf": rf"{{\rtf1 {P[0]}\par}}",
    "jsonl": json.dumps({"text": P[0]}),
    "tei": f'<TEI xmlns="http://www.tei-c.org/ns/1.0"><text><body><p>{P[0]}</p></body></text></TEI>',
}


def written(path: Path, kind: Kind) -> Path:
    if kind == "epub":
        return making.epub(path, {"a.xhtml": f"<body><p>{P[0]}</p></body>"})
    if kind == "docx":
        return making.docx(path, WORD)
    if kind == "odt":
        return making.odt(path, f"<text:p>{P[0]}</text:p>")
    if kind == "pdf":
        return making.pdf(path, [[(40, 500 - 20 * n, 10, half) for n, half in enumerate((P[0][:46], P[0][46:]))]])
    path.write_text(TEXTS[kind], encoding="utf-8")
    return path


@pytest.mark.parametrize("kind", KINDS)
def test_the_reader_of_each_kind_finds_the_words(tmp_path: Path, kind: Kind) -> None:
    (book,) = read_kind(kind, written(tmp_path / "book", kind), ReadOptions())
    assert book.text.split() == P[0].split()


def test_options_reach_the_rows_of_a_data_set(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"age": "old", "body": P[0]}, {"age": "new", "body": P[1]}]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    books = read_kind("jsonl", path, ReadOptions(text="body", where=(("age", ("NEW",)),)))
    assert [book.text for book in books] == [P[1]]
