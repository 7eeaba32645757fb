"""The bench of methods: only what was trained alike is compared, and the goal can be read from what is kept."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from benchmarks.methods import KINDS, Outcome, main, outcome_of

from benchmarks import methods
from quire.recipe.load import load_recipe
from quire.run.events import Event

LOSSES = {"bf16": 4.0, "int8": 4.01, "nf4": 4.04, "adamw": 3.0, "adamw_8bit": 3.0, "adafactor": 2.94}


def events(after: float, tokens: int = 1024) -> Iterator[Event]:
    yield Event(0.0, "validation", "train", 0, 0, {"loss": 4.2})
    yield Event(0.0, "step", "train", 0, 1, {"loss": 4.1, "tokens": tokens, "learning_rate": 1e-3, "seconds": 0.5})
    yield Event(0.0, "validation", "train", 0, 1, {"loss": after})


def test_the_ratio_is_that_of_the_last_losses() -> None:
    plain = outcome_of(events(4.0), "adapter", "bf16", 1, None)
    assert (plain.before, plain.after, plain.ratio, plain.seconds) == (4.2, 4.0, 1.0, 0.5)
    assert outcome_of(events(4.01), "adapter", "int8", 1, plain).ratio == pytest.approx(1.0025)


def test_what_was_trained_otherwise_is_not_compared() -> None:
    plain = outcome_of(events(4.0), "adapter", "bf16", 1, None)
    with pytest.raises(ValueError, match="not trained as bf16 was"):
        outcome_of(events(4.0, tokens=512), "adapter", "int8", 1, plain)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Nothing is trained, only noted."""
    carried_out: list[str] = []

    def carry_out(
        _book: str, _base: str, _steps: int, kind: str, way: str, seed: int, _path: Path, plain: Outcome | None
    ) -> Outcome:
        carried_out.append(f"{kind}/{way}/{seed}")
        return outcome_of(events(LOSSES[way] + seed / 1000 * (way == "int8")), kind, way, seed, plain)

    monkeypatch.setattr(methods, "carry_out", carry_out)
    return carried_out


def test_the_goal_is_read_from_the_ratios(quick: list[str], tmp_path: Path) -> None:
    target = tmp_path / "methods.json"
    assert main(["--results", str(target)]) == 1  # nf4 is 1 % worse
    told = json.loads(target.read_text())
    int8 = told["ratios"]["adapter"]["int8"]
    assert int8 == {"mean": pytest.approx(1.00287, abs=1e-5), "largest": pytest.approx(1.003), "seeds": 2}
    assert told["ratios"]["all weights"]["adafactor"]["mean"] == pytest.approx(0.98)
    assert told["machine"].keys() >= {"processor", "torch", "commit", "date"}
    assert [row["of"] for row in told["rows"]] == quick
    assert all("course" not in row for row in told["rows"])


def test_one_kind_alone_leaves_the_other(quick: list[str], tmp_path: Path) -> None:
    target = tmp_path / "methods.json"
    main(["--results", str(target)])
    quick.clear()
    main(["--results", str(target), "--only", "adapter", "--seeds", "1"])
    assert quick == ["adapter/bf16/1", "adapter/int8/1", "adapter/nf4/1"]
    told = json.loads(target.read_text())
    assert told["ratios"]["adapter"]["int8"]["seeds"] == 1
    assert told["ratios"]["all weights"]["adafactor"]["seeds"] == 2
    with pytest.raises(SystemExit, match=r"of another training \(steps 80\)"):
        main(["--results", str(target), "--only", "adapter", "--steps", "3"])


@pytest.mark.parametrize("settings", [way for ways in KINDS.values() for way in ways.values()])
def test_every_way_is_a_recipe(settings: methods.Settings) -> None:
    load_recipe({"shelf": ["sample:tale"]}, {**settings, "seed": 1, "train.steps": 3})
