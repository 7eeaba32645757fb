"""How many tokens of a book each trainer trains in a second on this machine: same text, same shape, same LoRA.

`python -m benchmarks.peers [--shape 135M|360M|1B|8B] [--peers hf,trl,unsloth,quire] [--steps N] [--window N]
[--rounds 2] [--threads N] [--device cpu|cuda]`

One trainer at a time, in turns, round after round, each in an environment and a process of its own.  Only tokens of the
book that are trained count, over the steps behind the first window.  Written to benchmarks/results/peers.json, which
keeps the other shapes' figures.  With `--device cuda` (packed 2048, rank 16 on every linear layer, TRL with Liger's
kernels, for the 8B shape nf4 too, memory and speed told in one: tokens a second for each gigabyte of the GPU) nothing
has been run yet, for want of a GPU.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks import facts
from benchmarks.peers.environments import python_of
from benchmarks.peers.job import Job
from benchmarks.peers.lineup import ADAPTERS, PEERS, SHAPES, Entrant, entrants
from benchmarks.peers.material import ROOT, base_of, book_text, default_book, excerpt
from benchmarks.peers.meter import said
from benchmarks.peers.results import Onlooker, Outcome, summary, table, to_json

HOME = ROOT / ".bench"
RESULTS = ROOT / "benchmarks" / "results" / "peers.json"
WARM = 1  # windows
LEAST_TEXT = 24  # windows: enough that a trainer which holds out passages has some


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the rounds, print and keep the table; 1 where a trainer failed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, default="135M")
    parser.add_argument("--peers", default=",".join(PEERS), help="names, parted by commas")
    parser.add_argument("--steps", type=int, help="windows that are timed; a shape knows how many suit it")
    parser.add_argument("--window", type=int, help="tokens; 1024 on a CPU, 2048 on a GPU")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--device", choices=tuple(ADAPTERS), default="cpu")
    parser.add_argument("--threads", type=int, help="of every trainer; as many as each chooses when not given")
    parser.add_argument("--patience", type=float, default=60.0, help="seconds to wait for others to be quiet")
    parser.add_argument("--book", default=default_book(), help="a file, or sample:NAME")
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args(arguments)
    shape, adapter = SHAPES[asked.shape], ADAPTERS[asked.device]
    chosen = entrants(asked.device, shape, asked.peers.split(","))
    window = asked.window or adapter.window
    steps = asked.steps or adapter.steps or shape.steps
    pythons = {peer: python_of(peer, HOME / "envs", asked.device) for peer in {one.peer for one in chosen}}
    base = base_of(shape, HOME)
    asked_for = {"shape": shape.name, "device": asked.device, "window": window, "steps": steps}
    asked_for |= {"threads": asked.threads, "book": Path(asked.book).name}
    asked_for |= {"rank": adapter.rank, "targets": list(adapter.targets), "machine": facts.machine()}
    name = f"{shape.name} {asked.device} {window}" + (f" threads={asked.threads}" if asked.threads else "")
    outcomes: list[Outcome] = []
    with tempfile.TemporaryDirectory(prefix="quire-peers-") as place:
        text = Path(place) / "book.txt"
        windows = max(LEAST_TEXT, 2 * (steps + WARM))
        text.write_text(excerpt(book_text(asked.book), base, windows * window), encoding="utf-8")
        for number, entrant in turns(chosen, asked.rounds):
            out = Path(place) / f"{entrant.name}-{number}"
            job = Job(
                str(base), str(text), str(out), window, steps, WARM, adapter.rank, adapter.alpha, adapter.targets,
                entrant.precision, asked.device,
            )  # fmt: skip
            outcome = carry_out(entrant, job, pythons[entrant.peer], number, asked.threads, asked.patience)
            if outcome is not None:
                outcomes.append(outcome)
                keep(name, to_json(outcomes, asked_for), asked.results)
                print(f"round {number}  {entrant.name:<12} {outcome.tokens_per_second:8.1f} tokens/s", flush=True)
    if outcomes:
        print(table(summary(outcomes)))
    return int(len(outcomes) < asked.rounds * len(chosen))


def turns(chosen: Sequence[Entrant], rounds: int) -> Iterator[tuple[int, Entrant]]:
    """Who trains when: every second round backwards, so that a machine that grows slower or quicker favours nobody."""
    for number in range(1, rounds + 1):
        yield from ((number, one) for one in (chosen if number % 2 else chosen[::-1]))


def carry_out(
    entrant: Entrant, job: Job, python: Path, number: int, threads: int | None, patience: float
) -> Outcome | None:
    """One trainer in a process of its own; None, with the end of what it printed, where it fails."""
    out = Path(job.out)
    out.mkdir()
    job.write(out / "job.json")
    command = [str(python), "-W", "ignore", "-m", f"benchmarks.peers.{entrant.module}", str(out / "job.json")]
    onlooker = Onlooker()
    onlooker.wait_for_quiet(patience)
    done = subprocess.run(  # noqa: S603
        command, cwd=ROOT, env=surroundings(job, threads), capture_output=True, text=True, errors="replace", check=False
    )
    others = onlooker.others()
    try:
        told = said(done.stdout)
    except ValueError as error:
        print(f"round {number}  {entrant.name} failed: {error}\n{done.stdout[-500:]}{done.stderr[-3000:]}", flush=True)
        return None
    return Outcome(entrant.name, number, told["tokens_per_second"], told["peak_bytes"], others, told)


def surroundings(job: Job, threads: int | None) -> dict[str, str]:
    """The environment's variables for a trainer: no hub, no statistics sent, no GPU where the job is for a CPU."""
    more = {
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "HF_HOME": str(HOME / "hub"),
        "HF_DATASETS_CACHE": f"{job.out}/datasets",
        "TOKENIZERS_PARALLELISM": "false",
        "UNSLOTH_DISABLE_STATISTICS": "1",
        "UNSLOTH_COMPILE_LOCATION": f"{job.out}/compiled",
    }
    if job.device == "cpu":
        more["CUDA_VISIBLE_DEVICES"] = ""
    if threads is not None:
        more["OMP_NUM_THREADS"] = str(threads)
    return os.environ | more


def keep(name: str, told: dict[str, object], target: Path) -> None:
    """Put one shape's figures beside those of the others."""
    facts.write(target, {**facts.read(target), name: told})


if __name__ == "__main__":
    sys.exit(main())
