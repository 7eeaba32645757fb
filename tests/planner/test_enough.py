from __future__ import annotations

from dataclasses import replace

import pytest

from quire.planner.enough import enough, pages
from quire.planner.facts import TextFacts

TEXT = TextFacts(90_000, 120_000, 6_000, 12_000, (118,), (120_000,))


@pytest.mark.parametrize(
    ("words", "tokens", "grade"),
    [
        (2_000, 2_800, "little"),
        (14_000, 20_000, "some"),
        (34_000, 46_000, "some"),
        (90_000, 120_000, "good"),
        (600_000, 800_000, "plenty"),
    ],
)
def test_prose_is_graded_by_its_words_and_tokens(words: int, tokens: int, grade: str) -> None:
    assert enough(replace(TEXT, words=words, tokens_train=tokens)).grade == grade


@pytest.mark.parametrize(
    ("count", "grade", "said"),
    [
        (60, "little", "100 to 500 are the least"),
        (300, "some", "from 500 on it is noticeable"),
        (1_200, "good", "2,000 and more a strong one"),
        (5_000, "plenty", "a strong character"),
        (20_000, "plenty", "beyond 10,000"),
    ],
)
def test_conversations_are_graded_by_their_number(count: int, grade: str, said: str) -> None:
    found = enough(replace(TEXT, words=500, conversations=count))
    assert found.grade == grade
    assert said in found.text


def test_the_measure_is_named() -> None:
    assert "51,000 tokens" in enough(TEXT).text


def test_words_are_counted_in_printed_pages() -> None:
    assert pages(90_000) == "about 300 printed pages"
    assert pages(40) == "about one printed page"
