"""What `quire plan` foretells beside what training then takes: `python -m benchmarks.plan` (`make bench-plan`).

Bases of several shapes with random weights are really trained for a few steps by `quire train` on the bundled novella,
each case in a process of its own, so that its peak of memory is its own.  Before, in another process, the same case is
planned, its time from a measurement of a few layers.  Both are written to benchmarks/results/plan.json, with the
machine; `--only` measures some cases again and leaves the others as they are.

On a machine that others use too, `--clock cpu` compares seconds of one processor core instead of those of the wall.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks import facts

RESULTS = Path(__file__).parent / "results" / "plan.json"
BOOK = "sample:novella"
CLOCKS: dict[str, Callable[[], float]] = {"cpu": time.process_time, "wall": time.time}

# hidden, layers, heads, key-value heads, intermediate, vocabulary
SHAPES: dict[str, tuple[int, int, int, int, int, int]] = {
    "25M": (384, 10, 6, 2, 1024, 16384),
    "135M": (576, 30, 9, 3, 1536, 49152),
    "360M": (960, 32, 15, 5, 2560, 49152),
    "1.1B": (2048, 22, 32, 4, 5632, 32000),
}
EMBEDDED = "embedded"
QV: dict[str, Any] = {"lora": {"rank": 8, "targets": ["q_proj", "v_proj"]}}


@dataclass(frozen=True)
class Case:
    """A base's shape and a training, as settings of a recipe."""

    shape: str
    train: dict[str, Any]
    steps: int = 3


CASES: tuple[Case, ...] = (
    Case(EMBEDDED, {"method": "lora", "window": 256}, 24),
    Case(EMBEDDED, {"method": "lora", "window": 1024, "checkpointing": True}),
    Case(EMBEDDED, {"method": "full", "window": 512}, 12),
    Case(EMBEDDED, {"method": "qlora", "window": 256}, 24),
    Case(EMBEDDED, {"method": "lora", "window": 2048, "precision": "fp32", "effective_batch": 2}),
    Case("25M", {"method": "full", "window": 512, "optimizer": "adamw_8bit", "effective_batch": 4}),
    Case("25M", {"method": "full", "window": 512, "optimizer": "adafactor", "effective_batch": 4}),
    Case("25M", {"method": "full", "window": 1024, "checkpointing": True, "effective_batch": 2}),
    Case("135M", {"method": QV, "window": 512, "effective_batch": 2}),
    Case("135M", {"method": "lora", "window": 512, "checkpointing": True, "effective_batch": 2}),
    Case("135M", {"method": "qlora", "window": 256, "effective_batch": 2}),
    Case("135M", {"method": "full", "window": 256, "effective_batch": 2}),
    Case("360M", {"method": "lora", "window": 256, "effective_batch": 2}),
    Case("360M", {"method": "qlora", "window": 256, "checkpointing": True, "effective_batch": 2}),
)
LARGE: tuple[Case, ...] = (
    Case("1.1B", {"method": QV, "window": 256, "effective_batch": 1}, 2),
    Case("1.1B", {"method": "qlora", "window": 256, "checkpointing": True, "effective_batch": 1}, 2),
)
ORDER: tuple[dict[str, Any], ...] = tuple(asdict(case) for case in (*CASES, *LARGE))


@dataclass(frozen=True)
class Outcome:
    """One case: bytes and seconds, foretold and measured."""

    case: Case
    foretold_bytes: int
    measured_bytes: int
    foretold_seconds: float
    measured_seconds: float
    measuring_seconds: float

    @property
    def memory(self) -> float:
        """Foretold over measured."""
        return self.foretold_bytes / self.measured_bytes

    @property
    def seconds(self) -> float:
        """Foretold over measured."""
        return self.foretold_seconds / self.measured_seconds

    def to_json(self, clock: str, machine: Mapping[str, Any]) -> dict[str, Any]:
        """One of `cases` in the results: measured by that clock, with so many threads, when, and of which commit."""
        return {
            **asdict(self),
            "memory": round(self.memory, 3),
            "seconds": round(self.seconds, 3),
            "clock": clock,
            "threads": os.environ.get("OMP_NUM_THREADS", ""),
            "date": machine["date"],
            "commit": machine["commit"],
        }


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a table, case by case, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clock", choices=sorted(CLOCKS), default="wall")
    parser.add_argument("--large", action="store_true", help="a base of 1.1B too: 8 GB of memory, some minutes")
    parser.add_argument("--only", type=int, nargs="*", help="numbers of cases, from 0")
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args(arguments)
    cases = [*CASES, *(LARGE if asked.large else ())]
    chosen = [cases[number] for number in asked.only] if asked.only else cases
    machine = facts.machine()
    kept = cases_kept(asked.results, machine, chosen)
    print("| base | training | memory foretold | measured | ratio | time foretold | measured | ratio |")
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="quire-bench-plan-") as home:
        for case in chosen:
            found = carry_out(case, Path(home), asked.clock)
            print(line(found), flush=True)
            kept = facts.merged(kept, [found.to_json(asked.clock, machine)], "case", ORDER)
            write(kept, machine, asked.results)


def cases_kept(results: Path, machine: Mapping[str, Any], chosen: Sequence[Case]) -> list[dict[str, Any]]:
    """The cases of the results as they are.  Figures of two machines do not go together: those of another one, or of
    one that is not told, go where all of them are `chosen` to be measured again, and otherwise nothing is measured."""
    before = facts.read(results)
    kept: list[dict[str, Any]] = before.get("cases", [])
    known = isinstance(before.get("machine"), dict)
    other = facts.other_machine(before["machine"], machine) if known else "one that is not told"
    if other is None:
        return kept
    again = [asdict(case) for case in chosen]
    if any(one["case"] not in again for one in kept):
        sys.exit(
            f"error: {results} was measured on another machine ({other})\n"
            "try: python -m benchmarks.plan --large, which measures all, or another file with --results"
        )
    return []


def write(cases: Sequence[Mapping[str, Any]], machine: Mapping[str, Any], results: Path) -> None:
    """Keep what there is so far; the machine is as it was at the latest figures."""
    largest = {key: round(max(abs(one[key] - 1) for one in cases), 3) for key in ("memory", "seconds")}
    facts.write(results, {"machine": dict(machine), "largest_error": largest, "cases": [dict(one) for one in cases]})


def line(one: Outcome) -> str:
    """A row of the table."""
    train = ", ".join(f"{key} {value if value is not QV else 'lora on q, v'}" for key, value in one.case.train.items())
    memory = f"{one.foretold_bytes / 2**20:,.0f} MiB | {one.measured_bytes / 2**20:,.0f} MiB | {one.memory:.2f}"
    seconds = f"{one.foretold_seconds:.1f} s | {one.measured_seconds:.1f} s | {one.seconds:.2f}"
    return f"| {one.case.shape} | {train} | {memory} | {seconds} |"


def carry_out(case: Case, home: Path, clock: str) -> Outcome:
    """Plan the case, then train it, each in a process of its own."""
    base = EMBEDDED if case.shape == EMBEDDED else str(make(case.shape, home / case.shape))
    with tempfile.TemporaryDirectory(dir=home) as run:
        said = [_in_process(part, case, base, Path(run) / "run", clock) for part in ("foretell", "train")]
    return Outcome(case, said[0]["bytes"], said[1]["bytes"], said[0]["seconds"], said[1]["seconds"], said[0]["took"])


def _in_process(part: str, case: Case, base: str, run: Path, clock: str) -> dict[str, Any]:
    question = json.dumps({"base": base, "settings": settings_of(case), "run": str(run), "clock": clock})
    command = [sys.executable, "-W", "ignore", "-c", f"from benchmarks.plan import {part}; {part}()"]
    home = Path(__file__).parents[1]
    done = subprocess.run(command, input=question, capture_output=True, text=True, check=False, cwd=home)  # noqa: S603
    if done.returncode:
        raise SystemExit(f"{part} {case}:\n{done.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def settings_of(case: Case) -> dict[str, Any]:
    """The case as `--set` would say it: one validation at the end, short samples."""
    train = {f"train.{key}": value for key, value in case.train.items()}
    return {**train, "train.steps": case.steps, "train.evaluate_every": case.steps, "write.max_new_tokens": 16}


def make(shape: str, folder: Path) -> Path:
    """A base of that shape, with random weights and a small tokenizer; made once."""
    if (folder / "config.json").is_file():
        return folder
    code = f"from benchmarks.plan import build; build({shape!r}, {str(folder)!r})"
    home = Path(__file__).parents[1]
    subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, check=True, cwd=home)  # noqa: S603
    return folder


def build(shape: str, place: str) -> None:
    """Make a base, in a process whose memory does not count."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from quire.tokens.make import make_tokenizer

    hidden, layers, heads, kv_heads, intermediate, vocabulary = SHAPES[shape]
    torch.manual_seed(7)
    config = LlamaConfig(
        hidden_size=hidden,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        intermediate_size=intermediate,
        vocab_size=vocabulary,
        max_position_embeddings=4096,
        tie_word_embeddings=shape != "1.1B",
    )
    torch.set_default_dtype(torch.bfloat16)
    LlamaForCausalLM(config).save_pretrained(place)
    make_tokenizer(["The sea was not there. La mer n'y était pas."] * 4, 300, Path(place))


def foretell() -> None:
    """Print what the plan says, its time measured by the clock that was asked for, and without the base's loading."""
    from quire.model.machine import choose_precision, choose_threads, measure_machine, set_threads
    from quire.planner.bases import find_base
    from quire.planner.pace import tokens_written
    from quire.planner.plan import make_plan
    from quire.planner.schedule import choose_batch
    from quire.planner.shape import read_shape
    from quire.training.pace import measure_pace
    from quire.verbs.plan import plan

    asked = json.load(sys.stdin)
    report = plan(BOOK, base=asked["base"], settings=asked["settings"])
    stage, folder, machine = report.stages[0].stage, find_base(asked["base"]).path, measure_machine()
    set_threads(choose_threads(int(os.environ.get("OMP_NUM_THREADS", os.cpu_count() or 1)))[0])
    precision = choose_precision(machine, stage.precision, stage.method.qlora is not None).value
    choice, shape, text = choose_batch(stage), read_shape(folder), report.plan.text
    twice = make_plan(stage, shape, text, machine, precision).checkpointing
    clock = CLOCKS[asked["clock"]]
    pace = measure_pace(folder, stage, choice, precision, twice, Path(asked["run"]), clock)
    written = tokens_written(report.loaded.recipe)
    made = make_plan(stage, shape, text, machine, precision, pace, written=written)
    seconds = made.seconds or 0.0
    print(json.dumps({"bytes": made.memory.total, "seconds": seconds - pace.load, "took": pace.took}))


def train() -> None:
    """Train, and print the peak of this process and the seconds from the base's being loaded to the run's end."""
    import resource

    from quire.run.events import Event
    from quire.verbs.train import train as carry_out_training

    asked = json.load(sys.stdin)
    clock = CLOCKS[asked["clock"]]
    heard: list[float] = []

    def listen(event: Event) -> None:
        if event.kind in ("decided", "done"):
            heard.append(clock())

    carry_out_training(BOOK, base=asked["base"], run=asked["run"], settings=asked["settings"], listener=listen)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"bytes": peak, "seconds": heard[-1] - heard[0]}))


if __name__ == "__main__":
    main()
