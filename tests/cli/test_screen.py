"""What goes to standard output."""

from __future__ import annotations

import json

import pytest

from quire.cli.screen import plain_table, print_json, results


def test_json_keeps_letters_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"title": "Le Château"})
    out = capsys.readouterr().out
    assert "Château" in out
    assert json.loads(out) == {"title": "Le Château"}


def test_a_long_row_stays_on_one_line_where_no_terminal_is(capsys: pytest.CaptureFixture[str]) -> None:
    table = plain_table("a", "b", numbers=("b",))
    table.add_row("x" * 100, "1,234")
    results().print(table)
    assert len(capsys.readouterr().out.splitlines()) == 2
