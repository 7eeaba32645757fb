"""From rows to works: the column of the text, what a row is, what is kept beside it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from quire.books.book import Book, Place
from quire.books.limits import PLAIN, ReadOptions
from quire.books.rows import works
from quire.books.rows.columns import flatten, names_of
from quire.books.rows.row import START, Bad, Entry, Row, Values
from quire.books.rows.works import decide, make_work, take_head
from quire.errors import BookError

PATH = Path("rows.jsonl")
PROSE = "The ferrywoman looked at the water for a while and said nothing. Then she said that it would do.\n\nIt did."


def entries(rows: Sequence[Values]) -> list[Entry]:
    return [Row(number, row, START) for number, row in enumerate(rows, start=1)]


def work(row: Values, options: ReadOptions = PLAIN) -> Book:
    found = make_work(PATH, Place(str(PATH), "line", 1), flatten(row), decide(PATH, entries([row]), options), options)
    assert found is not None
    return found


@pytest.mark.parametrize("column", ["text", "Content", "complete_text", "body", "story"])
def test_usual_columns_of_text(column: str) -> None:
    assert decide(PATH, entries([{"id": "1", column: PROSE}]), PLAIN).column == column


def test_the_only_long_column_is_the_text_and_short_ones_are_none() -> None:
    assert decide(PATH, entries([{"id": "1", "récit": PROSE * 3}]), PLAIN).column == "récit"
    with pytest.raises(BookError, match="no column of text among id, nom"):
        decide(PATH, entries([{"id": "1", "nom": "A"}]), PLAIN)


def test_the_column_asked_for_in_any_case_of_letters() -> None:
    rows = entries([{"text": "no", "Récit": PROSE}])
    assert decide(PATH, rows, ReadOptions(text="récit")).column == "Récit"
    assert decide(PATH, rows, ReadOptions(text="later")).column == "later"


def test_columns_stay_with_the_work() -> None:
    row = {"text": PROSE, "year": 1900, "tags": {"a": [1, 2]}, "kinds": ["x", "y"], "none": None, "ok": True}
    assert dict(work(row).columns) == {"year": "1900", "a": "[1, 2]", "kinds": "x\n\ny", "ok": "True"}


def test_a_chapter_column_is_its_heading_and_languages_are_told() -> None:
    made = work({"text": PROSE, "title": "T", "author": {"name": "A. Nonym"}, "chapter_title": "The Water"})
    assert (made.title, made.author, made.language) == ("T", "A. Nonym", "en")
    assert made.chapters[0].title == "The Water"
    assert work({"text": PROSE, "lang": "French"}).language == "fr"


def test_a_row_without_text_is_no_work() -> None:
    decided = decide(PATH, entries([{"text": PROSE}]), PLAIN)
    for value in (None, "", " \n", " " * 500, "NaN", "null", "N/A", 7, ["a", 1], {"a": "b"}):
        assert make_work(PATH, Place("p", "line", 1), flatten({"text": value}), decided, PLAIN) is None


def test_the_head_is_bounded_by_rows_and_by_bytes() -> None:
    assert len(take_head(iter(entries([{"text": "x"}] * 5000)))) == 200
    assert len(take_head(iter(entries([{"text": "x" * (1 << 20)}] * 50)))) == 8
    assert names_of(entries([{"a": 1}, {"b": {"c": 2}}])) == ["a", "c"]


def test_what_holds_no_rows_says_what_it_holds() -> None:
    with pytest.raises(BookError, match="no rows that can be read") as raised:
        decide(PATH, [Bad(3, "nested too deeply", "[[[", START)], PLAIN)
    assert raised.value.code == "too-long"
    assert decide(PATH, entries([{"messages": [{"role": "user"}]}]), PLAIN).kind == "conversations"
    with pytest.raises(BookError, match="conversations"):
        decide(PATH, entries([{"messages": [{"role": "user"}]}]), ReadOptions(format="prose"))


@pytest.mark.parametrize("chapter", ["", "The Water"])
def test_a_row_of_one_line_is_read_as_any_other(chapter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "The ferrywoman looked at the water\u200b for a while,\xa0and said that it would do, \ufb01nally. " * 4
    row = {"title": "T", "author": "A", "text": f" {text}\n", "chapter": chapter, "year": 1900}
    quick = work(row)
    monkeypatch.setattr(works, "_SENTENCE", 10**9)
    assert quick == work(row)
    assert len(quick.chapters[0].blocks) == 1


def test_columns_in_other_languages() -> None:
    made = work(
        {"Titel": "Die Fähre", "Dichter": "N. Amenlos", "Gedicht": "Der Fluss ist breit,\ndie Nacht ist still."}
    )
    assert (made.title, made.author, made.kind) == ("Die Fähre", "N. Amenlos", "poems")
    made = work({"titre": "Le Bac", "auteur": "N. Anonyme", "texte": PROSE})
    assert (made.title, made.author, made.kind) == ("Le Bac", "N. Anonyme", "prose")
