"""Rows of JSON: poems and prose, columns, filters, lines that are none."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.books.limits import ReadOptions
from quire.books.rows import reader as jsonl
from quire.errors import BookError

SONNET = (
    "My lady keeps the key of every gate\nAnd leaves me in the garden with the rain:\n\nThe "
    "clock upon the tower says it is late,\nAnd I have learned to wait, and wait again."
)
ROWS = [
    {"author": "SHAKESPEARE", "content": SONNET, "poem name": "Sonnet 18", "age": "Renaissance", "type": "Love"},
    {"author": "KEATS", "content": SONNET.upper(), "poem name": "Ode", "age": "Modern", "type": "Nature"},
]


def write(tmp_path: Path, lines: list[str]) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def poems(tmp_path: Path) -> Path:
    return write(tmp_path, [json.dumps(row) for row in ROWS])


def where(**columns: str) -> ReadOptions:
    return ReadOptions(where=tuple((name, (value,)) for name, value in columns.items()))


def test_a_poem_a_row_with_title_stanzas_and_columns(poems: Path) -> None:
    books = jsonl.read(poems, ReadOptions())
    assert [(book.title, book.author, book.kind) for book in books] == [
        ("Sonnet 18", "SHAKESPEARE", "poems"),
        ("Ode", "KEATS", "poems"),
    ]
    assert [block.text for block in books[0].chapters[0].blocks] == SONNET.split("\n\n")
    assert dict(books[0].columns)["age"] == "Renaissance"
    assert books[0].text == f"Sonnet 18\n\n{SONNET}"


def test_where_filters_in_any_case_of_letters(poems: Path) -> None:
    assert [book.title for book in jsonl.read(poems, where(age="renaissance", TYPE="LOVE"))] == ["Sonnet 18"]


def test_a_value_that_matches_nothing_names_the_values(poems: Path) -> None:
    with pytest.raises(BookError, match="Modern, Renaissance"):
        jsonl.read(poems, where(age="Victorian"))
    with pytest.raises(BookError, match=r"no column 'era'.*age"):
        jsonl.read(poems, where(era="Modern"))
    with pytest.raises(BookError, match="passed the other filters"):
        jsonl.read(poems, where(age="Modern", type="Love"))


def test_prose_rows_keep_paragraphs(tmp_path: Path) -> None:
    text = "A first paragraph that is long enough to be prose and no verse at all.\n\nA second one."
    (book,) = jsonl.read(write(tmp_path, [json.dumps({"title": "T", "text": text})]), ReadOptions())
    assert (book.kind, book.title) == ("prose", "T")
    assert [block.text for block in book.chapters[0].blocks] == text.split("\n\n")


def test_bad_lines_are_dropped_with_their_number(tmp_path: Path) -> None:
    good = json.dumps({"text": "A line of text that is fine."})
    lines = [good, '{"text": "cut', "[1, 2]", "", json.dumps({"text": None}), "[" * 100_000, good]
    books = jsonl.read(write(tmp_path, lines), ReadOptions())
    assert len(books) == 2
    dropped = {drop.place.number: drop.reason for drop in books[0].dropped}
    assert dropped == {
        2: "line that is no JSON",
        3: "line that is no JSON object",
        5: "row without text",
        6: "nested too deeply",
    }


def test_an_array_under_the_name_is_tolerated(tmp_path: Path) -> None:
    path = write(tmp_path, ["[", json.dumps(ROWS[0]) + ",", json.dumps(ROWS[1]) + ",", "]"])
    assert len(jsonl.read(path, ReadOptions())) == 2


def test_the_text_column_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path, [json.dumps({"text": "short", "body_fr": "Un texte assez long pour être lu."})])
    (book,) = jsonl.read(path, ReadOptions(text="body_fr"))
    assert book.text == "Un texte assez long pour être lu."
    with pytest.raises(BookError, match="no column 'novel'; its columns are text, body_fr"):
        jsonl.read(path, ReadOptions(text="novel"))


def test_no_rows_and_nothing_but_unanswered_conversations_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BookError, match="no rows that can be read"):
        jsonl.read(write(tmp_path, ["hello", "1"]), ReadOptions())
    with pytest.raises(
        BookError, match=r"nothing to learn from: 1 rows, the first, .*: conversation without an answer"
    ):
        jsonl.read(write(tmp_path, [json.dumps({"conversations": [{"from": "human", "value": "hi"}]})]), ReadOptions())
    path = write(tmp_path, [json.dumps({"conversations": [{"from": "human", "value": "hi"}]})])
    with pytest.raises(BookError, match="conversations"):
        jsonl.read(path, ReadOptions(format="prose"))


def test_the_poems_of_the_data_are_all_read_unchanged(shared_data: Path) -> None:
    path = shared_data / "poems" / "poems.jsonl"
    books = jsonl.read(path, ReadOptions())
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert [[block.text for block in book.chapters[0].blocks] for book in books] == [
        row["content"].strip().split("\n\n") for row in rows
    ]
    loves = jsonl.read(path, where(age="renaissance", type="love"))
    assert len(loves) == sum(row["age"] == "Renaissance" and row["type"] == "Love" for row in rows)


def test_inner_objects_and_lists_of_lines_are_columns(tmp_path: Path) -> None:
    row = {
        "meta": {"title": "Sonnet 18", "author": {"name": "W. S."}},
        "lines": SONNET.replace("\n\n", "\n").split("\n"),
    }
    (book,) = jsonl.read(write(tmp_path, [json.dumps(row)]), ReadOptions())
    assert (book.title, book.author) == ("Sonnet 18", "W. S.")
    assert book.chapters[0].blocks[0].text.split("\n") == row["lines"]


def test_the_chapter_that_a_row_names_is_its_heading(tmp_path: Path) -> None:
    text = "The ferryman came late to the bank that evening.\n\nNobody had asked him where he had been all day."
    row = {"book": "The Ferry", "chapter_title": "The Boat", "text": text}
    (book,) = jsonl.read(write(tmp_path, [json.dumps(row)]), ReadOptions())
    assert (book.title, book.chapters[0].title) == ("The Ferry", "The Boat")


def test_a_column_that_no_row_has_names_those_there_are(tmp_path: Path) -> None:
    path = write(tmp_path, [json.dumps({"text": "A line."})])
    with pytest.raises(BookError, match=r"no column 'body'.*text"):
        jsonl.read(path, ReadOptions(text="body"))


def test_a_table_of_separated_values_is_works_too(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('title,text,age\nOne,"A line, and\n\nanother.",Modern\nTwo,B,Old\n', encoding="utf-8")
    (book,) = jsonl.read(path, where(age="modern"))
    assert (book.title, dict(book.columns)["age"]) == ("One", "Modern")
    assert [block.text for block in book.chapters[0].blocks] == ["A line, and", "another."]


def test_thousands_of_bad_lines_are_counted_but_not_all_kept(tmp_path: Path) -> None:
    path = write(tmp_path, ['{"text": "A line of text that is fine."}', *["no"] * 3000])
    (book,) = jsonl.read(path, ReadOptions())
    assert len(book.dropped) == 1001
    assert book.dropped[-1].text == "2000 more, the last at line 3001"


def test_more_text_than_memory_should_hold_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jsonl, "MOST_TEXT", 1000)
    path = write(tmp_path, [json.dumps({"text": "A line of text that is fine."})] * 100)
    with pytest.raises(BookError, match="more text than") as raised:
        jsonl.read(path, ReadOptions())
    assert (raised.value.code, "stream: true" in raised.value.then) == ("too-large", True)


@settings(max_examples=60)
@given(
    st.lists(
        st.sampled_from(
            [
                '{"text": "Some words that are a text."}',
                '{"text": ""}',
                '{"text": 5}',
                "[]",
                "{",
                '{"title": "x"}',
                "[" * 5000,
            ]
        ),
        max_size=12,
    )
)
def test_rows_in_are_works_and_dropped(tmp_path: Path, lines: list[str]) -> None:
    path = write(tmp_path, ['{"text": "The first of them."}', *lines])
    books = jsonl.read(path, ReadOptions())
    assert len(books) + sum(len(book.dropped) for book in books) == 1 + len(lines)
