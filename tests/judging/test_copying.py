from __future__ import annotations

import random

import pytest

from quire.judging.copying import TrainingText, judge_copying

WORDS = [f"word{number}" for number in range(4000)]
TRAINED = " ".join(WORDS[:3000])
HELD_OUT = " ".join(WORDS[3000:])


def novel(words: int, seed: int = 1) -> str:
    """Words of the book in an order of chance: no two stand together as in the book, but by accident."""
    return " ".join(random.Random(seed).sample(WORDS[:3000], words))


def planted(*lengths: int) -> str:
    """Runs of the training text of these lengths, apart from one another by words that are nowhere in it."""
    runs = [" ".join(WORDS[500 * number : 500 * number + length]) for number, length in enumerate(lengths)]
    return " xx ".join(["yy", *runs, "zz"])


@pytest.fixture(scope="module")
def training() -> TrainingText:
    return TrainingText([[(" ".join(WORDS[:1500]), "Chapter 1"), (" ".join(WORDS[1500:3000]), "Chapter 2")]])


def test_every_planted_copy_is_found_with_its_length_and_place(training: TrainingText) -> None:
    text = planted(5, 12, 21, 40)
    counted = training.count([text])
    assert [run.words for run in counted.runs] == [5, 12, 21, 40]
    assert [text[run.start : run.stop].split()[0] for run in counted.runs] == [
        "word0",
        "word500",
        "word1000",
        "word1500",
    ]
    assert [run.where for run in counted.runs] == ["Chapter 1", "Chapter 1", "Chapter 1", "Chapter 2"]
    assert counted.words == ((78, 78 + 7),)
    assert (counted.longest, counted.long_runs) == (40, 2)


def test_four_words_are_idiom_but_the_longest_run_is_still_told(training: TrainingText) -> None:
    counted = training.count([planted(4)])
    assert counted.runs == ()
    assert counted.words[0][0] == 0
    assert counted.longest == 4


def test_the_whole_book_is_a_total_copy(training: TrainingText) -> None:
    share = judge_copying(training, [TRAINED], [novel(300)], [HELD_OUT])[1]
    assert share.value == 1.0


def test_word_salad_copies_nothing(training: TrainingText) -> None:
    counted = training.count([novel(1000)])
    assert counted.words == ((0, 1000),)


def test_a_run_does_not_go_over_what_was_held_out_in_between() -> None:
    training = TrainingText([[("one two three four", "I")], [("five six seven eight", "II")]])
    assert training.count(["one two three four five six seven eight"]).longest == 4


def test_case_and_marks_make_no_difference() -> None:
    training = TrainingText([[("“Don’t go on,” she said. The river is gone!", "I")]])
    counted = training.count(["Well: don't go on — she said the RIVER is gone."])
    assert counted.longest == 9


def test_a_reciting_voice_is_told_so(training: TrainingText) -> None:
    longest, share, runs = judge_copying(training, [planted(30, 25), novel(200)], [novel(200, 2)], [HELD_OUT])
    assert longest.verdict.startswith("It recites: in 260 words, 2 runs of more than 20 words stand")
    assert longest.value == 30
    assert runs.value == 2
    assert runs.compared_with[0].value == 0
    assert 0 <= share.low <= share.value <= share.high
    assert [span["words"] for span in longest.details["spans"]] == [30, 25]


def test_a_voice_that_writes_for_itself_shows_no_sign_of_reciting(training: TrainingText) -> None:
    longest = judge_copying(training, [novel(300), planted(6)], [novel(200, 2)], [planted(7)])[0]
    assert longest.verdict == (
        "No sign of reciting: in 310 words, the longest run of words copied from the training text has 6 words "
        "(“word0 word1 word2 word3 word4 word5”); it is 1 in the base’s texts and 7 in 11 words of held-out text."
    )


def test_an_author_who_repeats_long_runs_is_the_measure(training: TrainingText) -> None:
    longest = judge_copying(training, [planted(25), novel(300)], [novel(50)], [planted(30)])[0]
    assert longest.verdict.startswith("No sign of reciting")


def test_without_held_out_text_the_base_is_the_measure(training: TrainingText) -> None:
    longest, share, _ = judge_copying(training, [planted(6)], [novel(50)], [""])
    assert [other.name for other in longest.compared_with] == ["base"]
    assert [other.name for other in share.compared_with] == ["base"]


def test_few_words_prove_nothing(training: TrainingText) -> None:
    longest = judge_copying(training, [novel(30)], [novel(30, 2)], [HELD_OUT])[0]
    assert longest.verdict.startswith("Only 30 words were written, too few to rule out reciting: the longest run")


def test_a_voice_that_wrote_nothing_gets_no_praise(training: TrainingText) -> None:
    longest, share, _ = judge_copying(training, ["", " "], [novel(50)], [HELD_OUT])
    assert longest.verdict == "The voice wrote nothing, so nothing can be said about copying."
    assert share.value is None


def test_long_runs_that_overlap_count_once() -> None:
    words = [f"w{number}" for number in range(40)]
    training = TrainingText([[(" ".join(words[:30]), "I")], [(" ".join(words[5:]), "II")]])
    counted = training.count([" ".join(words)])
    assert [run.words for run in counted.runs] == [30, 35]
    assert counted.long_runs == 1
    assert counted.words == ((40, 40),)
