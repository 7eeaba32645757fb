from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.judging.chart import WIDTH, loss_chart, ticks, units_chart
from quire.judging.curve import Curve


def curve(steps: int, parts: tuple[tuple[int, str], ...] = ()) -> Curve:
    loss = tuple((i, 4 - i / steps) for i in range(1, steps + 1))
    rate = tuple((i, 1e-4) for i in range(1, steps + 1))
    return Curve(loss, rate, loss[9::10], parts)


def polylines(svg: str) -> dict[str, list[tuple[float, float]]]:
    lines = {}
    for line in ET.fromstring(svg).iter("polyline"):
        pairs = (pair.split(",") for pair in line.attrib["points"].split())
        lines[line.attrib["class"]] = [(float(x), float(y)) for x, y in pairs]
    return lines


@pytest.mark.parametrize("steps", [1, 2, 37, 5000])
def test_a_falling_loss_is_drawn_falling_and_inside_the_picture(steps: int) -> None:
    lines = polylines(loss_chart(curve(steps)))
    train = lines["line train"]
    assert 1 <= len(train) <= 500
    assert all(0 <= x <= WIDTH and 0 <= y <= 400 for line in lines.values() for x, y in line)
    assert [y for _, y in train] == sorted(y for _, y in train), "y grows downwards"
    assert ("line valid" in lines) == (steps >= 20)


def test_names_are_escaped() -> None:
    svg = loss_chart(curve(20, ((0, "<b>"), (10, "a & b"))))
    assert "&lt;b&gt;" in svg
    assert [text.text for text in ET.fromstring(svg).iter("text")].count("a & b") == 1


def test_without_steps_there_is_no_picture() -> None:
    assert loss_chart(Curve((), (), (), ())) == ""
    assert units_chart([]) == ""


def test_a_better_chapter_has_its_voice_to_the_left_of_its_base() -> None:
    svg = units_chart([("One", 1.7, 1.5), ("Two", 1.4, 1.6)])
    dots = [(dot.attrib["class"], float(dot.attrib["cx"])) for dot in ET.fromstring(svg).iter("circle")]
    (_, base1), (_, voice1), (_, base2), (_, voice2) = dots
    assert voice1 < base1
    assert voice2 > base2


@settings(max_examples=100, deadline=None)
@given(st.floats(-1e6, 1e6), st.floats(1e-6, 1e6), st.integers(2, 9))
def test_ticks_lie_inside_and_are_evenly_spread(low: float, width: float, most: int) -> None:
    found = ticks(low, low + width, most)
    assert len(found) <= most + 1
    assert all(low - width * 1e-6 - 1e-6 <= tick <= low + width * (1 + 1e-6) + 1e-6 for tick in found)


def test_ticks_are_round() -> None:
    assert ticks(0, 240, 6) == [0, 50, 100, 150, 200]
    assert ticks(1.47, 1.73, 6) == [1.5, 1.55, 1.6, 1.65, 1.7]
