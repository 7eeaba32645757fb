"""Several processes against one: how far the curves lie apart, how fast it goes, how soon all end where one is killed.

    python -m benchmarks.cluster [--processes 1 2 4]

Every figure comes from `quire train --processes N` as a user calls it, with the embedded base on the novella.  On one
machine without a GPU all share the same cores: what is measured there is that the result is the same and what the
agreeing costs, not a gain in speed.
"""

from __future__ import annotations

import argparse
import hashlib
import itertools
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from quire.run.events import Event, read_events

RECIPE = """
base: embedded
shelf: [sample:novella]
train: {{evaluate_every: 5, steps: {steps}}}
write: {{max_new_tokens: 4}}
"""
METHODS = {"lora": "{lora: {rank: 4, dropout: 0}}", "full": "full"}
LIMIT = 300  # seconds for a run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--precisions", nargs="+", default=["fp32", "bf16"], choices=["fp32", "bf16"])
    parser.add_argument("--steps", type=int, default=20)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        recipe = folder / "recipe.yaml"
        recipe.write_text(RECIPE.format(steps=asked.steps), encoding="utf-8")
        failed = _curves(recipe, folder, asked.processes, asked.precisions)
        endless = folder / "endless.yaml"
        endless.write_text(RECIPE.format(steps=100_000), encoding="utf-8")
        return _kill(endless, folder) or failed


def _curves(recipe: Path, folder: Path, counts: list[int], precisions: list[str]) -> int:
    """The table of curves; 1 where one lies further from that of one process than the issue allows."""
    worst = 0.0
    print("method  precision  parallel  processes  largest relative difference  same voice  tokens/s (median step)")
    for method, precision in itertools.product(METHODS, precisions):
        alone: Path | None = None
        for parallel in ("ddp", "fsdp"):
            for count in sorted({1, *counts} if alone is None else set(counts) - {1}):
                run = folder / f"{method}-{precision}-{parallel}-{count}"
                _train(recipe, run, count, method, parallel, precision)
                alone = alone or run
                apart = _apart(_told(run), _told(alone))
                same = "yes" if _voice(run) == _voice(alone) else "no"
                worst = max(worst, apart)
                speed = statistics.median(float(str(e.values["tokens_per_second"])) for e in _told(run, ("step",)))
                print(
                    f"{method:6}  {precision:9}  {parallel:8}  {count:9}  {apart:27.1e}  {same:10}  {speed:,.0f}",
                    flush=True,
                )
    return int(worst > 1e-4)


def _told(run: Path, kinds: tuple[str, ...] = ("step", "validation")) -> list[Event]:
    return [event for event in read_events(run / "events.jsonl") if event.kind in kinds]


def _voice(run: Path) -> list[str]:
    """What the run has learned, as hashes."""
    return [hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted((run / "voice").glob("*.safetensors"))]


def _apart(one: list[Event], other: list[Event]) -> float:
    """The largest relative difference of two curves, which must be of the same steps."""
    if [(e.kind, e.step) for e in one] != [(e.kind, e.step) for e in other]:
        return float("inf")
    pairs = [(float(str(a.values["loss"])), float(str(b.values["loss"]))) for a, b in zip(one, other, strict=True)]
    return max(abs(a - b) / abs(b) for a, b in pairs)


def _command(recipe: Path, run: Path, count: int, method: str, parallel: str, precision: str) -> list[str]:
    chosen = [f"train.method={METHODS[method]}", f"train.parallel={parallel}", f"train.precision={precision}"]
    settings = [word for setting in chosen for word in ("--set", setting)]
    return [
        sys.executable,
        "-m",
        "quire",
        "train",
        str(recipe),
        "--run",
        str(run),
        "--processes",
        str(count),
        *settings,
    ]


def _train(recipe: Path, run: Path, count: int, method: str, parallel: str, precision: str) -> None:
    done = subprocess.run(  # noqa: S603 (Quire itself)
        _command(recipe, run, count, method, parallel, precision),
        capture_output=True,
        text=True,
        timeout=LIMIT,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"{run.name} left with {done.returncode}: {done.stderr[-2000:]}")


def _kill(recipe: Path, folder: Path) -> int:
    """Kill one of two workers in the midst of training, then go on; 1 where the others do not end or it cannot."""
    run = folder / "killed"
    command = _command(recipe, run, 2, "lora", "ddp", "fp32")
    launcher = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)  # noqa: S603 (Quire itself)
    _until(lambda: any(event.kind == "step" and event.step > 5 for event in read_events(run / "events.jsonl")))
    workers = [int(pid) for pid in Path(f"/proc/{launcher.pid}/task/{launcher.pid}/children").read_text().split()]
    killed_at = time.monotonic()
    os.kill(workers[-1], signal.SIGKILL)
    _, said = launcher.communicate(timeout=LIMIT)
    took = time.monotonic() - killed_at
    left = [pid for pid in workers if Path(f"/proc/{pid}").exists()]
    line = next((line for line in said.splitlines() if line.startswith("error:")), "(nothing was said)")
    print(f"\none of two workers killed: exit code {launcher.returncode} after {took:.1f} s, {len(left)} left over")
    print(f"  {line}")
    again = subprocess.run(  # noqa: S603 (Quire itself)
        [*command, "--max-time", "40s"], capture_output=True, text=True, timeout=LIMIT, check=False
    )
    resumed = [event.step for event in read_events(run / "events.jsonl") if event.kind == "resume"]
    print(f"  the same command resumed after step {resumed} and left with {again.returncode} when its time was up")
    return int(launcher.returncode != 75 or took > 30 or bool(left) or not resumed or again.returncode != 75)


def _until(true: object) -> None:
    assert callable(true)
    until = time.monotonic() + LIMIT
    while not true():
        if time.monotonic() > until:
            sys.exit("training did not begin")
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
