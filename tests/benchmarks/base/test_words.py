"""What is a word, when it is known, and which words are the model's own."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from benchmarks.base.task import Task
from benchmarks.base.texts import Texts, keep
from benchmarks.base.words import Vocabulary, measure, shares, unknown, vocabulary_of, words_after, words_of

from madeworks import book_of, pieces_of, silence


def test_words_are_letters_with_apostrophes_and_hyphens_inside() -> None:
    assert words_of("L’homme, dit-il — « Où ? » 1848 don't 'tis Well-to-do- e\u0301te\u0301") == [
        *["l'homme", "dit-il", "où", "don't", "tis", "well-to-do", "été"],
    ]


def test_a_word_that_the_prompt_began_is_whole_and_one_that_was_cut_is_left_out() -> None:
    assert words_after("The ri", "ver was the") == ["river", "was"]
    assert words_after("The river", " was there.") == ["was", "there"]
    assert words_after("The river", ", and") == []
    assert words_after("The river", "") == []
    assert words_after("une e\u0301", "te\u0301 arriva ;") == ["été", "arriva"]


def vocabulary(**counts: int) -> Vocabulary:
    every = Counter(counts) + Counter({"l'eau": 1})
    return Vocabulary(every, {"river": 3}, frozenset({*counts, "l", "eau"}))


def test_shares_of_known_words() -> None:
    told = shares(vocabulary(river=4, door=1), [["river", "door"], ["river", "l'door", "rivver", "l'eau"]])
    assert (told["texts"], told["words"]) == (2, 6)
    assert told["known"][0] == pytest.approx(4 / 6, abs=1e-5)
    assert told["twice"][0] == pytest.approx(2 / 6, abs=1e-5)
    assert told["parts"][0] == pytest.approx(5 / 6, abs=1e-5)
    assert told["trained"][0] == pytest.approx(2 / 6, abs=1e-5)
    assert told["known"][1:] == [0.5, 1.0], "resampled by text"
    assert told["unknown"] == ["l'door", "rivver"]
    assert shares(vocabulary(river=4), [["river"], [], []])["known"] == [1.0, None, None], "of one text with words"
    assert shares(vocabulary(), [[], []])["known"] == [None, None, None]


def test_the_vocabulary_is_of_all_works_and_of_those_learned(kept: Texts) -> None:
    found = vocabulary_of(kept, silence)
    for work in kept.works:
        assert unknown(found, [words_of(kept.text(work))]) == []
    trained = Counter(word for work in kept.of("train") for word in words_of(kept.text(work)))
    assert found.trained == trained
    assert sum(found.every.values()) > trained.total()


def test_what_a_base_writes_is_measured(task: Task) -> None:
    told = measure(task)
    assert [(row["way"], row["language"]) for row in told["rows"]] == [
        *[("Quire's own", "en"), ("Quire's own", "fr"), ("temperature 0.8", "en"), ("temperature 0.8", "fr")],
        *[("people", "en"), ("people", "fr")],
    ]
    assert told["rows"][-1]["known"] in ([None, None, None], [1.0, 1.0, 1.0])


def test_a_name_of_a_held_out_work_is_known(tmp_path: object, task: Task) -> None:
    from pathlib import Path

    home = Path(str(tmp_path)) / "own"
    keep(home, "made", pieces_of([book_of(0, ["Ophelia sat."])], ["test"]), silence)
    found = vocabulary_of(replace(task, home=home).texts(), silence)
    assert found.every["ophelia"] == 1
    assert found.trained == {}
