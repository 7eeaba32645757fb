"""`quire read` on the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from quire.cli.app import run
from quire.cli.read import parse_where
from quire.errors import BookError


@pytest.fixture
def novel(tmp_path: Path) -> Path:
    file = tmp_path / "novel.txt"
    chapter = "CHAPTER {n}\n\nThe {n}th day began.\n\n"
    chapter += "“Who is there?” asked the [old] woman.\n\nNobody, said the {n}th echo.\n\n"
    file.write_text("".join(chapter.format(n=n) for n in range(4, 8)), encoding="utf-8")
    return file


def test_the_chapters_are_shown_with_their_first_and_last_words(
    novel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["read", str(novel)]) == 0
    shown = capsys.readouterr().out
    assert "4 chapters" in shown
    assert "The 5th day began." in shown
    assert "Nobody, said the 7th echo." in shown


def test_json_gives_chapters_words_and_what_was_dropped(novel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["read", "--json", str(novel)]) == 0
    (book,) = json.loads(capsys.readouterr().out)["books"]
    assert book["path"] == str(novel)
    assert book.keys() >= {"title", "author", "language", "words", "dropped", "warnings"}
    assert [chapter.keys() for chapter in book["chapters"]] == [{"title", "words", "matter"}] * 4


def test_text_is_the_clean_text_alone(novel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["read", "--text", str(novel)]) == 0
    shown = capsys.readouterr().out
    assert "“Who is there?” asked the [old] woman.\n\nNobody, said the 4th echo.\n" in shown


def test_rows_can_be_filtered(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["read", "--json", "sample:poems", "--where", "type=love", "--where", "age=RENAISSANCE"]) == 0
    filtered = len(json.loads(capsys.readouterr().out)["books"])
    assert run(["read", "--json", "sample:poems"]) == 0
    assert 0 < filtered < len(json.loads(capsys.readouterr().out)["books"])


def test_a_file_that_is_not_there_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["read", "no-such-book.txt"]) == 2
    error, remedy = capsys.readouterr().err.splitlines()
    assert "no-such-book.txt" in error
    assert remedy.startswith("try: ")


def test_json_and_text_exclude_each_other(novel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["read", "--json", "--text", str(novel)]) == 2
    assert "exclude each other" in capsys.readouterr().err


def test_html_is_a_page_alone(novel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["read", "--html", str(novel)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("<!doctype html>")
    assert "“Who is there?” asked the [old] woman." in shown


@pytest.mark.parametrize("kind", ["--html", "--text", "--json"])
def test_out_names_the_file_to_write(
    kind: str, novel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "result"
    assert run(["read", kind, "--out", str(out), str(novel)]) == 0
    assert "Nobody, said the 7th echo." in out.read_text() or kind == "--json"
    assert capsys.readouterr().out == ""


def test_a_place_that_cannot_be_written_is_named(novel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["read", "--text", "--out", str(novel / "below"), str(novel)]) == 2
    assert "cannot be written" in capsys.readouterr().err


def test_out_alone_writes_nothing(novel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["read", "--out", "x", str(novel)]) == 2
    assert "--out needs" in capsys.readouterr().err


def test_bad_files_are_listed_and_strict_exits_with_2(novel: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (novel.parent / "broken.epub").write_bytes(b"")
    (novel.parent / "empty.pdf").write_bytes(b"")
    assert run(["read", str(novel.parent)]) == 0
    assert capsys.readouterr().err.count("not read") == 2
    assert run(["read", "--strict", str(novel.parent)]) == 2
    shown = capsys.readouterr()
    assert "4 chapters" in shown.out
    assert shown.err.count("not read") == 2
    assert "error: 2 files could not be read" in shown.err


def test_the_works_of_one_file_go_together_beside_books_of_chapters(
    novel: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = ({"title": title, "text": f"The lock keeper thought of the {title}."} for title in ("heron", "barge"))
    novel.with_name("short.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    assert run(["read", str(novel.parent)]) == 0
    shown = capsys.readouterr().out
    assert "short.jsonl: 2 works, 14 words" in shown
    assert "short.jsonl: 1 chapter" not in shown
    assert "novel.txt: 4 chapters" in shown


def test_no_control_of_a_book_reaches_the_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "novel\x1b[2J.txt"
    file.write_text("A quiet day by the water, with nothing to do.\n\nThen it rained.", encoding="utf-8")
    assert run(["read", str(file)]) == 0
    assert "\x1b[2J" not in capsys.readouterr().out


def test_a_column_given_twice_allows_both_values() -> None:
    assert parse_where(["age=Modern", "type=Love", "age=Old"]) == {"age": ["Modern", "Old"], "type": ["Love"]}


def test_a_filter_without_a_value_is_refused() -> None:
    with pytest.raises(BookError, match="a column and a value"):
        parse_where(["age"])


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    file = tmp_path / "corpus.jsonl"
    text = "The keeper counted {} boats that evening, and wrote the number down, and closed his book."
    file.write_text("".join(json.dumps({"text": text.format(n)}) + "\n" for n in range(30)) + "no json\n")
    return file


def test_a_stream_shows_its_first_works_and_what_was_counted(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (corpus.parent / "notes.txt").write_text("no table")
    assert run(["read", "--stream", str(corpus.parent)]) == 0
    shown = capsys.readouterr()
    assert "corpus, line 1 " in shown.out
    assert "31 rows" in shown.out
    assert "30 works" in shown.out
    assert "that is all" in shown.out
    assert "line that is no JSON" in shown.out
    assert "notes.txt: no table" in shown.err


def test_a_stream_as_json_and_as_text(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = corpus.with_name("recipe.yaml")
    recipe.write_text("shelf: [{path: corpus.jsonl, stream: true}]\n")
    assert run(["read", "--json", str(recipe)]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["books"] == []
    (stream,) = facts["streams"]
    assert (stream["rows"], stream["works"], stream["dropped"][0]["count"]) == (31, 30, 1)
    assert run(["read", "--text", "--stream", str(corpus)]) == 0
    assert capsys.readouterr().out.count("The keeper counted") == 30
    assert run(["read", "--text", "--stream", str(corpus), "--out", str(corpus) + ".txt"]) == 2


def test_conversations_are_counted_by_what_is_to_learn(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    row = {"messages": [{"role": "user", "content": "Who?"}, {"role": "assistant", "content": "Nobody."}] * 2}
    path = tmp_path / "chats.jsonl"
    path.write_text(f"{json.dumps(row)}\n{json.dumps(row)}\n{json.dumps({'messages': []})}\n", encoding="utf-8")
    assert run(["read", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "2 conversations with 4 answers to learn" in shown
    assert "conversation without turns" in shown
    assert run(["read", "--text", str(path)]) == 0
    assert capsys.readouterr().out.startswith("[user] Who?\n\n[character] Nobody.\n\n[user] Who?")
    assert run(["read", "--html", "--out", str(tmp_path / "page.html"), str(path)]) == 0
    assert "<b>character</b> Nobody." in (tmp_path / "page.html").read_text(encoding="utf-8")
    pair = tmp_path / "pair.jsonl"
    pair.write_text(json.dumps({"prompt": "A storm.", "completion": "The mast went first."}), encoding="utf-8")
    capsys.readouterr()
    assert run(["read", str(pair)]) == 0
    assert "1 completion with 1 answer to learn" in capsys.readouterr().out
