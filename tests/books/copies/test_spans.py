"""Copied runs of words, against a search that tries everything."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from quire.books.copies.spans import START, Span, SpanIndex, normalise_words, word_places

WORDS = st.lists(st.sampled_from("abc"), max_size=30)


def stands_in(run: list[str], works: list[list[str]]) -> bool:
    return any(work[i : i + len(run)] == run for work in works for i in range(len(work) - len(run) + 1))


@given(st.lists(WORDS, min_size=1, max_size=3), WORDS)
def test_the_longest_match_is_the_longest_there_is(works: list[list[str]], text: list[str]) -> None:
    start, length = SpanIndex(works).longest_match(text)
    assert stands_in(text[start : start + length], works)
    assert not any(stands_in(text[i : i + length + 1], works) for i in range(len(text) - length))


@given(st.lists(WORDS, min_size=1, max_size=3), WORDS, st.integers(1, 4))
def test_spans_are_maximal_and_complete(works: list[list[str]], text: list[str], minimum: int) -> None:
    joined: list[str] = works[0].copy()
    for work in works[1:]:
        joined += ["|", *work]
    expected = {
        (i, n)
        for i in range(len(text))
        for n in range(minimum, len(text) - i + 1)
        if stands_in(text[i : i + n], works)
        and not (i and stands_in(text[i - 1 : i + n], works))
        and not (i + n < len(text) and stands_in(text[i : i + n + 1], works))
    }
    spans = SpanIndex(works).matches(text, minimum)
    assert {(span.start, span.length) for span in spans} == expected
    for span in spans:
        assert joined[span.source : span.source + span.length] == text[span.start : span.start + span.length]


def test_a_guard_steps_word_by_word() -> None:
    index = SpanIndex([normalise_words("It was the first of boats, it was the last of boats.")])
    state = START
    lengths = []
    for word in normalise_words("it was the LAST of days"):
        state = index.step(state, word)
        lengths.append(state.length)
    assert lengths == [1, 2, 3, 4, 5, 0]


def test_token_ids_are_units_as_good_as_words() -> None:
    assert SpanIndex([[1, 2, 3, 4]]).matches([9, 2, 3, 9], 2) == [Span(1, 2, 1)]


def test_case_and_punctuation_do_not_count() -> None:
    assert normalise_words("“L’Été, dit-il… ÉTAIT long!”") == ["l'été", "dit", "il", "était", "long"]
    text = "So: the END."
    assert [(word, text[a:b]) for word, a, b in word_places(text)] == [("so", "So"), ("the", "the"), ("end", "END")]
