"""Words cut at a line end, joined on the evidence of the book."""

from __future__ import annotations

import pytest

from quire.books.hyphens import Hyphens

ENGLISH = (
    "the garden was a well-known place and the sailor undertook to garden there before the milk of the house was warm"
)
FRENCH = "dix huit hommes et dix-sept femmes ont dit que le jardin était grand, il dit, elle vient, eau vie"


@pytest.mark.parametrize(
    ("before", "after", "joined"),
    [
        ("gar", "den,", "garden,"),
        ("well", "known", "well-known"),
        ("self", "seeking", "self-seeking"),
        ("won", "derful", "wonderful"),
        ("drawing", "room", "drawing-room"),
        ("a moth", "eaten", "a moth-eaten"),
        ("un", "known", "unknown"),
        ("fire", "place", "fireplace"),
        ("car", "pet", "carpet"),
        ("whisky-and", "water", "whisky-and-water"),
        ("delicately", "formed", "delicately-formed"),
        ("thick", "ness", "thickness"),
    ],
)
def test_english_hyphens(before: str, after: str, joined: str) -> None:
    assert Hyphens([ENGLISH], "en").join(before, after, soft=True) == joined


@pytest.mark.parametrize(
    ("before", "after", "joined"),
    [
        ("jar", "din", "jardin"),
        ("dix", "huit", "dix-huit"),
        ("dit", "il", "dit-il"),
        ("s’écria-t", "elle", "s’écria-t-elle"),
        ("d’eau-de", "vie", "d’eau-de-vie"),
        ("accomplissons", "les", "accomplissons-les"),
        ("fail", "les", "failles"),
        ("mer", "veilleux", "merveilleux"),
        ("peut", "être", "peut-être"),
        ("dirai", "je", "dirai-je"),
        ("attendez", "moi", "attendez-moi"),
        ("rez", "de-chaussée", "rez-de-chaussée"),
        ("vas", "y", "vas-y"),
        ("celles", "ci", "celles-ci"),
        ("mer", "ci", "merci"),
        ("mi", "eau", "mi-eau"),
        ("mi", "nuit", "minuit"),
        ("tour", "née", "tournée"),
        ("vingt", "cinquième", "vingt-cinquième"),
    ],
)
def test_french_hyphens(before: str, after: str, joined: str) -> None:
    assert Hyphens([FRENCH], "fr").join(before, after, soft=True) == joined


def test_a_file_that_draws_its_own_hyphens_apart_is_believed() -> None:
    hyphens = Hyphens(["wonder garden sailor harbour"], "en")
    cuts = [("won", "der", True), ("gar", "den", True), ("sai", "lor", True), ("har", "bour", True)]
    hyphens.learn([*cuts, ("sea", "wolf", False), ("tide", "mark", False)], lines=60)
    assert hyphens.join("bar", "nacle", soft=False, own=True) == "barnacle"
    assert hyphens.join("moon", "sail", soft=False, own=False) == "moon-sail"


def test_a_book_that_cuts_no_words_keeps_every_hyphen() -> None:
    hyphens = Hyphens(["the moon rose"], "en")
    hyphens.learn([("tide", "mark", False)], lines=1000)
    assert hyphens.join("the won", "derful", soft=True) == "the won-derful"


def test_other_forms_of_a_word_in_the_book_tell_how_it_is_written() -> None:
    hyphens = Hyphens(["two wheel-barrows and a snowstorm"], "en")
    assert hyphens.join("wheel", "barrow", soft=True) == "wheel-barrow"
    assert hyphens.join("snow", "storms", soft=True) == "snowstorms"


def test_a_browser_that_hyphenates_nothing_keeps_its_few_compounds() -> None:
    hyphens = Hyphens(["the leopard skin"], "en")
    hyphens.learn([("leopard", "skin", True), ("grass", "grown", True)], lines=600)
    assert hyphens.join("a moss", "green", soft=True, own=True) == "a moss-green"


def test_one_letter_is_never_what_a_typesetter_leaves() -> None:
    assert Hyphens(["walking"], "en").join("went a", "walking", soft=True) == "went a-walking"
    assert Hyphens([], "en").join("an X", "ray", soft=False) == "an X-ray"


def test_sous_keeps_its_hyphen_but_in_the_few_words_that_have_grown_together() -> None:
    hyphens = Hyphens([], "fr")
    assert hyphens.join("le sous", "gardien", soft=False) == "le sous-gardien"
    assert hyphens.join("il faut sous", "crire", soft=False) == "il faut souscrire"
    assert hyphens.join("je sous", "signé", soft=False) == "je soussigné"


def test_compounds_of_today_are_one_word() -> None:
    hyphens = Hyphens(["a bag and a pipe"], "en")
    assert hyphens.join("the bag", "pipes", soft=True) == "the bagpipes"
    assert hyphens.join("the wish", "bone", soft=True) == "the wishbone"


@pytest.mark.parametrize(
    ("before", "after", "joined"),
    [
        ("half", "derisive", "half-derisive"),
        ("crescent", "shaped", "crescent-shaped"),
        ("neutral", "tinted", "neutral-tinted"),
        ("the bull’s", "eyes", "the bull’s-eyes"),
        ("O’Do", "herty", "O’Doherty"),
        ("ill-strung", "together", "ill-strung-together"),
        ("landscape-shal", "low", "landscape-shallow"),
        ("Nor", "wood", "Norwood"),
        ("like", "lihood", "likelihood"),
        ("half", "penny", "halfpenny"),
    ],
)
def test_compounds_that_the_book_has_nowhere_else(before: str, after: str, joined: str) -> None:
    assert Hyphens(["nor was the low wood there, all put together"], "en").join(before, after, soft=True) == joined


def test_a_book_that_writes_to_day_with_a_hyphen_writes_as_one_did_then() -> None:
    old, new = Hyphens(["until to-night"], "en"), Hyphens(["until tonight"], "en")
    assert old.join("and to", "morrow", soft=True) == "and to-morrow"
    assert new.join("and to", "morrow", soft=True) == "and tomorrow"
    assert old.join("the door", "bell", soft=True) == "the door-bell"
    assert new.join("the door", "bell", soft=True) == "the doorbell"
    assert old.join("to re", "enter", soft=True) == "to re-enter"
