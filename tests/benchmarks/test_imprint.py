"""The bench of the imprint dial: its order is judged, and what is kept says on which machine."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import imprint
from quire.recipe.advice import DIAL


def test_every_position_is_kept_with_the_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "imprint.json"
    monkeypatch.setattr(imprint, "RESULTS", target)
    shares = dict.fromkeys(DIAL, 0.5)

    def measure(_book: str, _base: str, position: str, _path: Path) -> dict[str, float | str | None]:
        return {"position": position, "memory_share": shares[position]}

    monkeypatch.setattr(imprint, "measure", measure)
    assert imprint.main([]) == 0
    told = json.loads(target.read_text())
    assert [row["position"] for row in told["rows"]] == list(DIAL)
    assert told["machine"].keys() >= {"processor", "torch", "commit", "date"}
    shares[next(iter(DIAL))] = 0.9
    assert imprint.main([]) == 1
    assert imprint.main(["--only", next(iter(DIAL))]) == 0
    assert len(json.loads(target.read_text())["rows"]) == len(DIAL)  # one position alone is not kept
