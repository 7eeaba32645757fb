from __future__ import annotations

from pathlib import Path

import torch

from quire.model.machine import measure_machine
from quire.planner.pace import pace_of
from quire.training.pace_child import answer


def test_each_stage_gets_what_training_would_decide_and_its_pace(tiny_base: Path, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    try:
        said = answer(
            {
                "folder": str(tiny_base),
                "run": str(tmp_path),
                "stages": [{"window": 32, "precision": "fp32"}, {"window": 64, "method": "qlora"}],
            }
        )
    finally:
        torch.set_num_threads(threads)
    plain, quantised = said["stages"]
    assert (plain["precision"], plain["precision_reason"]) == ("fp32", "as the recipe says")
    assert quantised["precision"] == ("int8" if measure_machine().gpu is None else "nf4")
    assert pace_of(plain["pace"]).tokens == 32 * 8
    assert said["threads"] >= 1
    assert dict(said["rates"])["fp32"] > 0


def test_a_base_that_cannot_be_measured_leaves_the_decisions(tmp_path: Path, tiny_base: Path) -> None:
    config = (tiny_base / "config.json").read_text().replace('"llama"', '"unheard-of"')
    (tmp_path / "config.json").write_text(config)
    (stage,) = answer({"folder": str(tmp_path), "run": str(tmp_path), "stages": [{"window": 32}]})["stages"]
    assert stage["pace"] is None
    assert stage["precision"]
