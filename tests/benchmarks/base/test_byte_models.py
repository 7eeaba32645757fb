"""The others measure the same bytes; what is not installed is left out, not made up."""

from __future__ import annotations

import lzma
from dataclasses import replace

import pytest
from benchmarks.base.byte_model import train
from benchmarks.base.byte_models import BYTE_MODEL, XZ, ZSTD, ZSTD_AFTER, measure, packed
from benchmarks.base.task import Task
from benchmarks.base.texts import Texts, samples

from benchmarks.base import byte_models


def test_the_byte_model_has_learned_what_was_not_held_out(task: Task, kept: Texts) -> None:
    told = measure(task)
    model = train([kept.data(work) for work in kept.of("train")])
    for row, one in zip(told["rows"], samples(kept, None, 400), strict=True):
        assert row["bytes"] == one.size == 400
        assert row[BYTE_MODEL] == pytest.approx(model.bits(one.text.encode()) / 400, abs=1e-4)
        assert row[XZ] == pytest.approx(len(lzma.compress(one.text.encode(), preset=9 | lzma.PRESET_EXTREME)) / 50)
    assert told["training_bytes"] == sum(work.bytes for work in kept.of("train"))
    assert [row["works"] for row in told["languages"]] == [1, 1]


def test_zstd_after_the_training_text_needs_less(task: Task) -> None:
    if byte_models.shutil.which("zstd") is None:
        pytest.skip("zstd is not installed")
    told = measure(replace(task, bytes=0))
    alone = {row["language"]: row[ZSTD][0] for row in told["languages"]}
    after = {row["language"]: row[ZSTD_AFTER] for row in told["after_training_text"]}
    assert after.keys() == alone.keys()
    assert all(after[language] < alone[language] for language in alone)


def test_without_the_tools_only_xz_is_left(monkeypatch: pytest.MonkeyPatch, task: Task) -> None:
    monkeypatch.setattr(byte_models.shutil, "which", lambda _name: None)
    monkeypatch.setattr(byte_models, "find_spec", lambda _name: None)
    assert list(packed(b"some text")) == [XZ]
    assert measure(task)["after_training_text"] == []
