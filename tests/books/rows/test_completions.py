"""Completions as rows: which columns they are, what parts them, what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from quire.books.book import Book, Place
from quire.books.limits import ReadOptions
from quire.books.reading import read_path
from quire.books.rows.completions import are_completions, make_completion
from quire.books.rows.conversations import Unfit
from quire.books.rows.row import Values


def said(row: Values) -> list[str]:
    book = make_completion(Path("pairs.jsonl"), Place("pairs.jsonl", "line", 1), row, "en")
    assert isinstance(book, Book), book
    assert book.kind == "completions"
    assert [block.speaker for block in book.chapters[0].blocks] == ["user", "character"]
    return [block.text for block in book.chapters[0].blocks]


@pytest.mark.parametrize(
    "row",
    [
        {"prompt": "Why?", "completion": "Because."},
        {"Instruction": "Why?", "input": "", "output": "Because."},
        {"question": "Why?", "answer": "Because.", "id": 4},
        {"query": "Why?", "response": "Because."},
        {"input": "Why?", "output": "Because."},
    ],
)
def test_the_usual_pairs_of_columns(row: Values) -> None:
    assert are_completions([row])
    assert said(row) == ["Why?", "Because."]


def test_an_instruction_goes_before_its_input_and_what_the_system_says_before_both() -> None:
    row = {"system_prompt": "Be brief.", "instruction": "Sum it up.", "input": "A long tale.", "output": "Short."}
    assert said(row) == ["Be brief.\n\nSum it up.\n\nA long tale.", "Short."]


@pytest.mark.parametrize(
    ("given", "answer", "kept"),
    [
        ("Once upon", " a time", " a time"),
        ("Once upon ", "a time", " a time"),
        ("Title:\n", "Text", "\nText"),
        ("Title.\n\n", "Text", "Text"),
        ("Title.", "Text", "Text"),
    ],
)
def test_white_space_between_the_two_is_kept_with_the_completion(given: str, answer: str, kept: str) -> None:
    assert said({"prompt": given, "completion": answer})[1] == kept


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"prompt": "", "completion": "x"}, "row without a prompt"),
        ({"prompt": "x", "completion": None}, "row without a completion"),
        ({"prompt": "x", "completion": " \n"}, "row without a completion"),
        ({"prompt": "x", "completion": 4}, "row whose prompt or completion is no text"),
        ({"text": "x"}, "row without a prompt and a completion"),
        ({"prompt": "\u200b", "completion": "x"}, "row without a prompt"),
    ],
)
def test_every_mistake_has_its_reason(row: Values, reason: str) -> None:
    found = make_completion(Path("pairs.jsonl"), Place("pairs.jsonl", "line", 1), row, "en")
    assert isinstance(found, Unfit)
    assert found.reason == reason


def test_a_table_with_a_column_of_text_or_with_other_values_is_none() -> None:
    assert not are_completions([{"prompt": "a", "completion": "b", "text": "a b"}])
    assert not are_completions([{"question": "a", "answer": {"text": ["b"]}}])
    assert not are_completions([{"title": "a", "text": "b"}])
    assert not are_completions([])


def test_a_table_of_values_is_read_by_its_head(tmp_path: Path) -> None:
    path = tmp_path / "pairs.csv"
    path.write_text('prompt,completion\n"Who rows?","She does, and she alone."\n"Where to?",\n', encoding="utf-8")
    (book,) = read_path(path)
    assert [block.text for block in book.chapters[0].blocks] == ["Who rows?", "She does, and she alone."]
    assert [drop.reason for drop in book.dropped] == ["row without a completion"]
    with_format = read_path(path, ReadOptions(format="completions"))
    assert with_format == [book]
