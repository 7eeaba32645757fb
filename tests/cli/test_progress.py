"""What one sees while a run is trained."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from quire.cli.progress import Display, bar_on, line_of, watching
from quire.run.events import JSON, Event


def event(kind: str, step: int = 0, **values: JSON) -> Event:
    return Event(0.0, kind, "", 0, step, values)


def shown(*events: Event, terminal: bool = False) -> str:
    console = Console(file=io.StringIO(), force_terminal=terminal, width=140, highlight=False, color_system=None)
    with watching(console) as display:
        for one in events:
            display(one)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


STEP = event("step", 5, loss=3.25, part_step=5, part_steps=5, tokens_per_second=612.4, memory_bytes=2**30)


def test_without_a_terminal_the_last_step_is_a_plain_line_with_its_figures() -> None:
    assert shown(STEP) == "step 5/5  loss 3.25  612 tok/s  1.0 GiB\n"


def test_without_a_terminal_not_every_step_is_told() -> None:
    steps = [event("step", n, loss=3.0, part_step=n, part_steps=100) for n in range(1, 101)]
    assert len(shown(*steps).splitlines()) <= 3


def test_on_a_terminal_a_bar_counts_the_steps() -> None:
    first = event("step", 1, loss=3.5, part_step=1, part_steps=5)
    assert "1/5" in shown(first, terminal=True)


def test_the_held_out_loss_is_told_and_then_stays_among_the_figures() -> None:
    text = shown(event("validation", 4, loss=3.5, best_loss=3.5), STEP)
    assert "step 4: held-out loss 3.5000 (best so far)" in text
    assert "held out 3.50" in text


def test_a_sample_is_shown_with_its_prompt() -> None:
    assert "The door opened." in shown(event("sample", 9, prompt="The door", text=" opened."))


def test_a_warning_says_what_to_try() -> None:
    text = shown(event("warning", 3, text="the loss rose", remedy="a smaller train.learning_rate"))
    assert text == "! the loss rose\n  try: a smaller train.learning_rate\n"


@pytest.mark.parametrize("kind", ["sample", "warning", "decided"])
def test_square_brackets_in_a_book_are_no_marks_of_style(kind: str) -> None:
    text = shown(event(kind, prompt="[bold]", text="[/red] [x]"))
    assert "[x]" in text


def test_events_that_the_bar_shows_have_no_line() -> None:
    assert line_of(STEP) is None
    assert line_of(event("checkpoint", path="0000005")) is None


def test_an_event_of_an_unknown_kind_is_let_pass() -> None:
    assert shown(event("from-a-newer-quire")) == ""


INHERITED = Event(
    0.0, "inherited", "narrative-arc", 0, 100,
    {
        "stages": 3, "number": 2, "method": "qlora",
        "from": "acculturate: its weights, under a new adapter",
        "overrides": {"window": "512 → 2048", "samples": "1000000 → 250000"},
    },
)  # fmt: skip


def test_a_stage_says_its_number_what_it_goes_on_from_and_what_it_does_otherwise() -> None:
    assert shown(INHERITED).splitlines() == [
        "stage 2 of 3: narrative-arc (qlora)",
        "goes on from acculturate: its weights, under a new adapter",
        "otherwise than before: window 512 → 2048, samples 1000000 → 250000",
    ]


def test_a_voice_that_goes_on_from_an_earlier_one_has_no_stages_to_count() -> None:
    only = Event(0.0, "inherited", "train", values={"stages": 1, "number": 1, "from": "runs/first: its adapter"})
    assert shown(only) == "goes on from runs/first: its adapter\n"


@pytest.mark.parametrize(
    ("width", "figures"),
    [
        (140, "narrative-arc 2/3  part 4/10  loss 3.50  held out 3.40  1 left out  412 tok/s  11.0 GiB"),
        (80, "stage 2/3  part 4/10  loss 3.50  held out 3.40"),
        (50, "stage 2/3"),
    ],
)
def test_the_bar_shows_as_many_figures_as_there_is_room_for_and_the_most_telling_first(
    width: int, figures: str
) -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=width, color_system=None)
    bar = bar_on(console)
    display = Display(console, bar)
    for one in (
        INHERITED,
        Event(0.0, "part_start", "narrative-arc", 3, 100, {"parts": 10}),
        Event(0.0, "validation", "narrative-arc", 3, 100, {"loss": 3.4}),
        Event(0.0, "skipped", "narrative-arc", 3, 101, {"why": "its loss was not finite", "in_a_row": 1}),
        Event(0.0, "step", "narrative-arc", 3, 102, {"loss": 3.5, "part_step": 2, "part_steps": 12500,
              "tokens_per_second": 412.0, "memory_bytes": 11 * 2**30}),
    ):  # fmt: skip
        display(one)
    assert bar.tasks[0].description == figures
    console.print(bar.get_renderable())
    assert isinstance(console.file, io.StringIO)
    last = console.file.getvalue().splitlines()[-1]
    assert figures in last
    assert "2/12500" in last


def test_memory_that_ran_out_is_said_aloud_with_what_became_of_it() -> None:
    recovered = event("recovered", 40, batch=2, accumulate=4, checkpointing=True)
    assert shown(recovered).replace("computed\n", "computed ") == (
        "! memory ran out at step 41: 2 × 4 rows from now on, as many to a step as before, and activations "
        "are computed twice; it goes on by itself\n"
    )
    kept = event("recovered", 40, batch=2, accumulate=4, checkpointing=False)
    assert "activations" not in shown(kept)


def test_an_earlier_book_is_told_with_its_change_since_the_beginning() -> None:
    text = shown(
        event("validation", 0, loss=3.5, best_loss=3.5, watched={"runs/first": 3.0}),
        event("validation", 9, loss=3.4, best_loss=3.4, watched={"runs/first": 3.15}),
    )
    assert "step 0: held-out loss 3.5000 (best so far); runs/first 3.0000\n" in text
    assert "step 9: held-out loss 3.4000 (best so far); runs/first 3.1500 (+5.0%)\n" in text


def test_data_that_was_found_prepared_is_told_apart() -> None:
    assert shown(Event(0.0, "prepared", "imprint", values={"rows": 1234, "reused": True})) == (
        "imprint: 1,234 rows found prepared\n"
    )
    assert shown(Event(0.0, "prepared", "imprint", values={"rows": 1234})) == "imprint: 1,234 rows prepared\n"


def test_what_is_foreseen_and_where_a_voice_was_saved() -> None:
    assert shown(event("foreseen", memory_bytes=2**30, seconds=4000, steps=9)) == (
        "foreseen: about 1.0 GiB of memory, about 1 h 06 min\n"
    )
    assert shown(event("saved", voice="voice")) == "voice saved\n"
    assert shown(event("saved", voice="stages/01-wide/voice")) == "voice saved in stages/01-wide/voice\n"


def test_after_going_back_the_loss_that_is_shown_begins_anew() -> None:
    bad = event("step", 1, loss=90.0, part_step=1, part_steps=9)
    good = event("step", 9, loss=3.0, part_step=9, part_steps=9)
    assert "loss 3.00" in shown(bad, event("rollback", 3, to_step=0, why="…"), good)


def test_while_data_is_made_ready_the_bar_says_how_far_it_is() -> None:
    told = event("preparing", text="corpus: 12,000 windows of 512 tokens prepared")
    assert "12,000 windows" in shown(told, terminal=True)
    assert shown(told, told, told).count("12,000 windows") == 1  # in a log every so often is enough
