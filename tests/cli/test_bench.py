"""How the bench's figures are shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from quire.cli.app import run
from quire.cli.bench import named, shown, training_row, writing_row
from quire.verbs import bench as module
from quire.verbs.benching.figures import Figure, Trained, TrainingOutcome, WritingOutcome, Wrote

TRAINED = Trained(300.0, 600.0, 3.4, 5.0, 3, 2**30, 2**31, (9.0, 8.5), {"bf16": 4e11}, False, "cpu", 2)


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (2**30, "bytes", "1.0 GiB"),
        (12.345, "s", "12.35 s"),
        (0.0035, "s", "0.0035 s"),
        (5123.4, "words/s", "5,123 words/s"),
    ],
)
def test_values_carry_their_unit(value: float, unit: str, text: str) -> None:
    assert shown(Figure("x", value, unit, "")) == text


def test_json_lists_every_figure(tiny_base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--set", "train.window=64", "--set", "train.steps=2"]
    assert run(["bench", "--json", "--base", str(tiny_base), *small]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert {figure["name"] for figure in facts["figures"]} >= {"reading", "training", "writing"}


def test_a_case_is_a_row_with_its_share_of_the_roofline() -> None:
    cells = training_row(TrainingOutcome("135M", "bf16", 1024, TRAINED))
    assert cells == ("135M", "bf16", "1,024", "300", "50%", "1.0 GiB", "2.0 GiB", "the median of 3 steps")
    wrote = WritingOutcome("135M", "bf16", 8, Wrote(31.25, 48, 10, "cpu", 2))
    assert writing_row(wrote) == ("135M", "bf16", "8", "31.2")


def test_a_case_that_came_to_nothing_says_why() -> None:
    problem = "it would take 30 GiB"
    assert training_row(TrainingOutcome("8B", "fp32", 1024, None, problem))[-1] == problem
    assert writing_row(WritingOutcome("8B", "fp32", 8, None, problem))[-1] == problem


def test_cases_are_asked_for_in_lists_and_shown_in_a_table(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def case(shape: object, precision: str, window: int, *_: object) -> TrainingOutcome:
        return TrainingOutcome("7M", precision, window, TRAINED)

    monkeypatch.setattr(module, "training_case", case)
    assert run(["bench", "--shapes", "7M", "--precisions", "bf16, int8", "--windows", "64"]) == 0
    shown_ = capsys.readouterr()
    assert "training 7M in int8, window 64 …" in shown_.err
    assert [line.split()[:3] for line in shown_.out.splitlines()[1:]] == [["7M", "bf16", "64"], ["7M", "int8", "64"]]
    assert run(["bench", "--json", "--shapes", "7M", "--precisions", "bf16", "--windows", "64"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["training"][0]["found"]["fraction"] == 0.5


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--shapes", "7M,2B"], "error: --shapes: no shape is called 2B"),
        (["--precisions", "int3"], "error: --precisions: int3 is none"),
        (["--windows", "many"], "error: --windows: many is no number of tokens"),
    ],
)
def test_what_there_is_not_is_refused_by_name(flags: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["bench", *flags]) == 2
    assert said in capsys.readouterr().err


def test_the_help_names_every_shape(capsys: pytest.CaptureFixture[str]) -> None:
    from quire.verbs.benching.shapes import SHAPES

    assert run(["bench", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert all(name in text for name in SHAPES)
    assert "--shapes 135M,1B --precisions bf16,int8 --windows 512,1024" in text


def test_lists_are_read_as_people_write_them() -> None:
    assert named(" 135M, 1B,") == ["135M", "1B"]
