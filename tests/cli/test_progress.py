"""What one sees while a run is trained."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from quire.cli.progress import line_of, watching
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
