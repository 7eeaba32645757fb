"""Languages by their small words, and by their names."""

from __future__ import annotations

import pytest

from quire.books.language import detect_language, language_code


@pytest.mark.parametrize(
    ("language", "text"),
    [
        (
            "en",
            "The ferry was late that morning, and it was not the first time, but nobody that I know had an idea.",
        ),
        (
            "fr",
            "Le meunier ne disait rien, et les enfants étaient à peine rentrés que la pluie se mit à tomber.",
        ),
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
