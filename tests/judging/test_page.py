"""The parts of a report's page: figures, marks, paragraphs.  The page as a whole is looked at in test_report.py."""

from __future__ import annotations

import pytest

from quire.judging.curve import Curve
from quire.judging.page import as_html, marked, page_of, show_change, show_figure, show_value

SAMPLE = "one two three four five six"


def finding(spans: list[dict[str, object]]) -> dict[str, object]:
    return {
        "question": "copying",
        "name": "longest copied span",
        "value": 4.0,
        "unit": "words",
        "low": None,
        "high": None,
        "compared_with": [{"name": "base", "value": 2.0, "low": None, "high": None}],
        "verdict": "It copies a little.",
        "details": {"spans": spans},
    }


def report(spans: list[dict[str, object]], sample: str = SAMPLE) -> dict[str, object]:
    samples = [{"prompt": "Once", "seed": 7, "base": "b", "voice": sample, "human": ""}]
    facts = {
        "run": "ferry", "title": "The Ferry", "author": "", "base": "embedded", "method": "LoRA", "language": "en",
        "words": {"trained": 900, "test": 100}, "tokens": {"trained": 1200, "test": 130}, "dropped": [], "made": [],
        "settings": {},
    }  # fmt: skip
    curve = {"loss": [], "learning_rate": [], "validation": [], "parts": []}
    return {
        "findings": [finding(spans)], "verdicts": ["It copies a little."], "samples": samples, "facts": facts,
        "curve": curve,
    }  # fmt: skip


def span(start: int, stop: int, words: int) -> dict[str, object]:
    return {"sample": 0, "start": start, "stop": stop, "words": words, "where": "Chapter 1"}


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "–"),
        (True, "yes"),
        (False, "no"),
        (2e-4, "0.0002"),
        (3.0, "3"),
        ([], "–"),
        (["a", 1], "a, 1"),
        ("x", "x"),
    ],
)
def test_settings_are_shown_as_people_write_them(value: object, shown: str) -> None:
    assert show_value(value) == shown


@pytest.mark.parametrize(
    ("value", "unit", "shown"),
    [
        (None, "", "–"),
        (0.1234, "share", "12.3 %"),
        (1234.0, "words", "1,234"),
        (1.23456, "", "1.235"),
        (20.56, "", "20.6"),
    ],
)
def test_figures_have_the_digits_that_they_deserve(value: float | None, unit: str, shown: str) -> None:
    assert show_figure(value, unit) == shown


def test_a_change_has_its_sign() -> None:
    assert show_change(-0.0559) == "−5.6 %"
    assert show_change(0.02) == "+2.0 %"


def test_text_becomes_paragraphs_with_its_lines_and_without_its_tags() -> None:
    assert as_html("a <b>\nc\n\nd\x1b[31m") == "<p>a &lt;b&gt;<br>c</p><p>d[31m</p>"


def test_several_marks_stand_in_one_paragraph() -> None:
    assert marked("one two three", [(0, 3), (8, 13)]) == "<p><mark>one</mark> two <mark>three</mark></p>"


def test_overlapping_copies_are_one_mark_in_the_sample() -> None:
    page = page_of(report([span(4, 13, 2), span(8, 18, 2)]))
    assert "one <mark>two three four</mark> five six" in page


def test_a_long_sample_is_shown_around_the_copy_only() -> None:
    words = [f"w{n}" for n in range(60)]
    text = " ".join(words)
    start = text.index("w30")
    page = page_of(report([span(start, start + 3, 1)], text))
    assert "… w12 w13" in page
    assert "w48 …" in page


def test_the_account_adds_up() -> None:
    page = page_of(report([]))
    assert "<tr><td>read</td><td>1,000</td><td>1,330</td></tr>" in page


def test_the_curve_of_a_report_is_one_that_can_be_read_back() -> None:
    data = report([])
    assert Curve(**data["curve"]) == Curve([], [], [], [])
