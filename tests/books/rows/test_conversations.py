"""Conversations as rows: every shape that data sets have, every mistake by its reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from quire.books.book import Book, Place
from quire.books.limits import Limits, ReadOptions
from quire.books.reading import read_path
from quire.books.rows import reader
from quire.books.rows.conversations import Unfit, are_conversations, make_conversation
from quire.books.rows.row import Values
from quire.books.walls.wire import Unpacker, pack_book
from quire.errors import BookError

PATH = Path("chats.jsonl")
ASKED, ANSWERED = "Where does the ferry land?", "Where the river lets it, sir."


def made(row: Values) -> Book | Unfit:
    return make_conversation(PATH, Place("chats.jsonl", "line", 3), row, "en")


def turns(*said: tuple[str, object]) -> list[dict[str, object]]:
    return [{"from": role, "value": text} for role, text in said]


def said(row: Values) -> list[tuple[str, str]]:
    book = made(row)
    assert isinstance(book, Book), book
    return [(block.speaker, block.text) for block in book.chapters[0].blocks]


EXPECTED = [("user", ASKED), ("character", ANSWERED)]


@pytest.mark.parametrize(
    "row",
    [
        {"conversations": turns(("human", ASKED), ("gpt", ANSWERED))},
        {"messages": [{"role": "user", "content": ASKED}, {"role": "assistant", "content": ANSWERED}]},
        {"messages": [{"role": "user", "content": [{"text": ASKED}]}, {"role": "model", "content": ANSWERED}]},
        {"conversation": [{"input": ASKED, "output": ANSWERED}]},
        {"conversations": turns(("Human", ASKED), ("GPT", ANSWERED))},
        {"conversations": turns(("utilisateur", ASKED), ("personnage", ANSWERED))},
        {"conversations": turns(("пользователь", ASKED), ("助手", ANSWERED))},
        {"dialogue": [{"speaker": "Benutzer", "text": ASKED}, {"speaker": "Assistent", "text": ANSWERED}]},
        {"Messages": [{"role": " user ", "content": f" {ASKED}\n"}, {"role": "assistant", "content": ANSWERED}]},
    ],
)  # fmt: skip
def test_the_shapes_of_data_sets_come_to_the_same(row: Values) -> None:
    assert said(row) == EXPECTED


def test_a_persona_comes_from_a_turn_or_from_a_column() -> None:
    persona = "You are the ferrywoman."
    inside = {"conversations": turns(("system", persona), ("human", ASKED), ("gpt", ANSWERED))}
    beside = {"system": persona, "conversations": turns(("human", ASKED), ("gpt", ANSWERED))}
    assert said(inside) == said(beside) == [("system", persona), *EXPECTED]


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("row without a list of turns", "human: hello"),
        ("row without a list of turns", None),
        ("conversation without turns", []),
        ("turn that is no object", ["hello", "good evening"]),
        ("turn without a role", [{"value": ASKED}]),
        ("turn without a role", [{"from": 7, "value": ASKED}]),
        ("turn with an unknown role", turns(("narrator", ASKED))),
        ("turn without text", turns(("human", ASKED), ("gpt", " \n\t "))),
        ("turn without text", turns(("human", ASKED), ("gpt", None))),
        ("turn without text", [{"from": "human"}]),
        ("turn without text", turns(("human", "\u200b\u0000"))),
        ("turn whose text is no text", turns(("human", ASKED), ("gpt", 42))),
        ("turn whose text is no text", turns(("human", [{"type": "image_url", "image_url": "x"}]))),
        ("system turn in the middle", turns(("human", ASKED), ("system", "Be kind."), ("gpt", ANSWERED))),
        ("two turns of the user in a row", turns(("human", ASKED), ("human", ASKED), ("gpt", ANSWERED))),
        ("two turns of the character in a row", turns(("human", ASKED), ("gpt", ANSWERED), ("gpt", ANSWERED))),
        ("answer before anything was said to it", turns(("gpt", ANSWERED), ("human", ASKED), ("gpt", ANSWERED))),
        ("conversation without an answer", turns(("system", "Be kind."), ("human", ASKED))),
        ("conversation of more than 10,000 turns", turns(("human", "a"), ("gpt", "b")) * 5001),
    ],
)
def test_every_mistake_has_its_reason(reason: str, said: object) -> None:
    found = made({"id": "x", "conversations": said})
    assert isinstance(found, Unfit)
    assert found.reason == reason


def test_what_shows_the_mistake_is_told() -> None:
    found = made({"conversations": turns(("human", ASKED), ("gpt", ANSWERED), ("narrator", "Silence."))})
    assert found == Unfit("turn with an unknown role", "turn 3: 'narrator'")


def test_a_last_turn_that_nobody_answered_goes_alone_and_is_told() -> None:
    book = made({"conversations": turns(("human", ASKED), ("gpt", ANSWERED), ("human", "And then?"))})
    assert isinstance(book, Book)
    assert len(book.chapters[0].blocks) == 2
    assert [(drop.reason, drop.text) for drop in book.dropped] == [("last turn without an answer", "And then?")]


def test_weights_of_turns_are_not_passed_over_in_silence() -> None:
    row = {"messages": [{"role": "user", "content": ASKED}, {"role": "assistant", "content": ANSWERED, "weight": 0}]}
    book = made(row)
    assert isinstance(book, Book)
    assert "not heeded" in book.warnings[0]


def test_text_is_cleaned_and_special_tokens_stay_plain_words() -> None:
    answer = "He is \x00a very\u202e remarkable\u200b person.<|im_end|>\n<|im_start|>user"
    row = {"conversations": turns(("human", ASKED), ("gpt", answer))}
    assert said(row)[1][1] == "He is a very remarkable person.<|im_end|>\n<|im_start|>user"
    book = made(row)
    assert isinstance(book, Book)
    assert len(book.warnings) == 2


def test_the_form_comes_through_the_wire_unchanged() -> None:
    book = made({"id": "first", "conversations": turns(("human", ASKED), ("gpt", "One.\n\nTwo."))})
    assert isinstance(book, Book)
    assert (book.kind, book.title) == ("conversations", "first")
    unpacker = Unpacker(Limits())
    for line in pack_book(book):
        unpacker.take(line.rstrip(b"\n"))
    assert unpacker.books == [book]


def test_what_looks_like_a_chat_but_has_no_roles_is_none() -> None:
    assert are_conversations([{"messages": [{"role": "user", "content": "x"}]}])
    assert not are_conversations(
        [{"messages": ["a text", "another"]}, {"turns": 4}, {"chapters": [{"title": "I", "text": "x"}]}]
    )


@pytest.mark.parametrize("layout", ["lines", "array", "wrapped", "alone", "parquet"])
def test_every_kind_of_table_is_read(layout: str, tmp_path: Path) -> None:
    row = {"id": "a", "messages": [{"role": "user", "content": ASKED}, {"role": "assistant", "content": ANSWERED}]}
    path = tmp_path / ("chats.parquet" if layout == "parquet" else "chats.json")
    if layout == "parquet":
        pa = pytest.importorskip("pyarrow")
        pytest.importorskip("pyarrow.parquet").write_table(pa.Table.from_pylist([row, row]), path)
    elif layout == "lines":
        path.write_text(f"{json.dumps(row)}\n{json.dumps(row)}\n", encoding="utf-8")
    else:
        value: object = {"array": [row, row], "wrapped": {"data": [row, row]}, "alone": row}[layout]
        path.write_text(json.dumps(value, indent=1), encoding="utf-8")
    books = read_path(path)
    assert len(books) == (1 if layout == "alone" else 2)
    assert all([(b.speaker, b.text) for b in book.chapters[0].blocks] == EXPECTED for book in books)


def test_the_hostile_file_is_accounted_for_row_by_row(shared_data: Path) -> None:
    path = shared_data / "hostile" / "sharegpt" / "all-mistakes.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    books = reader.read(path, ReadOptions())
    dropped = [drop for book in books for drop in book.dropped if drop.reason != "last turn without an answer"]
    assert len(books) + len(dropped) == len(rows)
    kept = {book.title for book in books}
    assert {"good-1", "good-2", "no-conversations-key", "openai-roles", "role-in-capitals", "ends-with-human"} <= kept
    assert not kept & {"missing-from", "missing-value", "unknown-role", "two-humans-in-a-row", "starts-with-answer"}


def test_a_book_is_no_table_of_conversations(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text("One line of text.\n", encoding="utf-8")
    with pytest.raises(BookError, match="no table, and conversations are rows"):
        read_path(path, ReadOptions(format="conversations"))


@pytest.mark.parametrize("megabytes", [2, pytest.param(50, marks=pytest.mark.slow)])
def test_a_row_of_many_megabytes_is_read(megabytes: int, tmp_path: Path) -> None:
    long = {"conversations": turns(("human", ASKED), ("gpt", "word " * (200_000 * megabytes)))}
    short = {"conversations": turns(("human", "a b"), ("gpt", "c"))}
    path = tmp_path / "chats.jsonl"
    path.write_text(f"{json.dumps(long)}\n{json.dumps(short)}", encoding="utf-8")
    assert [book.words for book in read_path(path)] == [200_000 * megabytes + 5, 3]
