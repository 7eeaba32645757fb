"""Names that begin speeches: what a label is, whose, and when a text has so many that it is a play."""

from __future__ import annotations

import pytest

from quire.books.book import Place
from quire.books.draft import Item
from quire.books.plays.labels import Cast, find_cast, is_division, is_entrance, is_label, key, labels

WORDS = "The river is high tonight, and the rope has seen better years than this."
NAMES = ("MARA", "JOSS", "OLD PILOT", "THE MILLER")


def told(*texts: str) -> list[Item]:
    return [Item("paragraph", text, Place("p", "line", number)) for number, text in enumerate(texts, start=1)]


def play(form: str, turns: int = 30) -> list[str]:
    return [form.format(NAMES[number % 4], WORDS) for number in range(turns)]


@pytest.mark.parametrize(
    ("line", "printed", "name", "rest", "style"),
    [
        ("MARA. Who calls?", "MARA.", "MARA", "Who calls?", "caps"),
        ("MARA.—Who calls?", "MARA.—", "MARA", "Who calls?", "caps"),
        ("MARA: Who calls?", "MARA:", "MARA", "Who calls?", "caps"),
        ("MARA (rising). Who calls?", "MARA (rising).", "MARA", "Who calls?", "caps"),
        ("MARA [aside] Who calls?", "MARA [aside]", "MARA", "Who calls?", "caps"),
        ("LE PASSEUR, à part. Qui va là ?", "LE PASSEUR, à part.", "LE PASSEUR", "Qui va là ?", "caps"),
        ("M. DE LA RIVE. Qui va là ?", "M. DE LA RIVE.", "M. DE LA RIVE", "Qui va là ?", "caps"),
        ("2ND PILOT. Who calls?", "2ND PILOT.", "2ND PILOT", "Who calls?", "caps"),
        ("MARA and JOSS. Nobody.", "MARA and JOSS.", "MARA and JOSS", "Nobody.", "caps"),
        ("MARA", "MARA", "MARA", "", "caps alone"),
        ("MARA, seule.", "MARA, seule.", "MARA", "", "caps alone"),
        ("Mar. Who calls?", "Mar.", "Mar", "Who calls?", "mixed"),
        ("Old Pilot: Who calls?", "Old Pilot:", "Old Pilot", "Who calls?", "mixed"),
        ("Old Pilot", "Old Pilot", "Old Pilot", "", "mixed alone"),
    ],
)
def test_the_label_of_a_line(line: str, printed: str, name: str, rest: str, style: str) -> None:
    found = next(labels(line))
    assert (found.printed, found.name, found.rest, found.style) == (printed, name, rest, style)


@pytest.mark.parametrize("line", ["", "who calls? Mara.", "Who calls so late?", "ACT II.", "SCENE I. The bank.", "XIV.",
                                  "ENTER MARA.", "She waited. Nobody came."])  # fmt: skip
def test_lines_without_a_label_in_capitals(line: str) -> None:
    assert not [label for label in labels(line) if label.style.startswith("caps")]


def test_names_are_the_same_whatever_their_dress() -> None:
    assert key("Old  PILOT.") == key("old pilot") == "old pilot"


def test_a_whole_line_may_be_a_label() -> None:
    assert is_label("Old Pilot")
    assert is_label("MARA, seule.")
    assert not is_label("She waited for the boat.")


@pytest.mark.parametrize(
    ("text", "division"),
    [
        ("ACT I.", True),
        ("SCENE II. The landing stage.", True),
        ("ACTE PREMIER", True),
        ("Scène III", True),
        ("The scene was dark.", False),
        ("Act as you like, she said.", False),
        ("PART ONE", False),
    ],
)
def test_acts_and_scenes(text: str, division: bool) -> None:
    assert is_division(text) is division


def test_entrances_need_no_brackets() -> None:
    assert all(map(is_entrance, ["Enter MARA.", "[Exeunt", "(Il sort.)", "_Exit._", "Flourish."]))
    assert not any(map(is_entrance, ["Entering the boat, she slipped.", "He sat down."]))


@pytest.mark.parametrize("form", ["{}. {}", "{}: {}", "{}.— {}", "{}, to himself. {}", "{} (rising) {}"])
def test_a_company_that_talks_and_does_something_is_a_play_without_acts(form: str) -> None:
    done = ["(A bell.)", "[She rises.]", "(He sits down.)"]
    cast = find_cast(told(*play(form), *done))
    assert cast is not None
    assert cast.names == {key(name) for name in NAMES}
    talk_of_two = [line for line in play(form) if line.startswith(NAMES[:2])]
    assert find_cast(told(*talk_of_two, *done)) is None


@pytest.mark.parametrize("form", ["{}. {}", "{}: {}", "{}\n{}"])
def test_the_record_of_a_session_is_no_play(form: str) -> None:
    assert find_cast(told("Minutes of the ferry board, May 3.", *play(form, 60))) is None


def test_names_in_small_letters_need_acts() -> None:
    lines = [line.title() if line in NAMES else line for turn in play("{}\n{}") for line in turn.split("\n")]
    assert find_cast(told(*lines)) is None
    cast = find_cast(told("ACT I.", "SCENE I.", *lines, "SCENE II.", *lines))
    assert cast is not None
    assert cast.styles == {"mixed alone"}


def test_a_name_that_another_part_always_follows_is_only_its_beginning() -> None:
    turns = ["First. Pilot. Who calls?", "Mara. Come. Be quick.", "Sec. Pilot. I do.", "Mara. Nobody does."] * 8
    cast = find_cast(told("ACT I.", "SCENE I.", *turns, "SCENE II.", *turns))
    assert cast is not None
    said = [label for line in turns[:4] if (label := cast.label(line)) is not None]
    assert [(label.name, label.rest) for label in said] == [
        ("First. Pilot", "Who calls?"),
        ("Mara", "Come. Be quick."),
        ("Sec. Pilot", "I do."),
        ("Mara", "Nobody does."),
    ]


def test_those_of_a_crowd_may_have_but_a_number() -> None:
    turns = [*play("{}. {}"), "1. Come, come.", "2. We shall be late.", "ALL. Run!"]
    cast = find_cast(told("ACT I.", "SCENE I.", *turns, "SCENE II."))
    assert cast is not None
    found = cast.label("2. We shall be late.")
    assert found is not None
    assert (found.printed, found.name, found.rest) == ("2.", "2", "We shall be late.")
    assert cast.label("2 boats were late.") is None


def test_a_verse_that_begins_with_a_word_and_a_comma_is_no_name() -> None:
    turns = [
        "Mara",
        "Madame, you row as if the river were to wait.",
        "Joss",
        "Madame, it does not wait for anyone.",
    ] * 6
    cast = find_cast(told("ACT I.", "SCENE I.", *turns, "SCENE II.", *turns))
    assert cast is not None
    assert cast.names == {"mara", "joss"}


def test_only_the_first_word_alone_on_a_line_of_a_block_is_a_name() -> None:
    cast = Cast(frozenset({"mara"}), frozenset({"mixed alone"}))
    assert cast.label("Mara") is not None
    assert cast.label("Mara", first=False) is None
    assert cast.label("Joss") is None


def test_a_book_that_quotes_scenes_between_its_own_pages_is_no_play() -> None:
    page = [f"On the stage of that year nobody rowed, and nobody was asked to, {number} times over. " * 20
            for number in range(4)]  # fmt: skip
    parts: list[str] = []
    for number in range(8):
        parts += [f"ACT {number + 1}.", *play("{}. {}", 12), *page]
    assert find_cast(told(*parts)) is None
    assert find_cast(told(*(part for part in parts if part not in page))) is not None


def test_what_the_recipe_calls_a_play_needs_but_a_name() -> None:
    assert find_cast(told("MARA. Who calls?", "MARA. Nobody.")) is None
    assert find_cast(told("MARA. Who calls?", "MARA. Nobody."), asked=True) is not None


@pytest.mark.parametrize(
    "line",
    [
        "MARA. Come in.",
        "MARA—Come in.",
        "MARA (low). Come.",
        "MARA",
        "LADY MARA: Come.",
        "Mr. Voss: Come.",
        "Le Roi. Venez.",
    ]
    + ["1st Guard. Who?", "THE KING OF THE NORTH. Who?", "MARA/VOSS. Who?", "MARA, VOSS. Who?", "Mara & Voss: Who?"]
    + ["MARA D’ORVAL. Qui ?", "Mara -- Who?"],
)
def test_a_line_that_begins_with_a_name_is_looked_at(line: str) -> None:
    assert list(labels(line))
