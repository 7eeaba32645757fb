"""Runs in use, changed, damaged: what lay in the run folder before lies there afterwards."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from quire.cli.app import run
from quire.run.events import read_events
from quire.run.lock import hold
from refusals import Shown, contents, refused, train_command


def test_a_run_in_use_names_the_process_that_uses_it(halfway: Path, book: Path, tiny_base: Path, capsys: Shown) -> None:
    before = contents(halfway)
    with hold(halfway / "lock"):
        error, remedy = refused(capsys, *train_command(book, tiny_base, halfway))
    assert str(os.getpid()) in error
    assert str(halfway) in error
    assert "--run" in remedy
    assert contents(halfway) == before


@pytest.mark.parametrize("state", ["finished", "halfway"])
def test_other_settings_are_shown_and_the_run_stays_as_it_is(
    state: str, book: Path, tiny_base: Path, capsys: Shown, request: pytest.FixtureRequest
) -> None:
    place: Path = request.getfixturevalue(state)
    before = contents(place)
    error, remedy = refused(capsys, *train_command(book, tiny_base, place, **{"train.learning_rate": "3e-3"}))
    assert "train.learning_rate" in error
    assert "0.003" in error
    assert "--run" in remedy
    assert contents(place) == before


@pytest.mark.parametrize("state", ["finished", "halfway"])
def test_a_source_that_changed_is_named_and_the_run_stays_as_it_is(
    state: str, book: Path, tiny_base: Path, capsys: Shown, request: pytest.FixtureRequest
) -> None:
    place: Path = request.getfixturevalue(state)
    before, text = contents(place), book.read_text(encoding="utf-8")
    book.write_text(text.replace("ferryman", "postman"), encoding="utf-8")
    try:
        error, remedy = refused(capsys, *train_command(book, tiny_base, place))
    finally:
        book.write_text(text, encoding="utf-8")
    assert str(book) in error
    assert "--run" in remedy
    assert contents(place) == before


def test_a_folder_of_something_else_is_not_made_a_run(
    tmp_path: Path, book: Path, tiny_base: Path, capsys: Shown
) -> None:
    (tmp_path / "thesis.docx").write_bytes(b"precious")
    error, remedy = refused(capsys, *train_command(book, tiny_base, tmp_path))
    assert str(tmp_path) in error
    assert "--run" in remedy
    assert contents(tmp_path) == {"thesis.docx": b"precious"}


@pytest.mark.parametrize("damage", ["", "shelf: [", "quire: 3\n", "\x00" * 40, "half"])
def test_a_damaged_recipe_of_a_run_is_named(
    damage: str, halfway: Path, book: Path, tiny_base: Path, capsys: Shown
) -> None:
    file = halfway / "recipe.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text[: len(text) // 2] if damage == "half" else damage, encoding="utf-8")
    before = contents(halfway)
    assert str(file) in refused(capsys, *train_command(book, tiny_base, halfway))[0]
    assert contents(halfway) == before


def test_a_damaged_line_of_the_events_costs_nothing_but_itself(
    halfway: Path, finished_once: Path, book: Path, tiny_base: Path
) -> None:
    """Events are a story, not what the run goes on from."""
    file = halfway / "events.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join([*lines[:2], "xyzzy\n", *lines[2:]]), encoding="utf-8")
    assert run(train_command(book, tiny_base, halfway)) == 0
    name = "voice/adapter_model.safetensors"
    assert (halfway / name).read_bytes() == (finished_once / name).read_bytes()


@pytest.mark.parametrize("damaged", [["0000003"], ["0000002", "0000003"]])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    damaged: list[str], halfway: Path, finished_once: Path, book: Path, tiny_base: Path, capsys: Shown
) -> None:
    for name in damaged:
        weights = halfway / "checkpoints" / name / "weights.safetensors"
        weights.write_bytes(weights.read_bytes()[:-8] + b"\xff" * 8)
    assert run(train_command(book, tiny_base, halfway)) == 0
    events = read_events(halfway / "events.jsonl")
    warnings = [str(event.values["text"]) for event in events if event.kind == "warning"]
    assert sorted(damaged) == sorted(name for name in damaged for text in warnings if name in text)
    assert damaged[-1] in capsys.readouterr().err
    name = "voice/adapter_model.safetensors"
    assert (halfway / name).read_bytes() == (finished_once / name).read_bytes()


@pytest.mark.parametrize("verb", [("write", "Once"), ("judge",)])
@pytest.mark.parametrize("damage", ["cut", "noise", "gone", "config"])
def test_a_damaged_adapter_is_named(verb: tuple[str, ...], damage: str, finished: Path, capsys: Shown) -> None:
    weights, config = (finished / "voice" / name for name in ("adapter_model.safetensors", "adapter_config.json"))
    match damage:
        case "cut":
            weights.write_bytes(weights.read_bytes()[:1000])
        case "noise":
            weights.write_bytes(b"\xff" * 5000)
        case "gone":
            weights.unlink()
        case "config":
            config.write_text('{"r": 8', encoding="utf-8")
    before = contents(finished)
    assert str(finished / "voice") in refused(capsys, verb[0], str(finished), *verb[1:])[0]
    assert contents(finished) == before


@pytest.mark.parametrize("verb", ["write", "judge"])
def test_a_run_that_is_not_there_or_has_no_voice_is_named(
    verb: str, halfway: Path, capsys: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "the-castle" in refused(capsys, verb, "the-castle")[0]
    error, remedy = refused(capsys, verb, str(halfway))
    assert "no voice" in error
    assert "quire train" in remedy
