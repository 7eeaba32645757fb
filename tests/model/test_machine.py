from __future__ import annotations

import platform
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from quire.errors import RecipeError
from quire.model.machine import (
    choose_precision,
    choose_threads,
    device_name,
    matmul_rate,
    measure_machine,
    set_threads,
)
from quire.planner.facts import MachineFacts


def machine(fp32: float, bf16: float, native: tuple[str, ...], gpu: str | None = None) -> MachineFacts:
    return MachineFacts(
        cores=2,
        memory_bytes=2**33,
        memory_free_bytes=2**32,
        disk_free_bytes=2**35,
        rates=(("fp32", fp32), ("bf16", bf16)),
        native=native,
        gpu=gpu,
        gpu_memory_bytes=2**34 if gpu else None,
    )


NATIVE = machine(160e9, 390e9, ("fp32", "bf16"))
EMULATED = machine(160e9, 5e9, ("fp32",))
OLD_GPU = machine(8e12, 1e12, ("fp32", "fp16"), "T4")


def test_bf16_only_where_it_was_measured_to_be_native_and_the_reason_has_the_numbers() -> None:
    fast, slow = choose_precision(NATIVE, "auto"), choose_precision(EMULATED, "auto")
    assert (fast.value, slow.value) == ("bf16", "fp32")
    assert "390 GFLOP/s" in fast.reason
    assert "5 GFLOP/s" in slow.reason


def test_fp16_is_for_gpus_without_bf16_and_never_for_a_processor() -> None:
    assert choose_precision(OLD_GPU, "auto").value == "fp16"
    assert choose_precision(OLD_GPU, "fp16").value == "fp16"
    for facts in (NATIVE, EMULATED):
        with pytest.raises(RecipeError, match="fp16 does not work on a processor"):
            choose_precision(facts, "fp16")


@pytest.mark.parametrize("wanted", ["fp32", "bf16"])
def test_what_the_recipe_says_is_obeyed(wanted: str) -> None:
    decision = choose_precision(EMULATED, wanted)
    assert (decision.value, decision.reason) == (wanted, "as the recipe says")


def test_rates_are_measured_once_and_what_is_free_whenever_it_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that lives for days would otherwise plan with the disk of its first hour."""
    facts = measure_machine()
    usage = shutil.disk_usage(Path.cwd())
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    later = measure_machine()
    assert later.disk_free_bytes == 1000
    assert later.rates is facts.rates


def test_this_machine_is_measured() -> None:
    facts = measure_machine()
    assert facts.cores >= 1
    assert 0 < facts.memory_free_bytes <= facts.memory_bytes
    assert facts.disk_free_bytes > 0
    rates = dict(facts.rates)
    assert rates["fp32"] > 1e8
    if facts.gpu is None:
        assert ("bf16" in facts.native) == (rates["bf16"] >= 1.2 * rates["fp32"])
        assert "fp16" not in facts.native
        assert device_name() == "cpu"


def test_memory_is_the_systems_own_number() -> None:
    file = Path("/proc/meminfo")
    if not file.exists():
        pytest.skip("this system has no /proc/meminfo")
    total = int(file.read_text().split("MemTotal:")[1].split()[0]) * 1024
    assert measure_machine().memory_bytes == pytest.approx(total, rel=0.01)


def test_a_rate_is_operations_over_time() -> None:
    """Two sizes of the same matmul come to about the same rate, however different their times."""
    small, large = (matmul_rate(torch.float32, size, seconds=0.02) for size in (128, 384))
    assert 0.05 < small / large < 20


def test_threads_are_set() -> None:
    before = torch.get_num_threads()
    try:
        set_threads(1)
        assert torch.get_num_threads() == 1
    finally:
        set_threads(before)


def test_one_core_needs_no_measuring() -> None:
    assert choose_threads(1) == (1, "one core")


def test_the_threads_that_computed_more_are_chosen_and_the_setting_is_left_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = torch.get_num_threads()
    for rates, chosen in (({1: 10.0, 2: 18.0}, 2), ({1: 25.0, 2: 2.0}, 1)):
        monkeypatch.setattr(
            "quire.model.machine._chains_per_second", lambda threads, _seconds, rates=rates: rates[threads]
        )
        assert choose_threads(2)[0] == chosen
    assert torch.get_num_threads() == before


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library")
def test_large_tensors_leave_the_process_when_they_are_freed() -> None:
    """Without it, what is freed between two tensors that stay remains a hole in the heap."""
    code = (
        "import torch\n"
        "from quire.model.machine import give_freed_memory_back\n"
        "def held():\n"
        "    many = [torch.ones(2**19) for _ in range(60)]\n"
        "    del many[::2]\n"
        "    return int(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmRSS')))\n"
        "torch.ones(2**22)  # the C library learns from it to keep such blocks on its heap\n"
        "kept = held()\n"
        "assert give_freed_memory_back()\n"
        "print(kept - held())\n"
    )

    def left() -> int:
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        return int(done.stdout)

    # Where a process's heap begins is drawn anew each time, and now and then there are no holes to begin with.
    assert any(left() > 30 * 1024 for _ in range(5))  # kB: half of the 120 MB
