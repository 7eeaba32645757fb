"""What a thriftier way of training costs: held-out loss after training, against the plain way with the same seed.

Adapters on a base in 8 and in 4 bits against one in bf16; all weights with the optimisers that save memory against
AdamW.  Written to benchmarks/results/methods.json.  `python -m benchmarks.methods [BOOK] [--seeds 2]`
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import quire
from quire.run.events import read_events
from quire.run.folder import RunFolder

RESULTS = Path(__file__).parent / "results" / "methods.json"
Settings = Mapping[str, object]

QLORA: Settings = {"train.method": "qlora"}
FULL: Settings = {"train.method": "full", "train.precision": "bf16", "train.learning_rate": 3e-4}
# Each kind of training, the plain way first.
KINDS: Mapping[str, Mapping[str, Settings]] = {
    "adapter": {
        "bf16": {"train.method": "lora", "train.precision": "bf16"},
        "int8": {**QLORA, "train.precision": "int8"},
        "nf4": {**QLORA, "train.precision": "nf4"},
    },
    "all weights": {name: {**FULL, "train.optimizer": name} for name in ("adamw", "adamw_8bit", "adafactor")},
}


@dataclass(frozen=True)
class Outcome:
    """Nats per token of held-out text, before and after; `worse` is how much more of it than by the plain way."""

    kind: str
    way: str
    seed: int
    before: float
    after: float
    worse: float
    seconds: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Train every way with every seed; print and keep the table; 1 where one is more than half a per cent worse."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.methods", description=__doc__.splitlines()[0])
    parser.add_argument("book", nargs="?", default="sample:novella")
    parser.add_argument("--base", default="embedded")
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--seeds", type=int, default=2)
    asked = parser.parse_args(arguments)
    found: list[Outcome] = []
    print("kind         way         seed  before   after    worse by  seconds in steps")
    with tempfile.TemporaryDirectory(prefix="quire-methods-") as home:
        for kind, ways in KINDS.items():
            for seed in range(1, asked.seeds + 1):
                plain: float | None = None
                for way, settings in ways.items():
                    path = Path(home) / f"{kind}-{way}-{seed}".replace(" ", "-")
                    chosen = {**settings, "seed": seed, "train.steps": asked.steps, "write.max_new_tokens": 8}
                    quire.train(asked.book, base=asked.base, run=path, settings=chosen)
                    outcome = _outcome(path, kind, way, seed, plain)
                    plain = plain or outcome.after
                    found.append(outcome)
                    print(_line(outcome), flush=True)
    facts = {"book": Path(asked.book).name, "base": asked.base, "steps": asked.steps}
    RESULTS.write_text(json.dumps({**facts, "rows": [asdict(one) for one in found]}, indent=2) + "\n")
    means = [statistics.mean(o.worse for o in found if o.way == way) for ways in KINDS.values() for way in ways]
    return int(max(means) > 0.005)


def _outcome(path: Path, kind: str, way: str, seed: int, plain: float | None) -> Outcome:
    """What the run's own events say."""
    events = list(read_events(RunFolder(path).events_file))
    losses = [float(str(event.values["loss"])) for event in events if event.kind == "validation"]
    seconds = sum(float(str(event.values["seconds"])) for event in events if event.kind == "step")
    worse = losses[-1] / plain - 1 if plain else 0.0
    return Outcome(kind, way, seed, losses[0], losses[-1], worse, round(seconds, 1))


def _line(one: Outcome) -> str:
    shown = f"{one.before:.4f}   {one.after:.4f}   {one.worse:+8.2%}  {one.seconds:10.1f}"
    return f"{one.kind:12} {one.way:11} {one.seed:4}  {shown}"


if __name__ == "__main__":
    sys.exit(main())
