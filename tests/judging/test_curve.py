from __future__ import annotations

from quire.judging.curve import curve_of, smoothed
from quire.run.events import Event


def step(number: int, loss: float | None, part: int = 0, stage: str = "") -> Event:
    return Event(0.0, "step", stage, part, number, {"loss": loss, "learning_rate": 1e-4 * number})


def test_parts_follow_one_another() -> None:
    events = [
        Event(0.0, "validation", "", 0, 0, {"loss": 4.5}),
        step(1, 4.0),
        step(2, 3.0),
        Event(0.0, "validation", "", 0, 2, {"loss": 3.5}),
        Event(0.0, "validation", "", 1, 2, {"loss": 3.6}),
        step(3, 2.5, part=1),
        Event(0.0, "warning", "", 1, 3, {"text": "mind"}),
        step(4, 2.0, part=1),
        Event(0.0, "validation", "", 1, 4, {"loss": 3.0}),
    ]
    curve = curve_of(events)
    assert curve.loss == ((1, 4.0), (2, 3.0), (3, 2.5), (4, 2.0))
    assert curve.validation == ((0, 4.5), (2, 3.5), (2, 3.6), (4, 3.0))
    assert curve.learning_rate[0] == (1, 1e-4)
    assert curve.parts == ((0, "part 1"), (2, "part 2"))


def test_stages_are_named() -> None:
    curve = curve_of([step(1, 4.0, stage="broad"), step(2, 3.0, stage="narrow")])
    assert curve.parts == ((0, "broad"), (1, "narrow"))


def test_a_single_part_needs_no_name() -> None:
    assert curve_of([step(1, 4.0)]).parts == ()


def test_a_loss_that_is_no_number_is_left_out() -> None:
    assert curve_of([step(1, None), step(2, 3.0)]).loss == ((2, 3.0),)


def test_a_smoothed_straight_line_is_itself() -> None:
    points = [(x, 2.0 * x) for x in range(20)]
    assert smoothed(points, 5) == points
    assert smoothed([(0, 1.0), (1, 4.0), (2, 1.0)], 3)[1] == (1, 2.0)


def validation(step: int, loss: float, part: int = 0, stage: str = "", **others: float) -> Event:
    return Event(0.0, "validation", stage, part, step, {"loss": loss, "watched": dict(others)})


def test_stages_have_their_first_and_last_steps() -> None:
    events = [
        validation(0, 4.5, stage="wide"),
        step(1, 4.0, stage="wide"),
        step(2, 4.0, stage="wide"),
        validation(2, 3.9, stage="narrow"),
        step(3, 3.0, stage="narrow"),
        step(4, 3.0, part=1, stage="narrow"),
    ]
    assert curve_of(events).stages == ((0, 2, "wide"), (2, 4, "narrow"))
    assert curve_of(events[:3]).stages == ()


def test_the_best_held_out_loss_is_that_of_each_part() -> None:
    events = [
        validation(0, 4.5),
        validation(2, 3.5),
        validation(4, 3.6),
        validation(4, 4.0, part=1),
        validation(6, 4.1, part=1),
    ]
    assert curve_of(events).best == ((2, 3.5), (4, 4.0))


def test_what_was_told_on_the_way_is_kept_and_what_was_told_before_is_not() -> None:
    events = [
        Event(0.0, "warning", "", 0, 0, {"text": "the plan's"}),
        validation(0, 4.5),
        step(1, 4.0),
        Event(0.0, "warning", "", 0, 1, {"text": "the loss leapt"}),
    ]
    assert curve_of(events).warnings == ((1, "the loss leapt"),)


def test_earlier_books_and_steps_left_out() -> None:
    events = [
        validation(0, 4.5, first=3.0),
        Event(0.0, "skipped", "", 0, 1, {}),
        step(2, 4.0),
        validation(2, 4.4, first=3.1),
    ]
    curve = curve_of(events)
    assert curve.watched == (("first", ((0, 3.0), (2, 3.1))),)
    assert curve.left_out == (1,)
    assert curve.parts == ()
