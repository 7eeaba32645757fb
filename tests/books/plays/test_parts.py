"""Speeches and directions as they are written down; scenes called by their acts."""

from __future__ import annotations

import pytest

from quire.books.book import Place
from quire.books.draft import Item
from quire.books.plays import parts as plays

HERE = Place("p", "line", 1)


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("MARA.", "MARA"),
        ("Mara [aside]:", "Mara"),
        ("LE PASSEUR, à part.", "LE PASSEUR"),
        ("JOSS, seul, regardant la rive.", "JOSS"),
        ("MARA, JOSS.", "MARA, JOSS"),
        ("Old Ferryman (rising) —", "Old Ferryman"),
        ("M. DE LA RIVE.—", "M. DE LA RIVE"),
        ("Mara et Joss", "Mara et Joss"),
        ("(Mara.)", "Mara"),
        ("[CHŒUR].", "CHŒUR"),
    ],
)
def test_who_speaks_is_told_from_how(label: str, name: str) -> None:
    assert plays.speaker_of(label) == name


def test_a_direction_keeps_its_brackets_and_gets_round_ones_where_it_has_none() -> None:
    assert plays.direction("She rises.") == "(She rises.)"
    assert plays.direction("[She rises.]") == "[She rises.]"
    assert plays.direction("(She rises.)") == "(She rises.)"


@pytest.mark.parametrize(
    ("heading", "act", "scene"),
    [
        ("ACT I.", True, False),
        ("Scene II. The bank.", False, True),
        ("ACTE PREMIER", True, False),
        ("Zweiter Aufzug", True, False),
        ("1. Szene", False, True),
        ("The Bank", False, False),
        ("Acting for fools", False, False),
    ],
)
def test_acts_and_scenes_in_several_languages(heading: str, act: bool, scene: bool) -> None:
    assert (plays.is_act(heading), plays.is_scene(heading)) == (act, scene)


@pytest.mark.parametrize("line", ["DRAMATIS PERSONÆ", "Persons of the Play.", "PERSONNAGES", "Cast of Characters:"])
def test_lists_of_persons_are_known(line: str) -> None:
    assert plays.is_cast_heading(line)
    assert not plays.is_cast_heading("He was a person of the play")


def test_one_chapter_a_scene_the_first_called_by_its_act() -> None:
    items = [
        Item("heading", "ACT I.", HERE, 1),
        Item("direction", "(Evening.)", HERE),
        Item("heading", "SCENE I.", HERE, 2),
        Item("speech", "MARA\nWho calls?", HERE, speaker="MARA"),
        Item("heading", "SCENE II.", HERE, 2),
        Item("speech", "JOSS\nI do.", HERE, speaker="JOSS"),
        Item("heading", "ACT II.", HERE, 1),
        Item("speech", "MARA\nStill?", HERE, speaker="MARA"),
        Item("heading", "EPILOGUE", HERE, 1),
        Item("heading", "SCENE I.", HERE, 2),
    ]
    arranged = plays.arrange(items)
    titles = [item.text for item in arranged if item.kind == "heading"]
    assert titles == ["ACT I, SCENE I.", "SCENE II.", "ACT II.", "EPILOGUE", "SCENE I."]
    assert [item.kind for item in arranged[:3]] == ["heading", "direction", "speech"]
