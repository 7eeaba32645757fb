"""`quire plan` on the command line; the arithmetic is tested with the planner."""

from __future__ import annotations

import io
import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from quire.cli.app import run
from quire.cli.plan import as_flags, show_plan
from quire.planner.facts import MachineFacts
from quire.planner.fitting import Rung, ladder
from quire.planner.shape import shape_of
from quire.recipe.bases import KNOWN
from quire.recipe.load import load_recipe
from quire.recipe.method import Method
from quire.recipe.yaml_text import parse_value
from quire.units import show_size
from quire.verbs.plan import plan


def test_the_plan_names_tokens_steps_memory_and_time(tiny_base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "sample:tale", "--base", str(tiny_base), "--quick", "--set", "train.window=128"]) == 0
    shown = capsys.readouterr().out
    for name in ("text", "tokens", "enough?", "base", "learns", "windows", "steps", "memory", "disk", "time"):
        assert f"\n{name} " in f"\n{shown}"
    assert "reckoned from" in shown


def test_the_plan_says_who_has_chosen_the_method(tiny_base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["plan", "sample:tale", "--base", str(tiny_base), "--quick", "--set", "train.window=128"]
    for more, told in (([], "(unless told otherwise)"), (["--set", "train.method=full"], "all weights (set by hand)")):
        assert run([*words, *more]) == 0
        (line,) = (line for line in capsys.readouterr().out.splitlines() if line.startswith("learns "))
        assert told in line


def test_memory_is_shown_against_what_each_process_has(tiny_base: Path) -> None:
    report = plan("sample:tale", base=str(tiny_base), settings={"train.window": 128}, processes=2)
    report = replace(
        report, machine=replace(report.machine, gpu=None, gpu_memory_bytes=None, memory_free_bytes=8 << 30)
    )
    console = Console(width=200, file=io.StringIO(), highlight=False)
    show_plan(report, console)
    assert f"of {show_size(4 << 30)} free" in console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.slow
def test_the_time_rests_on_a_measurement_unless_it_is_left_out(
    tiny_base: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["plan", "sample:tale", "--base", str(tiny_base), "--json", "--set", "train.window=128"]) == 0
    said = capsys.readouterr()
    facts = json.loads(said.out)
    assert "computed here" in facts["speed"]["basis"]
    assert facts["seconds"] == pytest.approx(sum(facts["times"].values()))
    assert "--quick" in said.err


def test_the_page_fits_a_narrow_terminal(tiny_base: Path) -> None:
    report = plan("sample:tale", base=str(tiny_base), settings={"train.window": 128})
    console = Console(width=80, file=io.StringIO(), highlight=False)
    show_plan(report, console)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    assert max(map(len, lines)) <= 80
    names = [line.split()[0] for line in lines if line and not line.startswith((" ", "!"))]
    assert names[:4] == ["text", "base", "tokens", "enough?"]


def test_a_curriculum_is_shown_stage_by_stage_and_in_all(tiny_base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stages = "[{name: wide, method: full, window: 64}, {name: imprint, method: inherit, window: 32}]"
    assert run(["plan", "sample:tale", "--base", str(tiny_base), "--quick", "--set", f"stages={stages}"]) == 0
    shown = capsys.readouterr().out
    assert shown.index("Stage 1 of 2: wide") < shown.index("Stage 2 of 2: imprint") < shown.index("In all")


def test_what_does_not_fit_comes_with_what_would(tiny_base: Path) -> None:
    report = plan("sample:tale", base=str(tiny_base), settings={"train.window": 128})
    stage = report.stages[0]
    small = MachineFacts(2, 2**30, 2**29, 2**40, native=("fp32", "bf16"))
    rungs = tuple(ladder(stage.stage, shape_of(KNOWN[0].config), "bf16", small))
    console = Console(width=80, file=io.StringIO(), highlight=False)
    show_plan(replace(report, stages=(replace(stage, would_fit=rungs),)), console)
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "What would fit instead" in shown
    assert shown.count("does not fit") == len(rungs) - rungs[-1].fits
    assert max(map(len, shown.splitlines())) <= 80


def test_the_nearest_thing_is_said_as_flags() -> None:
    rung = Rung("smaller", {"method": "qlora", "checkpointing": True, "base": "some/base"}, 1, True)
    assert as_flags(rung, "train") == ["--base some/base", "--set train.method=qlora", "--set train.checkpointing=true"]
    assert as_flags(rung, "imprint")[1] == "--set stages.imprint.method=qlora"
    rung = Rung("smaller", {"method": {"qlora": {"rank": 4, "targets": ["q_proj"]}}, "stride": None}, 1, True)
    flags = as_flags(rung, "train")
    assert flags == ['--set \'train.method={"qlora": {"rank": 4, "targets": ["q_proj"]}}\'', "--set train.stride=null"]
    given = dict(shlex.split(flag)[1].split("=", 1) for flag in flags)
    values = {key: parse_value(value, key) for key, value in given.items()}
    recipe = load_recipe({"shelf": ["a.txt"], "train": {"stride": 512}}, values).recipe
    assert recipe.train.method == Method.model_validate(rung.changes["method"])
    assert recipe.train.stride is None


def test_explain_says_where_every_value_came_from(tiny_base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["plan", "sample:tale", "--base", str(tiny_base), "--explain", "--quick", "--set", "train.window=128"]
    assert run(arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    (window,) = [line.split() for line in lines if line.startswith("train.window ")]
    assert window[1] == "128"
    assert any(line.startswith("train.epochs ") and "default" in line for line in lines)


def test_json_has_the_same_facts(tiny_base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["plan", "sample:tale", "--base", str(tiny_base), "--json", "--quick", "--set", "train.window=128"]) == 0
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
