"""Bits per byte are the model's own losses over the bytes of the text; intervals are those of judging."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from benchmarks.base.held_out import measure, summed
from benchmarks.base.task import Task, first_version
from benchmarks.base.texts import Texts, samples
from transformers import AutoModelForCausalLM

from benchmarks.base import held_out
from quire.judging.resample import Resampled
from quire.tokens.tokenizer import load_tokenizer


def test_bits_are_those_of_the_plain_model(task: Task, kept: Texts) -> None:
    task = replace(task, bytes=200)
    told = measure(task)
    one = next(samples(kept, None, 200))
    ids = load_tokenizer(task.load().files.path).encode(one.text)
    model = AutoModelForCausalLM.from_pretrained(task.base, dtype=torch.float32)
    assert len(ids) < 256, "all in one window"
    start = load_tokenizer(task.load().files.path).end_of_text
    with torch.inference_mode():
        logits = model(torch.tensor([[start, *ids[:-1]]])).logits[0]
    nats = torch.nn.functional.cross_entropy(logits, torch.tensor(ids), reduction="sum").item()
    assert told["rows"][0]["new"] == pytest.approx(nats / math.log(2) / 200, abs=1e-3)
    assert told["languages"][0]["new"] == [pytest.approx(told["rows"][0]["new"], abs=1e-4), None, None]
    assert [row["language"] for row in told["languages"]] == ["en", "fr"]


def test_two_bases_are_compared_work_by_work(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"language": "en", "unseen": False, "bytes": size, "new": new, "first": first}
        for size, new, first in [(100, 1.5, 2.0), (300, 1.0, 1.5), (50, 2.0, 2.5)]
    ]
    (told,) = summed(rows, ["new", "first"])
    assert told["new"][0] == pytest.approx((150 + 300 + 100) / 450, abs=1e-5)
    units = np.array([[r["bytes"], r["new"] * r["bytes"], r["first"] * r["bytes"]] for r in rows])
    expected = Resampled(units).estimate(lambda sums: sums[..., 1] / sums[..., 2] - 1)
    assert told["change"] == pytest.approx([expected.value, expected.low, expected.high], abs=1e-5)
    assert told["change"][2] < 0


def test_the_first_version_comes_out_of_the_history(
    task: Task, base_folder: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pathlib import Path

    files = {file.name: file.read_bytes() for file in Path(str(base_folder)).iterdir()}

    def git(*asked: str) -> bytes:
        if asked[0] == "ls-tree":
            return "\n".join(files).encode()
        return files[asked[1].rpartition("/")[2]]

    monkeypatch.setattr("benchmarks.base.task._git", git)
    with first_version("abc") as base:
        assert base.model.config.num_hidden_layers == 2
    told = held_out.measure(replace(task, first="abc"))
    assert told["rows"][0]["first"] == told["rows"][0]["new"]
    assert told["languages"][0]["change"][0] == 0
