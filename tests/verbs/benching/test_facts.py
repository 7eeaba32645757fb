"""What is said of the machine."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from quire.verbs.benching import facts

CPUINFO = """processor\t: 0
model name\t: A Processor @ 2 GHz
flags\t\t: fpu avx2 avx512_bf16 sse

processor\t: 1
model name\t: Another
"""


def test_processor_and_instructions_are_those_of_the_first_core(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpuinfo").write_text(CPUINFO)
    monkeypatch.setattr(facts, "_CPUINFO", tmp_path / "cpuinfo")
    found = facts.machine_facts()
    assert found["processor"] == "A Processor @ 2 GHz"
    assert found["instructions"] == ["avx2", "avx512_bf16"]


def test_nothing_names_the_machine() -> None:
    said = json.dumps(facts.machine_facts())
    assert os.uname().nodename not in said or len(os.uname().nodename) < 4
    assert str(Path.cwd()) not in said


def test_where_the_system_does_not_tell_there_is_still_a_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(facts, "_CPUINFO", tmp_path / "none")
    found = facts.machine_facts()
    assert found["processor"]
    assert found["instructions"] == []
