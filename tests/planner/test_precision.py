"""Number formats that a machine cannot compute in are refused before anything is loaded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quire.errors import RecipeError
from quire.planner.facts import MachineFacts
from quire.planner.precision import require_precision

LAPTOP = MachineFacts(
    cores=4,
    memory_bytes=2**33,
    memory_free_bytes=2**32,
    disk_free_bytes=2**36,
    rates=(("fp32", 1e11),),
    native=("fp32",),
)
GPU = replace(LAPTOP, gpu="a GPU", gpu_memory_bytes=2**34)


def test_half_precision_wants_a_gpu() -> None:
    with pytest.raises(RecipeError, match=r"train\.precision: fp16 does not work on a processor") as caught:
        require_precision("fp16", LAPTOP)
    assert "fp32" in caught.value.then
    require_precision("fp16", GPU)


@pytest.mark.parametrize("wanted", ["auto", "fp32", "bf16"])
@pytest.mark.parametrize("machine", [LAPTOP, GPU])
def test_the_other_formats_go_everywhere(wanted: str, machine: MachineFacts) -> None:
    require_precision(wanted, machine)
