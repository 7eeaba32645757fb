"""Which column of a table holds the text, and how columns inside one another are laid out."""

from __future__ import annotations

from pathlib import Path

import pytest

from quire.books.rows.columns import flatten, names_of, text_column
from quire.books.rows.row import START, Row, Values
from quire.errors import BookError

PATH = Path("rows.csv")
TEXT = "The ferrywoman looked at the water for a while and said nothing. Then she said that it would do."


def chosen(*rows: Values) -> str:
    return text_column(PATH, rows, None)


@pytest.mark.parametrize("name", ["text", "Content", "body", "poem", "Poem", "texte", "lyrics", "Paroles", "full_text"])
def test_usual_names_are_taken_whatever_else_is_there(name: str) -> None:
    assert chosen({"id": "1", "notes": TEXT * 3, name: "A short one."}) == name


def test_names_that_may_be_numbers_are_taken_where_they_hold_the_text() -> None:
    assert chosen({"story": TEXT, "tags": "a, b"}) == "story"
    assert chosen({"story": "17", "chapter": "3", "récit": TEXT}) == "récit"
    assert chosen({"document": "A-17", "body": TEXT}) == "body"
    assert chosen({"story": TEXT, "prompt": "You are a critic. Judge this story. " + TEXT * 3}) == "story"


def test_of_two_long_columns_the_user_is_asked() -> None:
    with pytest.raises(BookError, match="several columns of text: français, english") as caught:
        chosen({"id": "1", "english": TEXT, "français": TEXT + " Et voilà."})
    assert "text: in a recipe" in caught.value.then
    assert "--text-column" in caught.value.then
    assert chosen({"summary": TEXT, "whole": TEXT * 4}) == "whole"


@pytest.mark.parametrize(
    "value",
    [
        "POLYGON ((-111.25 45.75, -111.5 44.9, -111.75 44.8, -111.85 44.7, -111.95 44.6, -111.25 45.75))",
        "{'kind': 'A', 'age': 0, 'id': '70507398', 'likes': 17, 'shares': 3, 'parts': [1, 2, 3, 4, 5]}",
        "https://example.org/a/very/long/address/that/goes/on/and/on/and/names/a/picture/of/a/ferry/at/night.png",
        "QmFzZTY0IGlzIG5vdCBhIHRleHQgdGhhdCBhbnlib2R5IHdvdWxkIHdhbnQgdG8gcmVhZCBpbiBhbiBldmVuaW5nLCBpcyBpdA",
    ],
)
def test_what_nobody_reads_is_no_text(value: str) -> None:
    with pytest.raises(BookError, match="no column of text among id, value"):
        chosen({"id": "1", "value": value})


def test_scripts_without_spaces_are_texts() -> None:
    assert chosen({"id": "1", "詩": "春眠不覺曉處處聞啼鳥" * 9}) == "詩"


def test_a_column_that_is_asked_for_is_found_in_any_case_of_letters() -> None:
    rows = [{"text": "no", "Récit": TEXT}]
    assert text_column(PATH, rows, "récit") == "Récit"
    assert text_column(PATH, rows, "later") == "later"


@pytest.mark.parametrize(
    "said", [{"conversations": [{"from": "human", "value": TEXT}]}, {"messages": [{"role": "user", "content": TEXT}]}]
)
def test_conversations_are_told(said: Values) -> None:
    with pytest.raises(BookError, match="holds conversations"):
        chosen(flatten({"id": "1", **said}))


def test_inner_columns_keep_the_outer_names() -> None:
    row = {"title": "Outer", "meta": {"title": "Inner", "year": 1900}, "author": {"name": "A. Nonym"}}
    assert flatten(row) == {"title": "Outer", "meta.title": "Inner", "year": 1900, "author": "A. Nonym"}


def test_lines_are_verse_and_paragraphs_stand_apart() -> None:
    assert flatten({"lines": ["a", "b"]})["lines"] == "a\nb"
    assert flatten({"paragraphs": ["a", "b"]})["paragraphs"] == "a\n\nb"


def test_chapters_of_a_work_are_one_text_under_their_headings() -> None:
    chapters = [{"title": "I", "text": "One."}, {"title": "II", "text": ["Two.", "Three."]}, {"title": "", "text": ""}]
    assert flatten({"title": "T", "chapters": chapters})["text"] == "I\n\nOne.\n\nII\n\nTwo.\n\nThree."
    assert flatten({"tags": [{"id": 1}, {"id": 2}]})["tags"] == [{"id": 1}, {"id": 2}]


def test_columns_of_several_rows_are_named_once() -> None:
    rows = [{"a": 1}, {"b": {"c": 2}, "a": 3}]
    assert names_of([Row(number, row, START) for number, row in enumerate(rows)]) == ["a", "c"]
