"""`quire train` on the command line; the training itself is tested with the verb and the loop."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from quire.cli.app import run
from quire.run.events import read_events


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("train")


def arguments(home: Path, base: Path, *more: str) -> list[str]:
    settings = ["--set", "train.window=64", "--set", "train.steps=2", "--set", "write.max_new_tokens=4"]
    return ["train", "sample:tale", "--base", str(base), "--run", str(home / "tale"), *settings, *more]


def test_the_run_folder_is_the_last_line_and_progress_goes_to_stderr(
    home: Path, tiny_base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments(home, tiny_base)) == 0
    shown = capsys.readouterr()
    assert shown.out == f"{home / 'tale'}\n"
    assert "held-out loss" in shown.err
    assert "tok/s" in shown.err
    assert (home / "tale" / "voice" / "adapter_model.safetensors").is_file()


def test_a_finished_run_says_so_and_what_to_do_next(
    home: Path, tiny_base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments(home, tiny_base)) == 0
    shown = capsys.readouterr()
    assert "already finished, after 2 steps" in shown.err
    assert "quire judge" in shown.err
    assert shown.out == f"{home / 'tale'}\n"


def test_the_data_of_a_finished_run_is_not_got_ready_again(
    home: Path, tiny_base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments(home, tiny_base)) == 0
    capsys.readouterr()
    assert run(arguments(home, tiny_base, "--prepare-only")) == 0
    shown = capsys.readouterr().err
    assert "already finished" in shown
    assert "quire train" not in shown


def test_other_settings_for_the_same_run_are_shown_and_refused(
    home: Path, tiny_base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments(home, tiny_base, "--set", "train.learning_rate=1e-3")) == 2
    error, remedy = capsys.readouterr().err.splitlines()
    assert "train.learning_rate" in error
    assert "--run" in remedy


def test_a_bug_leaves_its_traceback_in_the_run_folder(
    tmp_path: Path, tiny_base: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def explode(*given: object, **named: object) -> None:
        raise RuntimeError("boom")

    monkeypatch.setattr("quire.verbs.train._carry_out", explode)
    assert run(arguments(tmp_path, tiny_base)) == 1
    assert str(tmp_path / "tale" / "crash.txt") in capsys.readouterr().err
    assert "boom" in (tmp_path / "tale" / "crash.txt").read_text(encoding="utf-8")


def test_a_time_that_is_none_is_wrong_usage(tiny_base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["train", "sample:tale", "--max-time", "soon"]) == 2
    assert "--max-time soon" in capsys.readouterr().err


CURRICULUM = """
name: tale
shelf: [sample:tale]
train: {window: 64, steps: 2, effective_batch: 2, precision: fp32, learning_rate: 5.0e-3}
stages:
  - {name: wide, method: full, learning_rate: 1.0e-3}
  - {name: narrow, method: {lora: {rank: 2}}}
write: {max_new_tokens: 4}
judge: {prompts: [La rivière]}
"""


def test_stage_by_stage_it_says_what_is_left(
    tmp_path: Path, tiny_base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "tale.yaml"
    recipe.write_text(CURRICULUM, encoding="utf-8")
    words = ["train", str(recipe), "--base", str(tiny_base), "--run", str(tmp_path / "tale")]
    assert run([*words, "--stage", "narrow", "--prepare-only"]) == 0
    assert "the data is ready" in capsys.readouterr().err
    assert run([*words, "--stage", "narrow"]) == 2
    assert "wide is not trained yet" in capsys.readouterr().err
    assert run([*words, "--stage", "wide"]) == 0
    shown = capsys.readouterr()
    assert shown.out == f"{tmp_path / 'tale'}\n"
    assert "stage wide is trained; 1 to go" in shown.err
    assert "--stage narrow" in shown.err
    assert run([*words, "--stage", "wide"]) == 0
    assert "stage wide was trained already" in capsys.readouterr().err
    assert run(words) == 0
    shown = capsys.readouterr()
    assert "stage 2 of 2: narrow" in shown.err
    assert "its weights, under a new adapter" in shown.err
    assert "quire judge" in shown.err


def next_command(shown: str) -> list[str]:
    """What it says to type next, as a shell reads it."""
    (line,) = (line for line in shown.splitlines() if line.startswith("next: quire "))
    return shlex.split(line.removeprefix("next: quire ").partition(", or ")[0])


def test_the_next_command_can_be_typed_as_it_is_told(
    tmp_path: Path, tiny_base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """By hand another number of steps was set, and the folder has a space in its name."""
    recipe = tmp_path / "tale.yaml"
    recipe.write_text(CURRICULUM, encoding="utf-8")
    words = ["--base", str(tiny_base), "--run", str(tmp_path / "my tale"), "--set", "train.steps=1"]
    assert run(["train", str(recipe), *words, "--prepare-only"]) == 0
    told = next_command(capsys.readouterr().err)
    assert run([*told, "--stage", "wide"]) == 0
    assert run(next_command(capsys.readouterr().err)) == 0
    (tmp_path / "my tale" / "voice" / "adapter_model.safetensors").stat()
    assert [e.step for e in read_events(tmp_path / "my tale" / "events.jsonl") if e.kind == "step"] == [1, 2]
