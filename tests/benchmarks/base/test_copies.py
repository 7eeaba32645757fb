"""The search by hashes finds the same runs as one automaton of all the text."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
from benchmarks.base.copies import GRAM, LONG, counted, hashes_of, measure, met, stretches_near
from benchmarks.base.task import Task
from benchmarks.base.texts import keep

from corpora import words_of
from madeworks import book_of, pieces_of, silence
from quire.books.copies.spans import SpanIndex, normalise_words

SOME = words_of(9, 12)  # so few words that runs of four come again by chance


def text_of(seed: int, words: int) -> str:
    return " ".join(random.Random(seed).choices(SOME, k=words))


def test_longest_runs_are_those_of_a_whole_index(tmp_path: Path) -> None:
    works = [text_of(seed, 300) for seed in range(6)]
    texts = keep(tmp_path, "made", pieces_of([book_of(n, [w]) for n, w in enumerate(works)], ["train"] * 6), silence)
    taken = works[3].split()[100:117]
    written = [text_of(seed, 60) for seed in range(90, 96)] + [f"{text_of(1, 0)} ah {' '.join(taken).upper()} oh"]
    near = stretches_near(texts, written)
    whole = SpanIndex([normalise_words(texts.text(work)) for work in texts.works])
    for text in written:
        longest = whole.longest_match(normalise_words(text))[1]
        assert counted(near, [text])["longest"] == max(longest, GRAM - 1)
    last = counted(near, written[-1:])
    assert last["longest"] == 17
    assert last["longest_runs"][0] == {"words": 17, "text": " ".join(taken).upper(), "work": "Author 3, Work 3 (1850)"}
    assert last["long_share"] == 1.0
    assert counted(near, [written[0], written[-1]])["long_share"] == 0.5
    assert LONG == 12


def test_only_training_text_counts(tmp_path: Path) -> None:
    work = text_of(3, 100)
    texts = keep(tmp_path, "made", pieces_of([book_of(0, [work])], ["test"]), silence)
    assert counted(stretches_near(texts, [work]), [work])["longest"] == GRAM - 1


def test_stretches_end_where_nothing_is_met() -> None:
    wanted = np.unique(hashes_of("one two three four five".split()))
    text = "Zero; one two, three four! nine ten. One Two Three Four Five six"
    assert list(met(text, wanted)) == ["one two three four", "one two three four five"]
    assert list(met("one two", wanted)) == []
    assert list(met(text, np.zeros(0, np.uint64))) == []


def test_what_a_base_writes_is_measured_beside_people(task: Task) -> None:
    told = measure(task)
    assert [row["way"] for row in told["rows"]] == [
        way for way in ("temperature 0.8", "Quire's own", "greedy", "people") for _ in ("en", "fr")
    ]
    assert all(row["texts"] == 2 for row in told["rows"])
