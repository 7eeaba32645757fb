"""Loading is quick because nothing is copied: the weights are the pages of the one file that holds them.

How long it takes is measured by `python -m benchmarks.base`, for a test of seconds fails on a busy machine.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel

from quire.model.base import load_base
from quire.planner.bases import find_base


def mapped(file: Path) -> list[tuple[int, int]]:
    """Where the pages of a file lie in this process' memory."""
    lines = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
    ends = [re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line) for line in lines if line.endswith(str(file.resolve()))]
    return [(int(found[1], 16), int(found[2], 16)) for found in ends if found]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what lies where in memory")
@pytest.mark.parametrize("by", ["quire", "transformers"])
def test_weights_in_bf16_are_the_files_own_pages(by: str, embedded: Path) -> None:
    """Every one of them, the embedding once for both its uses."""
    model: PreTrainedModel = (
        load_base(find_base("embedded"), "bf16").model
        if by == "quire"
        else AutoModelForCausalLM.from_pretrained(embedded)
    )
    pages = mapped(embedded / "model.safetensors")
    assert pages
    size = 0
    for name, weight in model.named_parameters():
        assert weight.dtype == torch.bfloat16
        assert any(first <= weight.data_ptr() < last for first, last in pages), name
        size += weight.nbytes
    file = (embedded / "model.safetensors").stat().st_size
    assert 0 <= file - size < 0.02 * file + 8192, "the file holds the weights once, and a table of their names"
