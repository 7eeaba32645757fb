"""Live warnings: each trouble is named once with its remedy, and a healthy run hears nothing."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from courses import Curve, course, replaced, sinking, stage
from quire.planner.cautions import Warned
from quire.recipe.schema import Recipe, Stage
from quire.run.events import Event, forget
from quire.training.watching.alarms import Alarms

PLAIN = stage()


def heard(events: Iterable[Event], *stages: Stage) -> list[tuple[int, Warned]]:
    alarms = Alarms(stages or (PLAIN,))
    return [(event.step, warned) for event in events for warned in alarms.hear(event)]


def guides(events: Iterable[Event], *stages: Stage) -> list[str]:
    return [warned.guide for _, warned in heard(events, *stages)]


@settings(deadline=None, max_examples=40)
@given(
    seed=st.integers(0, 10**6),
    steps=st.integers(5, 400),
    spread=st.floats(0.0, 0.6),
    start=st.floats(2.0, 9.0),
    gain=st.floats(0.03, 0.6),
    pace=st.integers(1, 50),
)
def test_a_healthy_run_hears_nothing(
    seed: int, steps: int, spread: float, start: float, gain: float, pace: int
) -> None:
    """However noisy its steps: single rows scatter by half a nat."""
    events = course(steps, sinking(start, start * (1 - gain)), seed=seed, spread=spread, pace=pace)
    assert heard(events) == []


@settings(deadline=None, max_examples=25)
@given(seed=st.integers(0, 10**6), odd=st.sets(st.integers(20, 199), max_size=12))
def test_single_odd_rows_of_a_noisy_run_alarm_nobody(seed: int, odd: set[int]) -> None:
    """A table, a page in another language: two nats more, in steps of one row; never three of them in a row."""
    apart = {step for step in odd if not {step - 1, step - 2} & odd}
    events = replaced(
        course(200, seed=seed, spread=0.3),
        lambda e: {"loss": float(str(e.values["loss"])) + 2} if e.kind == "step" and e.step in apart else {},
    )
    assert heard(events) == []


def test_the_short_last_step_of_a_part_is_noisy_by_itself() -> None:
    events = replaced(course(), lambda e: {"loss": 5.5, "tokens": 12} if e.kind == "step" and e.step == 200 else {})
    assert heard(events) == []


def test_a_leap_is_told_once_with_its_step_and_a_smaller_learning_rate() -> None:
    events = replaced(course(), lambda e: {"loss": 4.9} if e.kind == "step" and 120 <= e.step < 126 else {})
    [(step, warned)] = heard(events)
    assert 120 <= step <= 123
    assert warned.guide == "loss-leaps"
    assert re.search(r"leapt from 3\.\d\d to 4\.90 at step 12\d", warned.text)
    assert "--set train.learning_rate=7e-05" in warned.remedy  # a third of 2e-4


def test_a_second_leap_long_after_the_first_is_news_again() -> None:
    events = replaced(
        course(400),
        lambda e: {"loss": 4.9} if e.kind == "step" and e.step in {*range(120, 126), *range(320, 326)} else {},
    )
    assert guides(events) == ["loss-leaps", "loss-leaps"]


def test_a_single_step_far_out_is_a_leap_where_its_gradient_leaps_too() -> None:
    def change(norm: float) -> list[str]:
        return guides(
            replaced(course(), lambda e: {"loss": 9.0, "grad_norm": norm} if e.kind == "step" and e.step == 150 else {})
        )

    assert change(12.0) == ["loss-leaps"]
    assert change(0.6) == []


@pytest.mark.parametrize("rate", [0.2, 2e-3])
def test_divergence_is_told_soon_in_the_warm_up_too(rate: float) -> None:
    def loss(done: float) -> float:
        return 4.2 if done < 0.02 else 7.5

    found = heard(course(200, loss), stage(learning_rate=rate))
    diverged = [(step, warned) for step, warned in found if "makes the model worse" in warned.text]
    assert len(diverged) == 1
    assert diverged[0][0] <= 12
    assert "train.learning_rate=0.001" in diverged[0][1].remedy or rate < 3e-3


def test_a_slow_rise_is_a_divergence_too() -> None:
    found = heard(course(300, lambda done: 4.2 - 1.2 * done if done < 0.4 else 3.7 + 2 * (done - 0.4)))
    assert [warned.guide for _, warned in found][:1] == ["loss-leaps"]
    assert "has risen from 3." in found[0][1].text


def test_overfitting_names_the_best_step_and_the_ways_out() -> None:
    def held_out(done: float) -> float:
        return 3.5 + 2 * (done - 0.3) ** 2

    events = list(course(200, lambda done: 4 - 2 * done, held_out, epochs=30))
    [(step, warned)] = heard(events, stage(epochs=30))
    assert warned.guide == "overfitting"
    assert "from 3.500 at step 60, its best" in warned.text
    for way in ("train.early_stop=2", "train.epochs=9", "train.goldfish=4"):
        assert way in warned.remedy
    assert step < 150
    assert heard(events, stage(epochs=30, early_stop=2)) == []  # the remedy is in place
    assert "goldfish" not in heard(events, stage(epochs=30, goldfish=4))[0][1].remedy


def test_a_held_out_loss_that_turns_up_a_little_at_the_end_is_no_alarm() -> None:
    assert heard(course(200, held_out=lambda done: 3.7 + 0.1 * (done - 0.8) ** 2)) == []


def test_overfitting_is_told_again_where_a_new_best_came_between() -> None:
    held = [3.9, 3.7, 3.5, 3.6, 3.7, 3.8, 3.4, 3.6, 3.7, 3.8, 3.9]
    events = course(200, lambda done: 4 - 2 * done, lambda done: held[round(10 * done)])
    assert guides(events) == ["overfitting", "overfitting"]


def test_a_frozen_learning_rate_is_noticed_after_a_third_of_the_part() -> None:
    events = course(100, lambda done: 4.0, lambda done: 4.1 - 1e-5 * done)
    found = heard(events, stage(learning_rate=1e-4))
    assert [(warned.guide, step) for step, warned in found] == [("nothing-changes", 30)]
    assert "train.learning_rate=0.0003" in found[0][1].remedy


def test_a_learning_rate_out_of_the_usual_is_told_where_the_plan_did_not() -> None:
    low = stage(learning_rate=1e-7)
    assert guides(course(20), low) == ["learning-rate"]
    said = Event(0.0, "warning", "train", values={"text": "…", "guide": "learning-rate"})
    assert guides([said, *course(20)], low) == []
    full = {"method": "full", "learning_rate": 1e-5}
    assert guides(course(20), stage(**full)) == []
    inherits = stage("second", **{**full, "learning_rate": 1e-5})  # as it is carried out
    assert guides(course(20, stage="second"), stage("first", **full), inherits) == []


def test_too_little_text_is_told_where_the_plan_did_not() -> None:
    decided = Event(0.0, "decided", "train", values={"words": {"trained": 812, "test": 90}})
    [(_, warned)] = heard([decided, *course(20)])
    assert (warned.guide, warned.text[:9]) == ("how-much-text", "812 words")
    said = Event(0.0, "warning", "train", values={"text": "…", "guide": "how-much-text"})
    assert heard([decided, said, *course(20)]) == []


def test_where_nothing_sinks_any_more_and_much_is_to_come_it_is_told() -> None:
    def flat(done: float) -> float:
        return 4 - 4 * min(done, 0.1)

    assert guides(course(400, flat), stage(schedule="constant")) == ["plateau"]
    assert guides(course(400, flat), stage(early_stop=3)) == []


def test_steps_left_out_are_told_once_and_going_back_always() -> None:
    events = list(course(200))

    def skipped(at: int, row: int) -> Event:
        return Event(0.0, "skipped", "train", 0, at, {"why": "its loss was not finite", "in_a_row": row})

    back = Event(0.0, "rollback", "train", 0, 80, {"to_step": 60, "why": "3 steps in a row were not finite"})
    place = next(i for i, event in enumerate(events) if event.step == 80)
    found = heard([*events[:place], skipped(78, 1), skipped(79, 2), skipped(80, 3), back, *events[place:]])
    assert [warned.text.split(",")[0] for _, warned in found] == [
        "step 78 was left out",
        "3 steps in a row were not finite: at step 80 it went back to the weights of step 60",
    ]
    assert {warned.guide for _, warned in found} == {"not-finite"}
    late = next(i for i, event in enumerate(events) if event.step == 150)
    again = [*events[:place], skipped(80, 1), *events[place:late], skipped(150, 1), *events[late:]]
    assert guides(again) == ["not-finite", "not-finite"]


def test_forgetting_names_the_step_from_which_the_loss_rises_for_good() -> None:
    """It rises, comes back, and then stays above where it began."""
    losses = {0: 3.0, 20: 3.1, 40: 2.95, 60: 3.0, 80: 3.1, 100: 3.2, 120: 3.25, 140: 3.3}
    values = {-step: {"watched": {"first book": loss}} for step, loss in losses.items()}
    events = course(200, stage="second", values=lambda number: values.get(number, {}))
    [(step, warned)] = heard(events, stage("second"))
    assert (step, warned.text.split(", ")[-1]) == (120, "for good from step 60 on")


def test_forgetting_an_earlier_book_is_told_by_its_name() -> None:
    watched = {-step: {"watched": {"first book": 3.0 + step / 400}} for step in range(0, 201, 20)}
    events = course(200, stage="second", values=lambda number: watched.get(number, {}))
    found = heard(events, stage("second"))
    [(_, warned)] = found
    assert "it forgets first book: its held-out loss has risen from 3.000 to 3.2" in warned.text
    assert warned.text.endswith("for good from step 0 on")
    assert warned.guide == "forgetting"
    assert "stages.second.replay=10%" in warned.remedy
    assert (
        "a larger train.replay"
        in heard(course(200, values=lambda number: watched.get(number, {})), stage(replay="10%"))[0][1].remedy
    )


def test_a_small_rise_of_an_earlier_book_is_borne() -> None:
    watched = {-step: {"watched": {"first": 3.0 + step / 2000}} for step in range(0, 201, 20)}
    assert heard(course(200, values=lambda number: watched.get(number, {}))) == []


@pytest.mark.parametrize(("factor", "said"), [(1e-5, "all but vanished"), (100.0, "has grown from 0.5")])
def test_gradients_that_vanish_or_explode(factor: float, said: str) -> None:
    found = heard(course(200, norm=lambda done: 0.5 * (factor if done > 0.5 else 1)))
    [(step, warned)] = found
    assert 100 < step < 112
    assert warned.guide == "gradients"
    assert said in warned.text


def test_memory_near_its_limit_and_a_collapse_of_speed() -> None:
    def values(number: int) -> dict[str, float]:
        slow = number > 120
        return {"memory_bytes": 7.8e9 if slow else 4e9, "tokens_per_second": 90.0 if slow else 400.0, "seconds": 10.0}

    events = list(course(200, values=lambda number: values(number) if number > 0 else {}))
    limit = Event(0.0, "part_start", "train", 0, 0, {"memory_limit_bytes": 8e9})
    found = heard([limit, *events[1:]])
    assert [warned.guide for _, warned in found] == ["out-of-memory", "too-long"]
    assert "90 tokens a second, where 400 were usual" in found[1][1].text
    assert "out-of-memory" not in guides(events)  # a limit that nobody knows is none
    loading = Event(0.0, "part_start", "train", 0, 0, {"memory_limit_bytes": 8e9, "memory_bytes": 7.9e9})
    assert "out-of-memory" not in guides([loading, *events[1:]])  # that peak is past, and fitted


def test_a_hiccup_of_speed_is_no_collapse() -> None:
    def values(number: int) -> dict[str, float]:
        return {"tokens_per_second": 20.0 if 120 < number < 126 else 400.0, "seconds": 10.0} if number > 0 else {}

    assert heard(course(200, values=values)) == []


def test_every_part_has_a_course_of_its_own_and_every_stage_its_own_warnings() -> None:
    hard = course(100, lambda done: 7 - done, part=1, first=100)
    assert heard([*course(100), *hard]) == []

    def bad(name: str, first: int) -> Iterable[Event]:
        return course(100, lambda done: 4 if done < 0.1 else 8, stage=name, first=first)

    found = heard([*bad("wide", 0), *bad("narrow", 100)], stage("wide"), stage("narrow"))
    assert [re.search(r"stages\.(\w+)", warned.remedy)[1] for _, warned in found] == ["wide", "narrow"]  # type: ignore[index]


TROUBLES: dict[str, tuple[Curve, Curve]] = {
    "overfitting": (lambda done: 4 - 2 * done, lambda done: 3.5 + 2 * (done - 0.3) ** 2),
    "divergence": (lambda done: 4 - 2 * done if done < 0.6 else 8, lambda done: 4 - done if done < 0.6 else 8),
    "frozen": (lambda done: 4.0, lambda done: 4.1),
    "leap": (lambda done: 5.5 if 0.5 < done < 0.55 else 4 - done, lambda done: 4 - done),
}


def with_steps_left_out(events: list[Event], seed: int) -> list[Event]:
    """Three of them in a row somewhere, and going back without counting anew, as the loop does."""
    at = 21 + seed * 7 % 150
    bad = {
        step: Event(0.0, "skipped", "train", 0, step, {"why": "its loss was not finite", "in_a_row": step - at + 1})
        for step in range(at, at + 3)
    }
    made: list[Event] = []
    for event in events:
        made.append(bad.get(event.step, event) if event.kind == "step" else event)
        if event.kind == "step" and event.step == at + 2:
            made.append(Event(0.0, "rollback", "train", 0, at + 2, {"to_step": at // 20 * 20, "why": "3 in a row"}))
    return made


@settings(deadline=None, max_examples=25)
@given(
    trouble=st.sampled_from(sorted(TROUBLES)),
    kills=st.lists(st.tuples(st.integers(1, 320), st.booleans()), min_size=1, max_size=4),
    seed=st.integers(0, 99),
)
def test_a_resumed_run_says_what_an_uninterrupted_one_says(
    trouble: str, kills: list[tuple[int, bool]], seed: int
) -> None:
    """Killed between any two lines, even between a cause and its warning; with the checkpoint's event or without."""
    events = with_steps_left_out(list(course(200, *TROUBLES[trouble], seed=seed)), seed)

    def told(log: list[Event]) -> list[tuple[int, object]]:
        return [(event.step, event.values["text"]) for event in forget(log) if event.kind == "warning"]

    def go_on(log: list[Event], alarms: Alarms, rest: list[Event], most: int | None) -> None:
        for event in rest:
            log.append(event)
            for warned in alarms.hear(event):
                log.append(Event(0.0, "warning", event.stage, event.part, event.step, {"text": warned.text}))
                alarms.hear(log[-1])
            if most is not None and len(log) >= most:
                del log[most:]
                return

    whole: list[Event] = []
    go_on(whole, Alarms([PLAIN]), events, None)
    log: list[Event] = []
    go_on(log, Alarms([PLAIN]), events, kills[0][0])
    for (_, lost), (more, _) in zip(kills, [*kills[1:], (10**6, False)], strict=True):
        saved = [event for event in log if event.kind == "checkpoint"]
        if not saved:
            log, rest = [], events
            alarms = Alarms([PLAIN])
        else:
            at = max(saved, key=lambda event: event.step)
            if lost and log[-1] is at:
                log.pop()  # the checkpoint stands, its event was not written
            log.append(Event(0.0, "resume", "train", 0, at.step, {"checkpoint": "x", "validated": True}))
            rest = events[events.index(at) + 1 :]
            alarms = Alarms([PLAIN])
            for warned in alarms.catch_up(forget(log)):
                log.append(Event(0.0, "warning", "train", 0, at.step, {"text": warned.text}))
        go_on(log, alarms, rest, len(log) + more if more < 10**6 else None)
    assert told(log) == told(whole)


def test_the_curriculum_of_a_plain_recipe_is_addressed_by_train() -> None:
    recipe = Recipe.model_validate({"shelf": ["sample:tale"], "train": {"learning_rate": 1.0}})
    alarms = Alarms(recipe.curriculum)
    [warned] = alarms.hear(Event(0.0, "part_start", "train"))
    assert "--set train.learning_rate=" in warned.remedy


def test_events_of_stages_that_it_does_not_know_are_let_pass() -> None:
    assert heard(course(50, stage="of another recipe")) == []
    assert heard([Event(0.0, "judging"), Event(0.0, "step", "train", 0, 1, {"loss": None})]) == []


def test_a_loss_that_leapt_and_comes_down_slowly_is_not_taken_for_overfitting() -> None:
    """As a learning rate a hundred times too high has it: up to 9 in a few steps, then down, never to where it was."""

    def loss(done: float) -> float:
        return 4.8 + 60 * done if done < 0.07 else 6.2 + 3 * (1 - done) ** 4

    found = heard(course(180, loss, lambda done: 4.76 if done == 0 else loss(done) + 0.2))
    assert [warned.guide for _, warned in found] == ["loss-leaps"]
