"""The bench of preparing: children's memory counts, and the claim can be read from what is written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from benchmarks.preparing import main, processor, told_of, tree_bytes


def run(windows: int, tokens: int, seconds: float, peak: int) -> dict[str, Any]:
    rate = round(tokens / seconds)
    spent = {"own": 0.4 * seconds, "children": 0.6 * seconds}
    return {
        "windows": windows,
        "tokens": tokens,
        "processor_seconds": spent,
        "tokens_per_processor_second": rate,
        "peak_bytes": peak,
    }


def test_the_claim_is_read_from_the_larger_run() -> None:
    told = told_of([run(10, 1_000_000, 6.0, 100), run(100, 10_000_000, 51.0, 110)], {"cores": 2}, "drawn")
    assert told["windows"] == [10, 100]
    assert told["tokens_per_processor_second"] == round(10_000_000 / 51)
    assert told["tokens_per_processor_second_without_the_start"] == 200_000  # 9 M tokens in 45 s
    assert (told["peak_bytes"], told["growth"]) == ([100, 110], 1.1)
    assert told["core_minutes_for_a_million_windows"] == pytest.approx(512e6 / 196_078 / 60, abs=0.1)
    assert told["machine"] == {"cores": 2}


def process(home: Path, number: int, parent: int, name: str, kilobytes: int | None) -> None:
    folder = home / str(number)
    folder.mkdir()
    held = "" if kilobytes is None else f"VmHWM:\t{kilobytes:8} kB\n"
    (folder / "status").write_text(f"Name:\t{name}\nPPid:\t{parent}\n{held}Threads:\t1\n")


def test_all_below_a_process_are_counted_and_no_others(tmp_path: Path) -> None:
    process(tmp_path, 7, 1, "measured", 100)
    process(tmp_path, 8, 7, "child (of: 7) 1", 20)
    process(tmp_path, 9, 8, "grandchild", 3)
    process(tmp_path, 10, 7, "ended", None)
    process(tmp_path, 11, 1, "another", 5000)
    (tmp_path / "12").mkdir()  # gone between the list and the look
    (tmp_path / "self").mkdir()
    assert tree_bytes(7, tmp_path) == 123 * 1024
    assert tree_bytes(99, tmp_path) == 0
    assert tree_bytes(7, tmp_path / "nowhere") == 0


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells of other processes' memory")
def test_a_child_that_lives_counts() -> None:
    code = "held = b'x' * 30_000_000; print(flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        with_it, alone = tree_bytes(os.getpid()), tree_bytes(child.pid)
        child.communicate(b"\n")
    assert alone > 30_000_000
    assert with_it > alone


def test_the_processor_time_of_ended_children_counts() -> None:
    before = processor()["children"]
    subprocess.run([sys.executable, "-c", "sum(range(10**6))"], check=True)
    assert processor()["children"] > before


@pytest.mark.slow
def test_a_small_corpus_is_prepared_and_told(tmp_path: Path) -> None:
    target = tmp_path / "preparing.json"
    main(["--windows", "150", "--results", str(target)])
    told = json.loads(target.read_text())
    assert told["windows"] == [150, 1500]
    assert told["machine"].keys() >= {"processor", "cores", "date", "commit"}
    assert all(one["peak_bytes"] >= one["own_bytes"] > 10**7 for one in told["runs"])
    assert all(one["processor_seconds"]["children"] > 0 for one in told["runs"])
