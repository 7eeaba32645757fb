"""The bench of writers: each text has a prompt of its own, and what is kept is what the page reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from benchmarks.beside import goals_table, writers_table
from benchmarks.peers import writing

PROMPTS = [[5, 9, 70, 31], [200, 17, 8, 44], [3, 3, 150, 61]]


@pytest.mark.parametrize("writer", ["quire", "transformers fp32", "transformers bf16"])
def test_every_text_goes_on_from_its_own_prompt(tiny_base: Path, writer: str) -> None:
    model = writing.load(writer, tiny_base, "fp32")
    model.generation_config.eos_token_id = None
    model.eval()
    way = writing._with_quire if writer == "quire" else writing._with_transformers
    together = way(model, PROMPTS, 6)
    alone = way(model, PROMPTS[:1], 6)
    assert together[2] == alone[2]
    assert len(alone[2]) == 6
    assert together[0] >= together[1] > 0
    assert str(model.dtype) == ("torch.bfloat16" if writer == "transformers bf16" else "torch.float32")


def test_quire_reads_each_prompt(tiny_base: Path) -> None:
    import torch

    model = writing.load("quire", tiny_base, "fp32").eval()
    with torch.inference_mode():
        readers = writing.readers_of(model, len(PROMPTS))
        scores = [reader.read(ids) for reader, ids in zip(readers, PROMPTS, strict=True)]
        for ids, found in zip(PROMPTS, scores, strict=True):
            expected = model(input_ids=torch.tensor([ids])).logits[:, -1].float()
            torch.testing.assert_close(found, expected, rtol=1e-3, atol=1e-4)
    assert [reader.text for reader in readers] == PROMPTS


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, Any]]]:
    """Nothing is written, only noted."""
    heard: list[tuple[str, dict[str, Any]]] = []
    seconds = {"quire": 1.0, "transformers bf16": 8.0, "transformers fp32": 4.0}

    def command(writer: str, _base: Path, job: dict[str, Any]) -> list[str]:
        heard.append((writer, job))
        return [writer]

    def run(asked: list[str], _threads: int) -> dict[str, Any]:
        return {"rounds": [[seconds.get(asked[0], 1.0)] * 3] * 2}

    class Onlooker:
        def wait_for_quiet(self, _patience: float) -> None: ...

        def others(self) -> float:
            return 0.0

    monkeypatch.setattr(writing, "_command", command)
    monkeypatch.setattr(writing, "_run", run)
    monkeypatch.setattr("benchmarks.peers.material.base_of", lambda _shape, _home: Path("base"))
    monkeypatch.setattr("benchmarks.peers.results.Onlooker", Onlooker)
    return heard


def test_the_quicker_transformers_counts(quick: list[tuple[str, dict[str, Any]]], tmp_path: Path) -> None:
    target = tmp_path / "writing.json"
    target.write_text('{"other": {"writers": {"quire": {"whole": 1.0, "whole_median": 1.0}}}}')
    assert writing.main(["--rounds", "1", "--texts", "8", "--threads", "2", "--results", str(target)]) == 0
    assert writing.main(["--rounds", "1", "--threads", "2", "--results", str(target)]) == 0
    told = json.loads(target.read_text())
    assert told.keys() == {"other", "135M bf16, texts 8, threads 2", "135M bf16, texts 1, threads 2"}
    case = told["135M bf16, texts 1, threads 2"]
    assert case["machine"].keys() >= {"processor", "torch", "transformers", "commit", "date"}
    prompts = quick[0][1]["ids"]
    assert len({tuple(ids) for ids in prompts}) == len(prompts) == 8
    assert "against transformers | ≥ 2 × | 4.00 × |" in goals_table([], {}, told, {}, {})
    assert "| transformers bf16 | 16.0 |" in writers_table(told)


def test_an_unknown_writer_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        writing.main(["--writers", "quire,vllm", "--results", str(tmp_path / "writing.json")])
    assert "no writer is called vllm" in capsys.readouterr().err
