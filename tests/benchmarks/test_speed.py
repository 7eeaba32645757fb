"""The page holds what the results hold; single cases can be measured again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks.speed import (
    DOCS,
    RESULTS,
    house_table,
    keys,
    merged,
    tables,
    training_table,
    with_tables,
    writing_table,
)

from benchmarks import facts, speed
from quire.verbs.benching.shapes import SHAPES

FOUND = {
    "tokens_per_second": 312.4,
    "roofline": 624.8,
    "fraction": 0.5,
    "rates": {"int8": 8e11, "bf16": 4e11},
    "weights_bytes": 500_000_000,
    "peak_bytes": 1_750_000_000,
    "losses": [10.87, 10.5, 10.25],
    "steps": 2,
    "twice": True,
}
CASE = {
    "of": "training/1B/int8/1024",
    "shape": "1B",
    "precision": "int8",
    "window": 1024,
    "found": FOUND,
    "problem": None,
}
MACHINE = {"processor": "A", "cores": 2, "gpu": None, "date": "2026-11-22", "commit": "abc"}


def test_the_page_is_made_of_the_results() -> None:
    made = tables(json.loads(RESULTS.read_text(encoding="utf-8")))
    page = DOCS.read_text(encoding="utf-8")
    assert with_tables(page, made) == page, "python -m benchmarks.speed --docs writes it anew"


def test_a_page_without_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="no single place for the part novel"):
        with_tables("# Performance\n", {"novel": "text"})


def test_a_training_is_a_line() -> None:
    line = training_table([CASE]).splitlines()[-1]
    assert line == (
        "| 1B | int8 | 1,024 | 312 | 625 | 50% | int8 800, bf16 400 | 0.50 GB | 1.75 GB | 1.25 GB |"
        " 10.8700, 10.2500 | 2, activations twice |"
    )


def test_what_came_to_nothing_says_why() -> None:
    nothing = {**CASE, "found": None, "problem": "it would take 30 GiB"}
    table = training_table([nothing]).splitlines()
    assert table[-1].endswith("| it would take 30 GiB |")
    assert {line.count("|") for line in table} == {13}
    wrote = {"shape": "1B", "precision": "bf16", "batch": 8, "found": None, "problem": "it was killed"}
    assert writing_table([wrote]).endswith("| 1B | bf16 | 8 | it was killed |")


def test_figures_carry_their_unit() -> None:
    figures = [{"of": "house", "name": "peak memory", "value": 2e9, "unit": "bytes", "how": "of all"}]
    assert house_table(figures).endswith("| peak memory | 2.00 GB | of all |")
    assert "| peak memory, the embedded base on the novella |" in house_table([{**figures[0], "of": "base"}])


def test_a_case_measured_again_takes_the_place_of_the_first() -> None:
    first, second = keys()[3], keys()[5]
    kept = merged([{"of": second, "value": 1}, {"of": first, "value": 1}], second, [{"value": 2}, {"value": 3}])
    assert kept == [{"of": first, "value": 1}, {"of": second, "value": 2}, {"of": second, "value": 3}]


def test_every_case_is_of_a_shape_that_there_is_and_measured_once() -> None:
    assert {shape for shape, _, _ in (*speed.TRAINING, *speed.WRITING)} <= SHAPES.keys()
    assert len(set(keys())) == len(keys())


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Nothing is measured, only noted."""
    carried_out: list[str] = []

    def carry_out(key: str) -> list[dict[str, Any]]:
        carried_out.append(key)
        return [{"name": key, "value": 1.0, "unit": "s", "how": ""}]

    monkeypatch.setattr(speed, "carry_out", carry_out)
    monkeypatch.setattr(facts, "machine", lambda: dict(MACHINE))
    return carried_out


def test_single_cases_are_merged_into_the_results(quick: list[str], tmp_path: Path) -> None:
    file = tmp_path / "speed.json"
    speed.main(["--results", str(file)])
    assert quick == keys()
    quick.clear()
    speed.main(["--results", str(file), "--only", "training/8B/*", "house"])
    assert quick == ["house", "training/8B/int8/512"]
    kept = json.loads(file.read_text())
    assert [one["of"] for one in kept["entries"]] == keys()
    assert {(one["date"], one["commit"]) for one in kept["entries"]} == {("2026-11-22", "abc")}


def test_figures_of_two_machines_are_not_mixed(
    quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "speed.json"
    speed.main(["--results", str(file), "--only", "house"])
    monkeypatch.setattr(facts, "machine", lambda: {**MACHINE, "processor": "B"})
    with pytest.raises(SystemExit, match=r"measured on another machine \(processor A\)"):
        speed.main(["--results", str(file), "--only", "base"])
    speed.main(["--results", str(file)])  # all of it begins anew


def test_a_name_that_no_case_has_is_refused(quick: list[str], tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no case is called training/2B"):
        speed.main(["--results", str(tmp_path / "speed.json"), "--only", "training/2B"])
