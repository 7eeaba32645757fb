"""How the doctor's findings are shown."""

from __future__ import annotations

import json

import pytest

from quire.cli.app import run


def test_json_holds_what_was_measured(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["machine"]["cores"] >= 1
    assert facts["hub"] == "not asked"
    assert "memory, time" in facts["confinement"]


def test_the_page_names_processor_memory_extras_and_login(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor"]) == 0
    shown = capsys.readouterr().out
    for name in (
        "processor",
        "matrix rates",
        "precision",
        "GPU",
        "memory",
        "disk",
        "books walled in",
        "extras",
        "hub login",
    ):
        assert f"\n{name}" in shown
