"""Hyphens, cleaning, language, headings: the small judgements about words."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.books.cleaning import Cleaner, repair_mojibake
from quire.books.headings import in_order, recognise
from quire.books.hyphens import Hyphens
from quire.books.language import detect_language, language_code

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
    ],
)
def test_french_hyphens(before: str, after: str, joined: str) -> None:
    assert Hyphens([FRENCH], "fr").join(before, after, soft=True) == joined


@given(st.text(max_size=60))
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once = Cleaner().clean(text)
    assert Cleaner().clean(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert not any(unicodedata.category(char) == "Cc" and char != "\n" for char in once)


def test_no_break_spaces_and_joiners_of_other_scripts_stay() -> None:
    assert Cleaner().clean("Où\u202f? « Ici\u00a0»") == "Où\u202f? « Ici\u00a0»"
    assert Cleaner().clean("می\u200cخواهم") == "می\u200cخواهم"
    assert Cleaner().clean("soft\u00adhyphen zero\u200bwidth") == "softhyphen zerowidth"


def test_mojibake_is_left_alone_when_it_may_be_meant() -> None:
    assert repair_mojibake("Ã© is what é becomes; à, è and ù too.") == ("Ã© is what é becomes; à, è and ù too.", 0)
    meant = "déjà l’été, là où l’on s’ennuie"
    assert repair_mojibake(meant.encode("utf-8").decode("cp1252")) == (meant, 9)


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "It was the best of times, it was the worst of times, and nobody that I know had any idea of it."),
        ("fr", "Longtemps, je me suis couché de bonne heure, et les bougies étaient à peine éteintes que je dormais."),
        (
            "de",
            (
                "Als Gregor Samsa eines Morgens aus unruhigen Träumen "
                "erwachte, fand er sich in seinem Bett und es war nicht gut."
            ),
        ),
        (
            "es",
            (
                "En un lugar de la Mancha, de cuyo nombre no quiero acordarme, "
                "no ha mucho tiempo que vivía un hidalgo de los de lanza."
            ),
        ),
        (
            "it",
            (
                "Nel mezzo del cammin di nostra vita mi ritrovai per una "
                "selva oscura, che la diritta via era smarrita e non so come."
            ),
        ),
        (
            "pt",
            (
                "Não sei se a história que vou contar é verdadeira, mas "
                "o homem que ma contou era um velho do mar e não mentia."
            ),
        ),
        (
            "la",
            (
                "Gallia est omnis divisa in partes tres, quarum unam incolunt "
                "Belgae, aliam Aquitani, et ii qui ipsorum lingua non sunt."
            ),
        ),
        (
            "nl",
            (
                "Het was een koude dag in het begin van de winter en er was "
                "niemand op de straat die naar het huis van de oude man ging."
            ),
        ),
    ],
)
def test_languages(language: str, text: str) -> None:
    assert detect_language(text) == language


def test_too_little_text_has_no_language() -> None:
    assert detect_language("Zap! Boom!") == ""
    assert [language_code(name) for name in ("French", "fr-CA", "eng", "Klingon!")] == ["fr", "fr", "en", ""]


@pytest.mark.parametrize(
    "text",
    [
        "CHAPTER XLII",
        "Chapitre premier",
        "LIVRE II",
        "Première partie",
        "Letter IV",
        "PROLOGUE",
        "Book the Second",
        "Kapitel 3",
        "Chapter 12: The Sea",
    ],
)
def test_headings_are_recognised(text: str) -> None:
    assert recognise(text) is not None


@pytest.mark.parametrize(
    "text",
    [
        "Part of me agreed.",
        "I am here.",
        "Book early to avoid disappointment",
        "Chapter and verse.",
        "livre ouvert",
        "Act now, think later.",
    ],
)
def test_sentences_are_no_headings(text: str) -> None:
    assert recognise(text) is None


def test_bare_numbers_count_only_in_order() -> None:
    assert in_order([1, 2, 3, 212, 1, 2]) == [True, True, True, False, True, True]
    assert in_order([17, 18, 19]) == [False, False, False]
