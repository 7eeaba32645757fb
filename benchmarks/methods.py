"""What a thriftier way of training costs: held-out loss after training, against the plain way with the same seed.

Adapters on a base in 8 and in 4 bits against one in bf16; all weights with the optimisers that save memory against
AdamW.  `python -m benchmarks.methods [BOOK] [--seeds 2] [--only "adapter"]`

Every way of a kind trains the same base for the same steps on the same rows in the same order, which is checked: tokens
and learning rate of every step, the steps at which held-out text is measured.  The held-out text is the book's own
validation passages, computed in the precision that was trained in.  Written to benchmarks/results/methods.json, whose
`ratios` say for each kind and way: the loss after training over the plain way's, the mean of all seeds and the largest.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import quire
from benchmarks import facts
from quire.run.events import Event, read_events
from quire.run.folder import RunFolder

RESULTS = Path(__file__).parent / "results" / "methods.json"
MOST = 1.005  # times the plain way's loss
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
    """Nats per token of held-out text, before and after; `ratio` is that of the loss after to the plain way's; what was
    trained is `course`: for each step its tokens and its learning rate, and the steps at which was validated."""

    kind: str
    way: str
    seed: int
    before: float
    after: float
    ratio: float
    seconds: float
    course: tuple[tuple[object, ...], ...]

    @property
    def name(self) -> str:
        return f"{self.kind}/{self.way}/{self.seed}"

    def to_json(self, machine: Mapping[str, Any]) -> dict[str, Any]:
        """One of `rows` in the results."""
        told = {key: value for key, value in asdict(self).items() if key != "course"}
        return {"of": self.name, **told, "date": machine["date"], "commit": machine["commit"]}


def main(arguments: Sequence[str] | None = None) -> int:
    """Train every way with every seed; print and keep the table; 1 where one is more than half a per cent worse."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.methods", description=__doc__.splitlines()[0])
    parser.add_argument("book", nargs="?", default="sample:novella")
    parser.add_argument("--base", default="embedded")
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--only", choices=list(KINDS), help="this kind alone; the other's figures stay")
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args(arguments)
    machine = facts.machine()
    trained = {"book": Path(asked.book).name, "base": asked.base, "steps": asked.steps}
    rows = rows_kept(asked.results, trained) if asked.only else []
    print("kind         way         seed  before   after    of the plain  seconds in steps")
    with tempfile.TemporaryDirectory(prefix="quire-methods-") as home:
        for kind in [asked.only] if asked.only else KINDS:
            rows = [row for row in rows if row["kind"] != kind]
            for seed in range(1, asked.seeds + 1):
                plain: Outcome | None = None
                for way in KINDS[kind]:
                    path = Path(home) / f"{kind}-{way}-{seed}".replace(" ", "-")
                    outcome = carry_out(asked.book, asked.base, asked.steps, kind, way, seed, path, plain)
                    plain = plain or outcome
                    rows.append(outcome.to_json(machine))
                    print(_line(outcome), flush=True)
                    facts.write(asked.results, told_of(rows, trained, machine))
    found = ratios(rows)
    for kind, ways in found.items():
        for way, one in ways.items():
            said = f"{one['mean']:.4f}, {one['largest']:.4f} at most over {one['seeds']} seeds"
            print(f"held-out loss, {kind}, {way} over {next(iter(KINDS[kind]))}: {said}")
    return int(max(one["mean"] for ways in found.values() for one in ways.values()) > MOST)


def carry_out(
    book: str, base: str, steps: int, kind: str, way: str, seed: int, path: Path, plain: Outcome | None
) -> Outcome:
    """Train in one way, and compare with the plain one."""
    settings = {**KINDS[kind][way], "seed": seed, "train.steps": steps, "write.max_new_tokens": 8}
    quire.train(book, base=base, run=path, settings=settings)
    return outcome_of(read_events(RunFolder(path).events_file), kind, way, seed, plain)


def outcome_of(events: Iterable[Event], kind: str, way: str, seed: int, plain: Outcome | None) -> Outcome:
    """What the run's own events say.  ValueError where it was not trained on what the plain way was."""
    heard = [event for event in events if event.kind in ("validation", "step")]
    losses = [float(str(event.values["loss"])) for event in heard if event.kind == "validation"]
    seconds = sum(float(str(event.values["seconds"])) for event in heard if event.kind == "step")
    course = tuple((event.kind, event.step, *map(event.values.get, ("tokens", "learning_rate"))) for event in heard)
    if plain is not None and course != plain.course:
        raise ValueError(f"{kind}, {way}, seed {seed}: it was not trained as {plain.way} was, so that nothing compares")
    ratio = losses[-1] / plain.after if plain is not None else 1.0
    return Outcome(kind, way, seed, losses[0], losses[-1], ratio, round(seconds, 1), course)


def rows_kept(results: Path, trained: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows that are there, where they are of the same training."""
    before = facts.read(results)
    other = [name for name, value in trained.items() if before and before[name] != value]
    if other:
        sys.exit(
            f"error: {results} is of another training ({other[0]} {before[other[0]]})\n"
            "try: python -m benchmarks.methods without --only, or another file with --results"
        )
    rows: list[dict[str, Any]] = before.get("rows", [])
    return rows


def told_of(
    rows: Sequence[Mapping[str, Any]], trained: Mapping[str, Any], machine: Mapping[str, Any]
) -> dict[str, Any]:
    """As benchmarks/results/methods.json keeps it."""
    return {"machine": dict(machine), **trained, "most": MOST, "ratios": ratios(rows), "rows": [*map(dict, rows)]}


def ratios(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, dict[str, float]]]:
    """For each kind and each way but the plain one: the mean of all seeds, the largest, how many seeds."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for kind, ways in KINDS.items():
        for way in list(ways)[1:]:
            own = [float(row["ratio"]) for row in rows if (row["kind"], row["way"]) == (kind, way)]
            if own:
                one = {"mean": round(statistics.mean(own), 5), "largest": round(max(own), 5), "seeds": len(own)}
                found.setdefault(kind, {})[way] = one
    return found


def _line(one: Outcome) -> str:
    shown = f"{one.before:.4f}   {one.after:.4f}   {one.ratio:8.4f} ×  {one.seconds:10.1f}"
    return f"{one.kind:12} {one.way:11} {one.seed:4}  {shown}"


if __name__ == "__main__":
    sys.exit(main())
