"""What others reach is told beside Quire's figures, and a goal that is missed is called so."""

from __future__ import annotations

from typing import Any

from benchmarks.beside import goals_table, peers_table, writers_table
from benchmarks.peers.__main__ import turns
from benchmarks.peers.lineup import CPU


def row(trainer: str, rates: list[float], times: list[float]) -> dict[str, Any]:
    return {"trainer": trainer, "tokens_per_second": rates, "quire_times": times, "peak_bytes": 2e9}


PEERS = {
    "135M cpu 1024": {
        "shape": "135M",
        "window": 1024,
        "summary": [
            row("unsloth", [280.0, 270.0], [1.8, 2.2]),
            row("quire", [504.0, 594.0], []),
            row("quire-int8", [630.0, 700.0], [0.8, 0.84]),
        ],
    }
}
WRITING = {
    "135M bf16, texts 1, threads 2": {
        "writers": {
            "quire": {"whole": 100.0, "whole_median": 80.0},
            "llama.cpp bf16": {"whole": 80.0, "whole_median": 75.0},
            "llama.cpp f16": {"whole": 125.0, "whole_median": 100.0},
        }
    }
}
METHODS = {"ratios": {"adapter": {"int8": {"largest": 1.0051}}}}
PREPARING = {"tokens_per_processor_second": 205_400, "growth": 1.03}


def case(shape: str, precision: str, window: int, **found: float) -> dict[str, Any]:
    return {"of": f"training/{shape}/{precision}/{window}", "found": {"tokens_per_second": 400.0, **found}}


def goals(*entries: dict[str, Any]) -> dict[str, list[str]]:
    lines = goals_table(entries, PEERS, WRITING, METHODS, PREPARING).splitlines()[2:]
    return {(cells := [cell.strip() for cell in line.strip("|").split("|")])[0]: cells[1:] for line in lines}


def test_a_goal_is_met_by_the_median_of_the_rounds_or_missed() -> None:
    found = goals()
    assert found["135M bf16, tokens/s against unsloth"] == ["≥ 1.9 ×", "2.00 ×"]
    assert found["135M int8, tokens/s against our own bf16"] == ["≥ 1.3 ×", "1.22 ×, missed"]
    assert found["1B bf16, tokens/s against trl"] == ["≥ 1.75 ×", "not measured"]


def test_the_least_of_several_ratios_counts() -> None:
    assert goals()["writing, 135M bf16, texts 1, threads 2, against llama.cpp"] == ["≥ 0.9 ×", "0.80 ×, missed"]


def test_memory_shares_and_windows() -> None:
    found = goals(
        case("1B", "bf16", 1024, fraction=0.835, peak_bytes=3.61e9, weights_bytes=2.2e9),
        case("1B", "int8", 1024, weights_bytes=1.1e9),
        case("135M", "bf16", 512, fraction=0.8),
        {"of": "training/135M/bf16/4096", "found": {"tokens_per_second": 200.0}},
        {"of": "training/1B/bf16/4096", "found": None},
        case("3B", "int8", 512, peak_bytes=8.25e9),
    )
    assert found["1B bf16, share of the roofline"] == ["≥ 82 %", "84 %"]
    assert found["1B bf16, peak memory above the weights"] == ["≤ 1.5 GB", "1.41 GB"]
    assert found["1B int8, all weights against bf16, scales and norms with them"] == ["≤ 50.5 %", "50 %"]
    assert found["embedded base, held-out loss after training, int8 against bf16"] == ["≤ 1.005 ×", "1.0051 ×, missed"]
    assert found["preparing a stream, thousand tokens/s of a core"] == ["≥ 200", "205"]
    assert found["preparing a stream, memory at ten times as many windows"] == ["", "1.03 ×"]
    assert found["135M bf16, cost of a token, window 4,096 against 512"] == ["< 2.5 ×", "2.00 ×"]
    assert found["1B bf16, cost of a token, window 4,096 against 512"] == ["< 1.5 ×", "not measured"]
    assert found["3B int8 trains in 24 GB"] == ["", "8.2 GB, 400 tokens/s"]


def test_every_trainer_and_every_writer_has_a_line() -> None:
    assert "| 135M, 1,024 | unsloth | 280, 270 | 1.80 ×, 2.20 × | 2.00 GB |" in peers_table(PEERS)
    assert "| 135M bf16, texts 1, threads 2 | llama.cpp f16 | 125.0 | 100.0 | 0.80 ×, 0.80 × |" in writers_table(
        WRITING
    )


def test_every_second_round_goes_backwards() -> None:
    found = list(turns(CPU, 3))
    assert [number for number, _ in found] == [1] * 5 + [2] * 5 + [3] * 5
    assert [one for _, one in found[:5]] == [one for _, one in found[9:4:-1]] == [one for _, one in found[10:]]
