"""Do the live warnings speak when they should, and only then?  `python -m benchmarks.alarms [--seeds 3] [--keep DIR]`.

Healthy trainings of many settings must hear nothing; trainings made to fail in a known way must hear of it.  All are
real: a small base is made from the bundled texts, then adapters and whole weights are trained on it.  With --base
another base is used, with --books the texts of a folder too.  The warnings are those that the runs told live; hearing
their events again must give the same ones.

With --keep the runs stay in FOLDER, and those that stand there are not trained again.  Exit code 1 where a healthy run
was warned of, fewer than nine of ten provoked troubles were noticed, or hearing again says otherwise.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import yaml

from benchmarks import facts
from quire.errors import QuireError, Stopped
from quire.recipe.resolved import load_resolved
from quire.run.events import Event, read_events
from quire.training.watching.alarms import Alarms
from quire.verbs.train import train

RESULTS = Path(__file__).parent / "results" / "alarms.json"
SHAPE = {"hidden": 64, "layers": 2, "heads": 4, "key_value_heads": 2, "intermediate": 128, "positions": 128}
COMMON: Mapping[str, Any] = {"window": 64, "effective_batch": 8, "learning_rate": 2e-3, "precision": "fp32"}
PROVOKED_SHARE = 0.9
OF_THE_MACHINE = frozenset({"too-long", "out-of-memory"})
"""True of the machine while the bench ran on it, and no matter of the training."""


@dataclass(frozen=True)
class Case:
    """A training: its text, its settings beside COMMON, and the anchors of which one must be told; none: healthy."""

    name: str
    text: str
    settings: Mapping[str, Any]
    expected: tuple[str, ...] = ()
    base: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Outcome:
    """What a run of a case told: the anchors and texts of its live warnings, in order, and how it ended."""

    case: str
    seed: int
    healthy: bool
    steps: int
    told: tuple[str, ...]
    texts: tuple[str, ...]
    right: bool
    same_again: bool
    ended: str
    seconds: float


HEALTHY = (
    Case("plain", "novella", {}),
    Case("single rows", "novella", {"effective_batch": 1, "epochs": 1, "learning_rate": 5e-4}),
    Case("parts", "novella", {"parts": 3, "epochs": 2}),
    Case("linear", "tale", {"schedule": "linear", "warmup": "10%"}),
    Case("constant", "novella", {"schedule": "constant", "epochs": 2}),
    Case("all weights", "novella", {"method": "full", "learning_rate": 3e-4}),
    Case("high rank", "novella", {"method": {"lora": {"rank": 64, "alpha": 64, "dropout": 0.2}}}),
    Case("dora", "novella", {"method": {"lora": {"rank": 8, "dora": True}}, "epochs": 1}),
    Case("poems", "poems", {}),
    Case("early stop", "tale", {"epochs": 40, "early_stop": 2}),
    Case("every fifth step", "novella", {"log_every": 5}),
    Case("slow", "novella", {"learning_rate": 3e-4, "epochs": 2}),
    Case("seldom", "novella", {"evaluate_every": 60}),
    Case("often", "novella", {"evaluate_every": 3, "epochs": 1}),
    Case("overlap", "novella", {"stride": 32, "epochs": 1}),
    Case("noise", "novella", {"neftune": 5, "goldfish": 4, "epochs": 2}),
    Case("from nothing", "novella", {"method": "full", "epochs": 4}, base={"fresh": {**SHAPE, "vocabulary": 512}}),
)
HIGH = ("loss-leaps", "not-finite")
PROVOKED = (
    Case("rate × 100", "novella", {"learning_rate": 0.2}, HIGH),
    Case("rate × 30", "novella", {"learning_rate": 0.06}, HIGH),
    Case("rate × 100, parts", "novella", {"learning_rate": 0.2, "parts": 3}, HIGH),
    Case("rate × 100, single rows", "novella", {"learning_rate": 0.1, "effective_batch": 1, "epochs": 1}, HIGH),
    Case("all weights, rate × 100", "novella", {"method": "full", "learning_rate": 0.03}, HIGH),
    Case("rate × 300, no clip", "novella", {"learning_rate": 0.6, "clip": 0}, HIGH),
    Case("frozen", "novella", {"learning_rate": 1e-7}, ("nothing-changes",)),
    Case("frozen, all weights", "novella", {"method": "full", "learning_rate": 1e-8}, ("nothing-changes",)),
    Case(
        "frozen, single rows",
        "novella",
        {"learning_rate": 1e-7, "effective_batch": 1, "epochs": 1},
        ("nothing-changes",),
    ),
    Case("tiny text", "tiny", {"epochs": 60}, ("overfitting",)),
    Case("tiny text, all weights", "tiny", {"epochs": 60, "method": "full", "learning_rate": 1e-3}, ("overfitting",)),
    Case("many epochs", "tale", {"epochs": 40, "method": {"lora": {"rank": 64}}}, ("overfitting", "plateau")),
    Case("shuffled words", "shuffled", {"epochs": 20, "schedule": "constant"}, ("overfitting", "plateau")),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Train, count, print the table; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.alarms", description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=3, help="of each case (default: 3)")
    parser.add_argument("--base", default=None, help="a base instead of the small one that is made")
    parser.add_argument("--books", type=Path, default=None, help="a folder of books: each is a healthy case too")
    parser.add_argument("--only", action="append", help="this case alone")
    parser.add_argument("--keep", type=Path, default=None, help="where runs stay")
    parser.add_argument("--write", action="store_true", help=f"keep the figures in {RESULTS.name}")
    asked = parser.parse_args(arguments)
    machine = facts.machine()
    with tempfile.TemporaryDirectory(prefix="quire-alarms-") as temporary:
        home = asked.keep or Path(temporary)
        texts = write_texts(home / "texts")
        base = asked.base or make_base(home)
        cases = [
            case for case in (*HEALTHY, *PROVOKED, *of_books(asked.books)) if not asked.only or case.name in asked.only
        ]
        outcomes = []
        for seed in range(1, asked.seeds + 1):
            for case in cases:
                outcomes.append(carry_out(case, seed, base, texts, home / "runs"))
                show(outcomes[-1])
    figures = summed(outcomes)
    print(json.dumps(figures, indent=2))
    if asked.write:
        facts.write(RESULTS, {"machine": machine, **figures, "runs": [asdict(one) for one in outcomes]})
    good = figures["false_alarms"] == 0 and figures["noticed_share"] >= PROVOKED_SHARE and figures["same_again"]
    return 0 if good else 1


def carry_out(case: Case, seed: int, base: str, texts: Mapping[str, str], home: Path) -> Outcome:
    """Train one case with one seed, and look at what was told."""
    run = home / f"{case.name.replace(' ', '-')}-{seed}"
    recipe = home.parent / "recipes" / f"{run.name}.yaml"
    recipe.parent.mkdir(parents=True, exist_ok=True)
    item = texts.get(case.text, case.text)
    made = {
        "seed": seed,
        "base": dict(case.base) if case.base else base,
        "shelf": [item],
        "train": {**COMMON, **case.settings},
        "write": {"max_new_tokens": 2},
    }
    recipe.write_text(yaml.safe_dump(made, allow_unicode=True))
    ended, began = "done", time.monotonic()
    if not any(event.kind in ("done", "error") for event in read_events(run / "events.jsonl")):
        try:
            train(recipe, run=run)
        except Stopped:
            raise
        except QuireError as error:
            ended = str(error)
    return look_at(case, seed, run, ended, time.monotonic() - began)


def look_at(case: Case, seed: int, run: Path, ended: str, seconds: float) -> Outcome:
    """What a run told.  What the plan says before the first step is no alarm; what is said of it later is."""
    events = read_events(run / "events.jsonl")
    warned = [event for event in events if event.kind == "warning" and not before_steps(event, events)]
    told = [event for event in warned if event.values.get("guide") not in OF_THE_MACHINE]
    recipe = load_resolved(run / "recipe.yaml").recipe
    again = [(event.step, text) for event, text in heard_again(Alarms(recipe.curriculum), events) if event.step > 0]
    live = [(event.step, str(event.values["text"])) for event in warned]
    anchors = tuple(str(event.values.get("guide")) for event in told)
    right = bool(set(anchors) & set(case.expected)) if case.expected else not anchors
    steps = max((event.step for event in events), default=0)
    texts = tuple(str(event.values["text"]) for event in told)
    return Outcome(
        case.name, seed, not case.expected, steps, anchors, texts, right, again == live, ended, round(seconds, 1)
    )


def before_steps(event: Event, events: Sequence[Event]) -> bool:
    """Whether it was told before the run's first step."""
    return event.step == 0 or not any(e.kind in ("step", "skipped") and e.time <= event.time for e in events)


def heard_again(alarms: Alarms, events: Sequence[Event]) -> Iterator[tuple[Event, str]]:
    for event in events:
        for warned in alarms.hear(event):
            yield event, warned.text


def summed(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The figures of the table's last lines."""
    healthy = [one for one in outcomes if one.healthy]
    provoked = [one for one in outcomes if not one.healthy]
    noticed = sum(one.right for one in provoked)
    return {
        "healthy_runs": len(healthy),
        "healthy_steps": sum(one.steps for one in healthy),
        "false_alarms": sum(not one.right for one in healthy),
        "provoked_runs": len(provoked),
        "noticed": noticed,
        "noticed_share": round(noticed / len(provoked), 3) if provoked else 1.0,
        "same_again": all(one.same_again for one in outcomes),
    }


def show(outcome: Outcome) -> None:
    """One line of the table, and what is wrong."""
    verdict = "right" if outcome.right else "FALSE ALARM" if outcome.healthy else "MISSED"
    again = "" if outcome.same_again else "  HEARD AGAIN OTHERWISE"
    kind = "healthy" if outcome.healthy else "provoked"
    told = ", ".join(outcome.told) or "silence"
    name = f"{kind:9}{outcome.case:26}{outcome.seed:3}"
    print(f"{name}{outcome.steps:6} steps {outcome.seconds:6.1f} s  {verdict:12}{told}{again}", flush=True)
    if not outcome.right or outcome.ended != "done":
        for text in (*outcome.texts, outcome.ended):
            print(f"            {text}")


def of_books(folder: Path | None) -> list[Case]:
    """A healthy case for each book of the folder, a fixed number of steps long."""
    if folder is None:
        return []
    kinds = (".epub", ".txt", ".docx", ".html", ".jsonl")
    books = [path for path in sorted(folder.iterdir()) if path.suffix in kinds and ".truth" not in path.name]
    books = [path for path in books if "headings" not in path.name and "footnotes" not in path.name]
    return [Case(path.name[:24], str(path.absolute()), {"steps": 60}) for path in books]


def make_base(home: Path) -> str:
    """A small base that has read all bundled texts once or twice: it knows letters and words, and no book by heart."""
    run = home / "base"
    if not (run / "voice").exists():
        recipe = home / "base.yaml"
        shelf = ["sample:novella", "sample:tale", "sample:poems"]
        settings = {**COMMON, "method": "full", "effective_batch": 16, "steps": 300}
        made = {"base": {"fresh": {**SHAPE, "vocabulary": 512}}, "shelf": shelf, "train": settings}
        recipe.write_text(yaml.safe_dump({**made, "write": {"max_new_tokens": 2}}))
        train(recipe, run=run)
    return str(run / "voice")


def write_texts(folder: Path) -> dict[str, str]:
    """The bundled texts by name, forty paragraphs of the novella, and its words in no order."""
    folder.mkdir(parents=True, exist_ok=True)
    novella = files("quire").joinpath("assets", "samples", "novella.md").read_text(encoding="utf-8")
    paragraphs = [text for text in novella.split("\n\n") if len(text.split()) > 8]
    words = " ".join(paragraphs).split()
    random.Random(3).shuffle(words)
    made = {
        "tiny": "\n\n".join(paragraphs[20:60]),
        "shuffled": "\n\n".join(" ".join(words[at : at + 60]) for at in range(0, 9000, 60)),
    }
    for name, text in made.items():
        (folder / f"{name}.txt").write_text(text, encoding="utf-8")
    own = {name: str((folder / f"{name}.txt").absolute()) for name in made}
    return own | {name: f"sample:{name}" for name in ("novella", "tale", "poems")}


if __name__ == "__main__":
    sys.exit(main())
