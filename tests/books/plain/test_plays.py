"""Plays in plain lines, in the ways that they are set; novels stay what they are."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from quire.books.book import Book
from quire.books.limits import PLAIN, ReadOptions
from quire.books.plain import txt

SPEECHES = [
    ("MARA", "Who calls so late? The ferry sleeps, and so should every honest man on either bank of this water."),
    ("JOSS", "A man with a trunk, and no wish to carry it round by the bridge."),
    ("MARA", "Then he may sit on it till morning."),
    ("OLD PILOT", "Let him over, girl. The river is as tired of waiting as he is, and I have not slept for an hour."),
    ("JOSS", "I thank you, grandfather."),
    ("MARA", "Thank him when you are dry."),
]
VERSE = [
    "Cold is the water, colder is the oar,",
    "And nobody is waiting on the shore,",
    "Row on, row on, and ask no more.",
]


def wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, 66))


def set_inline(name: str, words: str) -> str:
    return wrapped(f"{name}. {words}")


def set_above(name: str, words: str) -> str:
    return f"{name}.\n{wrapped(words)}"


def set_bare(name: str, words: str) -> str:
    return f"{name}\n{wrapped(words)}"


def set_alone(name: str, words: str) -> str:
    return f"{name}\n\n{wrapped(words)}"


def set_short(name: str, words: str) -> str:
    return wrapped(f"{name.title()[:4].strip()}. {words}")


def set_colon(name: str, words: str) -> str:
    return f"{name.title()}: {words}"


def set_french(name: str, words: str) -> str:
    return wrapped(f"{name}.— {words}")


def play(way: object, act: str = "ACT", scene: str = "SCENE") -> str:
    assert callable(way)
    parts = ["THE FERRY", "DRAMATIS PERSONÆ", "MARA, a ferrywoman.\nJOSS, a traveller.\nOLD PILOT, her father."]
    for number in ("I", "II"):
        parts += [f"{act} {number}.", f"{scene} I. A landing stage.", "[Evening. A bell.]"]
        for name, words in SPEECHES:
            parts.append(way(name, words))
        parts += ["[Exit JOSS.]", f"{scene} II. The boat."]
        parts += [way(name, words) for name, words in reversed(SPEECHES)]
    return "\n\n".join(parts) + "\n"


def read(tmp_path: Path, text: str, options: ReadOptions = PLAIN) -> Book:
    path = tmp_path / "play.txt"
    path.write_text(text, encoding="utf-8")
    (book,) = txt.read(path, options)
    return book


def told(book: Book) -> list[tuple[str, str]]:
    return [
        (block.speaker, " ".join(block.text.split("\n")[1:]))
        for chapter in book.chapters
        for block in chapter.blocks
        if block.kind == "speech"
    ]


@pytest.mark.parametrize(
    "way", [set_inline, set_above, set_bare, set_alone, set_short, set_colon, set_french], ids=lambda way: way.__name__
)
def test_speeches_are_known_however_they_are_set(tmp_path: Path, way: object) -> None:
    book = read(tmp_path, play(way))
    assert book.kind == "plays"
    once = [(name, words) for name, words in SPEECHES]
    expected = 2 * (once + once[::-1])
    found = told(book)
    assert [words for _, words in found] == [words for _, words in expected]
    short = way is set_short
    assert [name.upper() for name, _ in found] == [name[:4].strip() if short else name for name, _ in expected]
    titles = [chapter.title for chapter in book.chapters if chapter.matter != "front"]
    assert titles[-4:] == ["ACT I, SCENE I", "SCENE II", "ACT II, SCENE I", "SCENE II"]
    directions = [block.text for chapter in book.chapters for block in chapter.blocks if block.kind == "direction"]
    assert directions[:3] == ["A landing stage.", "[Evening. A bell.]", "[Exit JOSS.]"]


def test_french_headings_and_manners(tmp_path: Path) -> None:
    def way(name: str, words: str) -> str:
        return wrapped(f"{name}, à part. {words}")

    book = read(tmp_path, play(way, "ACTE", "SCÈNE"))
    assert {speaker for speaker, _ in told(book)} == {"MARA", "JOSS", "OLD PILOT"}
    assert book.chapters[-2].title == "ACTE II, SCÈNE I"
    assert book.chapters[-1].blocks[1].text.startswith("MARA, à part.\nThank him")


def test_prose_is_unwrapped_and_verse_keeps_its_lines(tmp_path: Path) -> None:
    song = "MARA.\n" + "\n".join(VERSE)
    book = read(tmp_path, play(set_above).replace("ACT II.", f"{song}\n\nACT II."))
    spoken = [block.text for chapter in book.chapters for block in chapter.blocks if block.kind == "speech"]
    assert "MARA.\n" + "\n".join(VERSE) in spoken
    assert f"OLD PILOT.\n{SPEECHES[3][1]}" in spoken


def test_a_speech_that_a_direction_interrupts_goes_on(tmp_path: Path) -> None:
    text = play(set_above).replace("[Exit JOSS.]", "[She listens.]\n\nNobody. It was the rain.\n\n[Exit JOSS.]")
    book = read(tmp_path, text)
    spoken = [block.text for chapter in book.chapters for block in chapter.blocks if block.kind == "speech"]
    assert "MARA.\nThank him when you are dry.\n[She listens.]\nNobody. It was the rain." in spoken


def test_italics_that_come_again_and_again_over_speeches_are_names(tmp_path: Path) -> None:
    def way(name: str, words: str) -> str:
        manner = " (rising)" if "trunk" in words else ""
        return f"_{name.title()}{manner}._\n\n{wrapped(words)}\n\n_Pause._"

    book = read(tmp_path, play(way))
    assert {speaker for speaker, _ in told(book)} == {"Mara", "Joss", "Old Pilot"}
    assert len(told(book)) == 4 * len(SPEECHES)


def test_italics_in_underscores_are_directions(tmp_path: Path) -> None:
    book = read(tmp_path, play(set_above).replace("[Exit JOSS.]", "_A bell rings twice._"))
    directions = [block.text for chapter in book.chapters for block in chapter.blocks if block.kind == "direction"]
    assert "(A bell rings twice.)" in directions


def novel(paragraphs: int = 60) -> str:
    turns = [
        "“Who calls so late?” said Mara, and she put down the lamp.",
        "Mr. Joss did not answer. The trunk was heavy, and the bank was steep.",
        "No. She would not go out again tonight, whatever the old man said.",
        "“Then he may sit on it,” she said, “till morning.”",
    ]
    return "CHAPTER I\n\n" + "\n\n".join(turns[index % 4] for index in range(paragraphs))


def test_a_novel_stays_a_novel(tmp_path: Path) -> None:
    assert read(tmp_path, novel()).kind == "prose"


def test_a_chapter_in_the_form_of_a_play_makes_no_play_of_a_novel(tmp_path: Path) -> None:
    scene = "\n\n".join(set_above(name, words) for name, words in 2 * SPEECHES)
    assert read(tmp_path, f"{novel(120)}\n\nCHAPTER II\n\n{scene}\n\nCHAPTER III\n\n{novel(120)}").kind == "prose"


def test_a_talk_of_two_without_a_stage_is_prose_unless_the_recipe_says_play(tmp_path: Path) -> None:
    talk = "\n\n".join(
        f"{'HE' if n % 2 else 'SHE'}. It is the turn of number {n} to say a word or two." for n in range(30)
    )
    assert read(tmp_path, talk).kind == "prose"
    book = read(tmp_path, talk, ReadOptions(format="plays"))
    assert book.kind == "plays"
    assert len(told(book)) == 30


def test_a_play_that_is_called_prose_is_left_alone(tmp_path: Path) -> None:
    book = read(tmp_path, play(set_above), ReadOptions(format="prose"))
    assert book.kind == "prose"
    assert not told(book)
