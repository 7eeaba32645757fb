"""Plays whose speeches are rows: one book a play, scenes by their acts, directions in brackets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from quire.books.limits import PLAIN, ReadOptions
from quire.books.rows import reader as jsonl

SHARED = Path(__file__).parents[4] / "shared" / "data" / "plays"
ROWS: list[dict[str, object]] = [
    {"play": "The Ferry", "act": "Act I", "scene": "Scene I", "speaker": "", "text": "",
     "stage_directions": ["A landing stage. Evening."]},
    {"play": "The Ferry", "act": "Act I", "scene": "Scene I", "speaker": "Mara", "text": "Who calls?\nIs it late?",
     "stage_directions": ["Rising."]},
    {"play": "The Ferry", "act": "Act I", "scene": "Scene I", "speaker": "Joss",
     "text": "A man with a heavy trunk.", "stage_directions": ["Exit."]},
    {"play": "The Ferry", "act": "Act I", "scene": "Scene II", "speaker": "Mara", "text": "The rope is wet.",
     "stage_directions": []},
    {"play": "The Ferry", "act": "Act I", "scene": "Scene II", "speaker": "", "text": "",
     "stage_directions": ["A bell."]},
    {"play": "The Ferry", "act": "Act I", "scene": "Scene II", "speaker": "Mara", "text": "And cold.",
     "stage_directions": []},
    {"play": "The Ferry", "act": "Act II", "scene": "Scene I", "speaker": "Joss", "text": "We are over.",
     "stage_directions": []},
]  # fmt: skip


def write(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_the_rows_of_a_play_are_one_book_with_a_chapter_a_scene(tmp_path: Path) -> None:
    (book,) = jsonl.read(write(tmp_path / "p.jsonl", ROWS), PLAIN)
    assert (book.title, book.kind) == ("The Ferry", "plays")
    assert [chapter.title for chapter in book.chapters] == ["Act I, Scene I", "Act I, Scene II", "Act II, Scene I"]
    assert [(block.kind, block.speaker, block.text) for block in book.chapters[0].blocks] == [
        ("direction", "", "(A landing stage. Evening.)"),
        ("speech", "Mara", "Mara\n(Rising.)\nWho calls?\nIs it late?"),
        ("speech", "Joss", "Joss\nA man with a heavy trunk.\n(Exit.)"),
    ]


def test_a_direction_between_two_rows_of_a_speaker_does_not_end_the_speech(tmp_path: Path) -> None:
    (book,) = jsonl.read(write(tmp_path / "p.jsonl", ROWS), PLAIN)
    assert [block.text for block in book.chapters[1].blocks] == ["Mara\nThe rope is wet.\n(A bell.)\nAnd cold."]


def test_several_plays_in_a_file_are_several_books_and_filters_hold(tmp_path: Path) -> None:
    other = [{**row, "play": "The Inn"} for row in ROWS]
    path = write(tmp_path / "p.jsonl", ROWS + other)
    assert [book.title for book in jsonl.read(path, PLAIN)] == ["The Ferry", "The Inn"]
    (book,) = jsonl.read(path, ReadOptions(where=(("play", ("the inn",)),)))
    assert book.title == "The Inn"


def test_rows_of_lines_under_other_names_are_speeches_too(tmp_path: Path) -> None:
    lines = ["Who is there?", "Speak up.", "It is me.", "Only me."]
    rows: list[dict[str, object]] = [
        {"Play": "The Gate", "ActSceneLine": f"2.{scene}.{number}", "Player": player, "PlayerLine": line}
        for scene in (1, 2)
        for number, (player, line) in enumerate(zip(["WATCH", "WATCH", "SON", "SON"], lines, strict=True), start=1)
    ]
    (book,) = jsonl.read(write(tmp_path / "p.jsonl", rows), PLAIN)
    assert [chapter.title for chapter in book.chapters] == ["Act 2, Scene 1", "Act 2, Scene 2"]
    assert [block.text for block in book.chapters[0].blocks] == [
        "WATCH\nWho is there?\nSpeak up.",
        "SON\nIt is me.\nOnly me.",
    ]


def test_a_speaker_alone_makes_no_play_unless_the_recipe_says_so(tmp_path: Path) -> None:
    rows: list[dict[str, object]] = [{"speaker": "A", "text": "A long text. " * 20}, {"speaker": "B", "text": "No."}]
    path = write(tmp_path / "p.jsonl", rows)
    assert [book.kind for book in jsonl.read(path, PLAIN)] == ["prose", "prose"]
    (book,) = jsonl.read(path, ReadOptions(format="plays"))
    assert book.kind == "plays"
    assert len(jsonl.read(write(tmp_path / "q.jsonl", ROWS), ReadOptions(format="prose"))) > 1


@pytest.mark.skipif(not SHARED.exists(), reason="the shared data is not here")
@pytest.mark.parametrize(("name", "scenes"), [("hamlet", 20), ("the-importance-of-being-earnest", 3)])
def test_no_word_of_a_shared_play_is_lost(name: str, scenes: int) -> None:
    path = SHARED / f"{name}.jsonl"
    (book,) = jsonl.read(path, PLAIN)
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    said = [word for row in rows for word in row["text"].split()]
    shown = [
        word
        for chapter in book.chapters
        for block in chapter.blocks
        if block.kind == "speech"
        for line in block.text.split("\n")[1:]
        if not line.startswith("(")
        for word in line.split()
    ]
    assert shown == said
    assert len(book.chapters) == scenes
    spoken = {block.speaker for chapter in book.chapters for block in chapter.blocks if block.kind == "speech"}
    assert spoken == {row["speaker"] for row in rows if row["speaker"]}
