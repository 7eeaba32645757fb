from __future__ import annotations

from typing import Any

import pytest

from quire.recipe.schema import Stage
from quire.run.events import Event
from quire.verbs.searching.outcome import outcome_of


def happened(*told: tuple[str, int, int, dict[str, Any]], stage: str = "last") -> list[Event]:
    return [Event(0.0, kind, stage, part, step, values) for kind, part, step, values in told]


def losses(*values: float, part: int = 0, begun: int = 0) -> list[Event]:
    """A part of ten steps with validations evenly spread."""
    pace = 10 // (len(values) - 1)
    told: list[tuple[str, int, int, dict[str, Any]]] = [("part_start", part, begun, {"steps": 10})]
    for number, loss in enumerate(values):
        if number:
            step = begun + number * pace
            told.append(("step", part, step, {"tokens": 100, "seconds": 0.5, "loss": 9.0}))
        told.append(("validation", part, begun + number * pace, {"loss": loss}))
    return happened(*told)


def test_the_loss_is_that_of_the_weights_that_the_voice_holds() -> None:
    events = losses(5.0, 3.0, 4.0)
    assert outcome_of(events, Stage(name="last")).loss == 4.0
    assert outcome_of(events, Stage(name="last", early_stop=2)).loss == 3.0


def test_each_part_has_held_out_text_of_its_own() -> None:
    events = losses(5.0, 4.0) + losses(6.0, 2.0, part=1, begun=10)
    found = outcome_of(events, Stage(name="last", parts=2))
    assert found.loss == 3.0
    tenths = dict(found.curve)
    assert [tenths[n] for n in (0, 5, 10)] == [5.0, 4.0, 2.0]
    assert tenths[6] == pytest.approx(5.2), "from where the second part began"


def test_the_curve_goes_by_tenths_of_the_training() -> None:
    found = outcome_of(losses(5.0, 4.5, 4.0, 3.5, 3.0, 2.5), Stage(name="last"))
    assert [tenth for tenth, _ in found.curve] == list(range(11))
    assert [loss for _, loss in found.curve] == pytest.approx([5.0 - tenth / 4 for tenth in range(11)])
    assert (found.steps, found.tokens, found.seconds) == (10, 500, 2.5)


def test_trials_of_any_length_can_be_compared_tenth_by_tenth() -> None:
    """Seven steps validate at 1/7, 2/7, …: none of these is a tenth.  On a straight line each tenth is on it."""
    told: list[tuple[str, int, int, dict[str, Any]]] = [("part_start", 0, 0, {"steps": 7})]
    told += [("validation", 0, step, {"loss": 7.0 - step}) for step in range(8)]
    for reached in range(1, 9):
        curve = outcome_of(happened(*told[: reached + 1]), Stage(name="last")).curve
        assert [tenth for tenth, _ in curve] == list(range(10 * (reached - 1) // 7 + 1)), "no tenth is left out"
        assert [loss for _, loss in curve] == pytest.approx([7.0 - 0.7 * tenth for tenth, _ in curve])


def test_other_stages_count_by_their_steps_alone() -> None:
    before = happened(("step", 0, 3, {"tokens": 7, "seconds": 1.0}), ("validation", 0, 3, {"loss": 1.0}), stage="first")
    found = outcome_of([*before, *losses(5.0, 4.0, begun=3)], Stage(name="last"))
    assert found.loss == 4.0
    assert (found.steps, found.tokens) == (13, 107)


@pytest.mark.parametrize("events", [[], happened(("validation", 0, 0, {"loss": None}))])
def test_without_a_validation_there_is_no_loss(events: list[Event]) -> None:
    found = outcome_of(events, Stage(name="last"))
    assert found.loss is None
    assert found.curve == ()
