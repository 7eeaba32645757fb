from __future__ import annotations

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from courses import course
from quire.judging.chart import WIDTH, loss_chart, ticks, units_chart
from quire.judging.curve import Curve, curve_of
from quire.run.events import Event


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


def test_stages_lie_on_bands_with_their_names_and_no_line_joins_two_of_them() -> None:
    events = [*course(60, stage="wide"), *course(60, lambda done: 6 - done, stage="narrow", first=60)]
    svg = ET.fromstring(loss_chart(curve_of(events)))
    [band] = [rect for rect in svg.iter("rect") if rect.attrib["class"] == "band"]
    lines = [line.attrib["points"].split() for line in svg.iter("polyline") if line.attrib["class"] == "line train"]
    assert len(lines) == 2
    ends = [[float(pair.split(",")[0]) for pair in (line[0], line[-1])] for line in lines]
    left = float(band.attrib["x"])
    assert ends[0][1] <= left <= ends[1][0]
    assert {"wide", "narrow"} <= {text.text for text in svg.iter("text")}


def test_a_stage_too_short_for_its_name_has_it_shortened_or_none() -> None:
    events = [*course(500, stage="wide"), *course(4, stage="a-very-long-name", first=500)]
    texts = {text.text or "" for text in ET.fromstring(loss_chart(curve_of(events))).iter("text")}
    assert not any("very" in text for text in texts)


def test_warnings_are_numbered_flags_and_the_best_held_out_loss_has_a_ring() -> None:
    events = list(course(60, held_out=lambda done: 4 + (done - 0.5) ** 2))
    told = Event(0.0, "warning", "train", 0, 45, {"text": "the <loss> leapt"})
    svg = ET.fromstring(loss_chart(curve_of([*events, told])))
    [flag] = [path for path in svg.iter("path") if path.attrib["class"] == "mark"]
    assert flag[0].text == "step 45: the <loss> leapt"
    assert "1" in {text.text for text in svg.iter("text") if text.attrib["class"] == "mark"}
    [ring] = [circle for circle in svg.iter("circle") if circle.attrib["class"] == "best"]
    assert ring[0].text == "best held-out loss 4.000, at step 30"


def test_an_earlier_book_has_a_line_with_its_name() -> None:
    events = course(60, values=lambda number: {"watched": {"runs/first": 3.0 - number / 100}} if number <= 0 else {})
    svg = ET.fromstring(loss_chart(curve_of(events)))
    assert len([line for line in svg.iter("polyline") if line.attrib["class"] == "line watched"]) == 1
    assert any((text.text or "").startswith("runs/first 3.6") for text in svg.iter("text"))


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
