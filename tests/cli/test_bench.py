"""How the bench's figures are shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from quire.cli.app import run
from quire.cli.bench import shown
from quire.verbs.bench import Figure


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [(2**30, "bytes", "1.0 GiB"), (12.345, "s", "12.35 s"), (5123.4, "tokens/s", "5,123 tokens/s")],
)
def test_values_carry_their_unit(value: float, unit: str, text: str) -> None:
    assert shown(Figure("x", value, unit, "")) == text


def test_json_lists_every_figure(tiny_base: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--set", "train.window=64", "--set", "train.steps=2"]
    assert run(["bench", "--json", "--base", str(tiny_base), *small]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert {figure["name"] for figure in facts["figures"]} >= {"reading", "training", "writing"}
