"""Several processes against one: how far the curves lie apart, how fast it goes, how soon all end where one is killed.

    python -m benchmarks.cluster [--processes 1 2 4]

Every figure comes from `quire train --processes N` as a user calls it, on a base of random weights and a book of a few
sentences, both made on the spot.  On one machine without a GPU all share the same cores: what is measured there is that
the result is the same and what the agreeing costs, not a gain in speed.
"""

from __future__ import annotations

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from quire.run.events import Event, read_events

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from tiny import save_base  # noqa: E402
from toy import toy_book  # noqa: E402

RECIPE = """
base: {base}
shelf: [{{path: {book}}}]
train: {{window: 64, precision: fp32, learning_rate: 2e-3, effective_batch: 8, evaluate_every: 5, epochs: {epochs}}}
write: {{max_new_tokens: 4}}
"""
METHODS = {"lora": "{lora: {rank: 4, dropout: 0}}", "full": "full"}
LIMIT = 300  # seconds for a run


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--epochs", type=float, default=4)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        folder = Path(home)
        recipe = folder / "recipe.yaml"
        base, book = save_base(folder / "base", "llama"), toy_book(folder / "book.md", chapters=12)
        recipe.write_text(RECIPE.format(base=base, book=book, epochs=asked.epochs), encoding="utf-8")
        failed = _curves(recipe, folder, asked.processes)
        endless = folder / "endless.yaml"
        endless.write_text(RECIPE.format(base=base, book=book, epochs=5000), encoding="utf-8")
        return _kill(endless, folder) or failed


def _curves(recipe: Path, folder: Path, counts: list[int]) -> int:
    """The table of curves; 1 where one lies further from that of one process than the issue allows."""
    worst = 0.0
    print("method  parallel  processes  steps  largest relative difference  tokens/s (median step)")
    for method in METHODS:
        reference: list[Event] | None = None
        for parallel in ("ddp", "fsdp"):
            for count in sorted({1, *counts} if reference is None else set(counts) - {1}):
                run = folder / f"{method}-{parallel}-{count}"
                _train(recipe, run, count, method, parallel)
                told = [e for e in read_events(run / "events.jsonl") if e.kind in ("step", "validation")]
                reference = reference or told
                apart = _apart(told, reference)
                worst = max(worst, apart)
                steps = [e for e in told if e.kind == "step"]
                speed = statistics.median(float(str(e.values["tokens_per_second"])) for e in steps)
                print(f"{method:6}  {parallel:8}  {count:9}  {len(steps):5}  {apart:27.1e}  {speed:,.0f}", flush=True)
    return int(worst > 1e-4)


def _apart(one: list[Event], other: list[Event]) -> float:
    """The largest relative difference of two curves, which must be of the same steps."""
    if [(e.kind, e.step) for e in one] != [(e.kind, e.step) for e in other]:
        return float("inf")
    pairs = [(float(str(a.values["loss"])), float(str(b.values["loss"]))) for a, b in zip(one, other, strict=True)]
    return max(abs(a - b) / abs(b) for a, b in pairs)


def _command(recipe: Path, run: Path, count: int, method: str, parallel: str) -> list[str]:
    chosen = [f"train.method={METHODS[method]}", f"train.parallel={parallel}"]
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


def _train(recipe: Path, run: Path, count: int, method: str, parallel: str) -> None:
    done = subprocess.run(  # noqa: S603 (Quire itself)
        _command(recipe, run, count, method, parallel), capture_output=True, text=True, timeout=LIMIT, check=False
    )
    if done.returncode != 0:
        sys.exit(f"{run.name} left with {done.returncode}: {done.stderr[-2000:]}")


def _kill(recipe: Path, folder: Path) -> int:
    """Kill one of two workers in the midst of training, then go on; 1 where the others do not end or it cannot."""
    run = folder / "killed"
    command = _command(recipe, run, 2, "lora", "ddp")
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
