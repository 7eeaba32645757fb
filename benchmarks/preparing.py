"""How fast a corpus becomes windows on the disk, and whether memory stays flat as it grows tenfold.

    python -m benchmarks.preparing [--windows N] [--corpus GLOB]

It makes N windows of 512 tokens (10,000 by default) and then ten times as many, with the embedded base's tokenizer, the
text of a novella kept out of them, and prints a line for each: tokens a second of the processor (reader and
tokenizer together), and the most memory that all its processes held together.  Without a corpus it writes one of
paragraphs drawn from the words of the bundled novella, with a copy of one of its chapters in every hundredth row.

Written to benchmarks/results/preparing.json: `tokens_per_processor_second` of the larger run, `peak_bytes` of both,
`growth` of the larger one's over the smaller one's.  The processor's seconds are those of all processes together, so
that others on the machine matter less than by the clock.  What is done once (starting, reading the novella) counts too;
`…_without_the_start` is what the further tokens of the larger run took.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import quire
from benchmarks import facts
from quire.planner.bases import find_base
from quire.recipe.load import load_recipe
from quire.tokens.tokenizer import load_tokenizer
from quire.verbs.texts.prepare import prepare_stage

RESULTS = Path(__file__).parent / "results" / "preparing.json"
WINDOW = 512
MILLION = 1_000_000
LOOK = 0.1  # seconds between two looks at the memory
_ROW_WORDS = 2_000
_TABLES = 4
_PROCESSES = Path("/proc")


def write_corpus(folder: Path, words: int) -> str:
    """Rows of paragraphs of the novella's words in new order; every hundredth holds a chapter as it stands there."""
    novella = quire.read("sample:novella").books[0]
    vocabulary = novella.text.split()
    draw = random.Random(7)
    rows = max(_TABLES, words // _ROW_WORDS)
    for table in range(_TABLES):
        with (folder / f"train-{table}.jsonl").open("w", encoding="utf-8") as out:
            for number in range(table, rows, _TABLES):
                paragraphs = [" ".join(draw.choices(vocabulary, k=80)) for _ in range(_ROW_WORDS // 80)]
                if number % 100 == 0:
                    paragraphs.append(draw.choice(novella.chapters).text)
                out.write(json.dumps({"text": "\n\n".join(paragraphs)}) + "\n")
    return str(folder / "train-*.jsonl")


def measure(corpus: str, windows: int, home: Path) -> dict[str, Any]:
    """Prepare so many windows, find them again, and say what it took.  Bytes are the most that each ever held."""
    stream = {"path": corpus, "stream": True, "validation": "2%", "test": "2%"}
    stages = [
        {"name": "wide", "shelf": [stream], "window": WINDOW, "samples": windows},
        {"name": "book", "shelf": [{"sample": "novella"}], "window": WINDOW},
    ]
    recipe = load_recipe({"base": "embedded", "stages": stages}).recipe
    tokenizer = load_tokenizer(find_base("embedded", weights=False).path)
    used, began = processor(), time.perf_counter()
    data = prepare_stage(recipe, 0, tokenizer, home)
    seconds, now = time.perf_counter() - began, processor()
    spent = {name: round(now[name] - used[name], 1) for name in now}
    if not now["children"] > used["children"]:
        raise RuntimeError("no child that read the corpus has been counted: the figures would flatter")
    (streamed,) = data.streamed
    again = time.perf_counter()
    prepare_stage(recipe, 0, tokenizer, home)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "windows": len(data.rows[0]),
        "rows_read": sum(told.table_rows for told in streamed.pieces),
        "tokens": streamed.made_tokens,
        "words_left_out": streamed.words("left"),
        "seconds": round(seconds, 1),
        "processor_seconds": spent,
        "tokens_per_processor_second": round(streamed.made_tokens / sum(now[name] - used[name] for name in now)),
        "own_bytes": most if sys.platform == "darwin" else most * 1024,
        "seconds_to_find_it_again": round(time.perf_counter() - again, 1),
    }


def processor() -> dict[str, float]:
    """Seconds of the processor of this process, and of its children that have ended."""
    who = {"own": resource.RUSAGE_SELF, "children": resource.RUSAGE_CHILDREN}
    usage = {name: resource.getrusage(number) for name, number in who.items()}
    return {name: one.ru_utime + one.ru_stime for name, one in usage.items()}


def tree_bytes(process: int, home: Path = _PROCESSES) -> int:
    """What a process and all that live below it held, each at its worst moment so far, pages that they share counted
    for each; 0 where the system does not tell (only Linux does).

    Not from `getrusage`: there a child begins with what its parent held when it was started.
    """
    below: dict[int, list[int]] = {}
    held: dict[int, int] = {}
    for folder in home.glob("[0-9]*"):
        try:
            lines = (folder / "status").read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:  # it has ended meanwhile
            continue
        told = {name: value.split() for name, _, value in (line.partition(":") for line in lines)}
        below.setdefault(int(told["PPid"][0]), []).append(int(folder.name))
        held[int(folder.name)] = 1024 * int(told["VmHWM"][0]) if "VmHWM" in told else 0  # without it it is ending
    together, waiting = 0, [process]
    while waiting:
        one = waiting.pop()
        waiting += below.get(one, [])
        together += held.get(one, 0)
    return together


def carry_out(corpus: str, windows: int, home: Path) -> dict[str, Any]:
    """`measure` in a process of its own, whose memory, and that of all below it, is looked at from here.

    `peak_bytes` is the most of all that lived at the same time, children included, each at its worst moment: never less
    than what they held together.
    """
    context = multiprocessing.get_context("spawn")
    answers = context.SimpleQueue()
    process = context.Process(target=_answer, args=(answers, corpus, windows, home))
    process.start()
    assert process.pid is not None
    most = 0
    while process.is_alive():
        most = max(most, tree_bytes(process.pid))
        process.join(LOOK)
    if process.exitcode:
        sys.exit(process.exitcode)
    found: dict[str, Any] = answers.get()
    return {**found, "peak_bytes": max(most, found["own_bytes"]), "children_counted": most > 0}


def _answer(answers: Any, corpus: str, windows: int, home: Path) -> None:
    answers.put(measure(corpus, windows, home))


def told_of(runs: Sequence[Mapping[str, Any]], machine: Mapping[str, Any], corpus: str) -> dict[str, Any]:
    """As benchmarks/results/preparing.json keeps it, the smaller run first."""
    peaks, rate = [run["peak_bytes"] for run in runs], runs[-1]["tokens_per_processor_second"]
    first, last = ((run["tokens"], sum(run["processor_seconds"].values())) for run in (runs[0], runs[-1]))
    return {
        "machine": dict(machine),
        "window": WINDOW,
        "corpus": corpus,
        "windows": [run["windows"] for run in runs],
        "tokens_per_processor_second": rate,
        "tokens_per_processor_second_without_the_start": round((last[0] - first[0]) / (last[1] - first[1])),
        "peak_bytes": peaks,
        "growth": round(peaks[-1] / peaks[0], 3),
        "core_minutes_for_a_million_windows": round(MILLION * WINDOW / rate / 60, 1),
        "runs": [dict(run) for run in runs],
    }


def line_of(run: Mapping[str, Any]) -> str:
    """One run for the eye."""
    return (
        f"{run['windows']:,} windows in {run['seconds']} s: {run['tokens_per_processor_second']:,} tokens a second of a"
        f" core, {run['peak_bytes'] / 1e6:.0f} MB at most, the tokenising process {run['own_bytes'] / 1e6:.0f} MB"
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Write, prepare, print, keep."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--windows", type=int, default=10_000, help="of the smaller run; the other has ten times as many"
    )
    parser.add_argument("--corpus", help="tables to read instead of a corpus that is written")
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args(arguments)
    machine, runs = facts.machine(), []
    with tempfile.TemporaryDirectory(prefix="quire-preparing-") as folder:
        # A novella's words come to about 1.45 tokens each.
        corpus = asked.corpus or write_corpus(Path(folder), round(10 * asked.windows * WINDOW / 1.35))
        for windows in (asked.windows, 10 * asked.windows):
            with tempfile.TemporaryDirectory(prefix="quire-preparing-") as home:
                runs.append(carry_out(corpus, windows, Path(home)))
            print(line_of(runs[-1]), flush=True)
    told = told_of(runs, machine, Path(asked.corpus).name if asked.corpus else "drawn from the novella's words")
    facts.write(asked.results, told)
    print(
        f"memory grew {told['growth']:.2f} times; a million windows would take"
        f" {told['core_minutes_for_a_million_windows']} minutes of a core"
    )


if __name__ == "__main__":
    main()
