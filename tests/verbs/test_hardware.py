from __future__ import annotations

import os
from pathlib import Path

import pytest

from quire.verbs import hardware
from quire.verbs.hardware import look_at_machine


def test_machine_is_looked_at_without_torch(tmp_path: Path) -> None:
    facts = look_at_machine(tmp_path / "not" / "yet")
    assert facts.cores == os.cpu_count()
    assert 0 < facts.memory_free_bytes <= facts.memory_bytes
    assert facts.disk_free_bytes > 0
    assert "fp32" in facts.native
    if facts.gpu is None:
        rate = facts.rate("fp32")
        assert rate is not None
        assert rate > 1e8


def test_gpu_is_asked_for_by_name_and_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'Some GPU, the large one, 24576'\necho 'Some GPU, 8192'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    facts = look_at_machine(tmp_path)
    assert (facts.gpu, facts.gpu_memory_bytes, facts.gpus) == ("Some GPU, the large one", 24 * 2**30, 2)
    assert "bf16" in facts.native
    assert facts.rates == ()


@pytest.mark.parametrize("answer", ["exit 9", "echo 'No devices were found'", "true"])
def test_tool_without_a_gpu_means_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text(f"#!/bin/sh\n{answer}\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert hardware._gpu() == (None, None, 0)
