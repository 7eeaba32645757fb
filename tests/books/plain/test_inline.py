"""Marks within a line of Markdown."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.books.plain.inline import inline, take_aside


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a *ferry* and **two *long* oars** and ***three***", "a ferry and two long oars and three"),
        ("_one_ __two__ snake_case_word and _a snake_case_", "one two snake_case_word and a snake_case"),
        ("2 * 3 * 4 and a*b", "2 * 3 * 4 and a*b"),
        ("[the pier](http://x.example/a_(b)) [here][1] ![a boat](b.png)", "the pier here "),
        ("[![alt](a.png)](http://x.example)", ""),
        ("[[Page|the page]] and [[Pier]]", "the page and Pier"),
        ("[small]{.smallcaps} caps", "small caps"),
        ("<https://x.example> and 3 < 4 > 2", "https://x.example and 3 < 4 > 2"),
        ('<span class="x">one</span><br/>two <ruby>base<rt>kana</rt></ruby>', "one\ntwo base"),
        ("she said <nothing> then", "she said <nothing> then"),
        ("&amp; &eacute; &#8212; &nosuch; \\*no\\*", "& é — &nosuch; *no*"),
        ("~~gone~~ `code`", "gone code"),
        ("{++new++} {~~old~>newer~~} {==marked==}", "new newer marked"),
        ("{{< figure src=x >}}after {% raw %}", "after "),
        ("said[^1] she[^long-note]", "said she"),
    ],
)
def test_marks_go_and_words_stay(written: str, read: str) -> None:
    assert inline(written) == read


def test_notes_in_the_line_and_changes_stand_aside() -> None:
    text, notes, gone = take_aside("One^[A note [with] brackets.] two{-- struck--}{>>too long?<<} three")
    assert (text, notes, gone) == ("One two three", ["A note [with] brackets."], [" struck", "too long?"])
    assert take_aside("2^[") == ("2^[", [], [])


@pytest.mark.parametrize(
    "sign",
    ["[a](", "[", "*a **b ", "_a __b ", "<i ", "`", "~~a", "{--", "^[", "![", "[[", "{++", "{~~", "&", "\\", "<rt>"],
)
def test_signs_that_are_never_closed_cost_no_more_than_their_length(sign: str) -> None:
    text = sign * 20_000
    start = time.process_time()
    inline(take_aside(text)[0])
    assert time.process_time() - start < 4


@given(st.text(alphabet=st.characters(blacklist_characters="*_[]`<\\~&!{^")))
def test_text_without_marks_is_left_alone(text: str) -> None:
    assert inline(text) == text
