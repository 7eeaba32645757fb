"""Items of any format as speeches and directions: by their marks, or by their form alone."""

from __future__ import annotations

from quire.books.book import Place
from quire.books.draft import Draft, Item, ItemKind
from quire.books.plays.form import Scenes, join_marked, recognise
from quire.books.plays.labels import Cast

CAST = Cast(frozenset({"mara", "joss", "old pilot"}), frozenset({"caps", "caps alone"}))


def items(*told: tuple[ItemKind, str]) -> list[Item]:
    return [Item(kind, text, Place("p", "line", number)) for number, (kind, text) in enumerate(told, start=1)]


def run(*told: tuple[ItemKind, str]) -> list[tuple[str, str, str]]:
    return [(item.kind, item.speaker, item.text) for item in Scenes(CAST).run(items(*told))]


def test_a_name_opens_a_speech_in_its_own_block_and_in_the_next() -> None:
    assert run(
        ("heading", "ACT I"),
        ("paragraph", "MARA. Who calls?"),
        ("paragraph", "JOSS"),
        ("paragraph", "A man with a trunk."),
        ("verse", "MARA (rising).\nCold is the water,\nColder the oar."),
    ) == [
        ("heading", "", "ACT I"),
        ("speech", "MARA", "MARA.\nWho calls?"),
        ("speech", "JOSS", "JOSS\nA man with a trunk."),
        ("speech", "MARA", "MARA (rising).\nCold is the water,\nColder the oar."),
    ]


def test_directions_stand_in_a_speech_that_goes_on_and_after_one_that_is_over() -> None:
    assert run(
        ("heading", "SCENE I"),
        ("paragraph", "Evening. A bell."),
        ("paragraph", "MARA. Who calls?"),
        ("paragraph", "[She listens.]"),
        ("paragraph", "Nobody."),
        ("paragraph", "Enter JOSS."),
        ("paragraph", "JOSS. I do."),
    )[1:] == [
        ("direction", "", "Evening. A bell."),
        ("speech", "MARA", "MARA.\nWho calls?\n[She listens.]\nNobody."),
        ("direction", "", "Enter JOSS."),
        ("speech", "JOSS", "JOSS.\nI do."),
    ]


def test_a_word_alone_under_a_name_is_what_is_said_and_names_under_a_scene_are_of_those_who_are_there() -> None:
    cast = Cast(frozenset({"mara", "joss", "come", "mara joss"}), frozenset({"mixed alone"}))
    told = Scenes(cast).run(
        items(
            ("heading", "SCENE I"),
            ("paragraph", "Mara, Joss."),
            ("paragraph", "Mara"),
            ("paragraph", "Come."),
            ("paragraph", "Joss"),
            ("paragraph", "Where to?"),
        )
    )
    assert [(item.kind, item.text) for item in told[1:]] == [
        ("direction", "Mara, Joss."),
        ("speech", "Mara\nCome."),
        ("speech", "Joss\nWhere to?"),
    ]


def test_a_scenes_heading_gives_its_place_as_a_direction() -> None:
    told = run(("paragraph", "ACT I. SCENE II. A landing stage."), ("paragraph", "MARA. Who calls?"))
    assert told[:3] == [
        ("heading", "", "ACT I"),
        ("heading", "", "SCENE II"),
        ("direction", "", "A landing stage."),
    ]


def test_the_cast_stands_before_the_play_and_the_end_after_it() -> None:
    told = Scenes(CAST).run(
        items(
            ("paragraph", "PERSONS OF THE PLAY"),
            ("paragraph", "MARA, a ferrywoman."),
            ("paragraph", "JOSS, a traveller."),
            ("heading", "ACT I"),
            ("paragraph", "MARA. Who calls so late?"),
            ("paragraph", "CURTAIN"),
        )
    )
    assert [(item.kind, item.matter) for item in told[:3]] == [
        ("heading", "front"),
        ("paragraph", None),
        ("paragraph", None),
    ]
    assert (told[-1].kind, told[-1].text) == ("direction", "CURTAIN")


def test_notes_and_breaks_keep_their_kind() -> None:
    told = run(("heading", "ACT I"), ("paragraph", "MARA. Who?"), ("note", "A note."), ("break", "* * *"))
    assert sorted(kind for kind, _, _ in told) == ["break", "heading", "note", "speech"]


def test_marked_speeches_go_on_over_a_direction() -> None:
    marked = [
        Item("heading", "SCENE I", Place("p", "line", 1), 1),
        Item("paragraph", "A landing stage.", Place("p", "line", 2)),
        Item("speech", "MARA\nWho calls?", Place("p", "line", 3), speaker="MARA"),
        Item("direction", "(A bell.)", Place("p", "line", 4)),
        Item("paragraph", "Nobody.", Place("p", "line", 5)),
        Item("paragraph", "(She goes.)", Place("p", "line", 6)),
    ]
    assert [(item.kind, item.text) for item in join_marked(marked)] == [
        ("heading", "SCENE I"),
        ("direction", "A landing stage."),
        ("speech", "MARA\nWho calls?\n(A bell.)\nNobody."),
        ("direction", "(She goes.)"),
    ]


def test_a_recipe_has_the_last_word() -> None:
    talk: list[tuple[ItemKind, str]] = [("paragraph", f"{'MARA' if n % 2 else 'JOSS'}. Turn {n}.") for n in range(20)]
    draft = Draft("p")
    assert [item.kind for item in recognise(draft, items(*talk), "prose")] == ["paragraph"] * 20
    assert draft.kind == "prose"
    assert [item.kind for item in recognise(draft, items(*talk), "plays")] == ["speech"] * 20
    assert draft.kind == "plays"
