"""`quire plan` on the command line; the arithmetic is tested with the planner."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from quire.cli.app import run


def test_the_plan_names_tokens_steps_memory_and_time(tiny_base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "sample:tale", "--base", str(tiny_base), "--set", "train.window=128"]) == 0
    shown = capsys.readouterr().out
    for name in ("text", "tokens", "base", "learns", "steps", "memory", "disk", "time"):
        assert f"\n{name} " in f"\n{shown}"


def test_explain_says_where_every_value_came_from(tiny_base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["plan", "sample:tale", "--base", str(tiny_base), "--explain", "--set", "train.window=128"]
    assert run(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    (window,) = [line.split() for line in lines if line.startswith("train.window ")]
    assert window[1] == "128"
    assert any(line.startswith("train.epochs ") and "default" in line for line in lines)


def test_json_has_the_same_facts(tiny_base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "sample:tale", "--base", str(tiny_base), "--json", "--set", "train.window=128"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["steps"] > 0
    assert facts["parameters"]["trainable"] < facts["parameters"]["all"]


def test_several_mistakes_are_told_in_one_error(tiny_base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    mistakes = ["--set", "train.windw=3", "--set", "train.epochs=-1"]
    assert run(["plan", "sample:tale", "--base", str(tiny_base), *mistakes]) == 2
    error, remedy = capsys.readouterr().err.splitlines()
    assert "train.windw" in error
    assert "train.epochs" in error
    assert remedy.startswith("try: ")
