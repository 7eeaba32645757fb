"""How fast Quire is: all figures of docs/performance.md, measured again by `make bench` (`python -m benchmarks.speed`).

What was measured goes to benchmarks/results/speed.json, with the machine and the commit, and from there into the tables
of docs/performance.md.  `--only` measures some cases again and leaves the others as they are:

    python -m benchmarks.speed --only 'training/1B/*' 'writing/*' house
    python -m benchmarks.speed --docs        # only write the tables anew
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from benchmarks import facts
from benchmarks.beside import goals_table, peers_machine, peers_table, writers_table
from benchmarks.costs import curriculum_text, novel_text, show_rate

RESULTS = Path(__file__).parent / "results" / "speed.json"
DOCS = Path(__file__).parents[1] / "docs" / "performance.md"
MARK = "<!-- {0}: from benchmarks/results/speed.json, by `python -m benchmarks.speed --docs` -->"
END = "<!-- end of {0} -->"

# shape, precision, window; those that take longest last
TRAINING: tuple[tuple[str, str, int], ...] = (
    ("135M", "bf16", 512),
    ("135M", "bf16", 1024),
    ("135M", "bf16", 2048),
    ("135M", "bf16", 4096),
    ("135M", "int8", 1024),
    ("135M", "fp32", 1024),
    ("360M", "bf16", 1024),
    ("360M", "int8", 1024),
    ("1B", "bf16", 512),
    ("1B", "bf16", 1024),
    ("1B", "bf16", 4096),
    ("1B", "int8", 1024),
    ("3B", "int8", 512),
    ("8B", "int8", 512),
)
# shape, precision, texts at once
WRITING: tuple[tuple[str, str, int], ...] = (
    ("135M", "bf16", 1),
    ("135M", "bf16", 8),
    ("135M", "int8", 1),
    ("1B", "bf16", 1),
    ("1B", "bf16", 8),
    ("1B", "int8", 1),
)
BASE, HOUSE = "base", "house"  # how --only names what are no cases
OF_BASE = ", the embedded base on the novella"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, keep what was found after every case, and write the docs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*", metavar="CASE", help="cases by name, with * and ?; also base and house")
    parser.add_argument("--docs", action="store_true", help="only write the kept figures into docs/performance.md")
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args(arguments)
    if not asked.docs:
        started = time.monotonic()
        measure(asked.only or ["*"], asked.results)
        print(f"{(time.monotonic() - started) / 60:.1f} minutes")
    if asked.results == RESULTS:
        write_docs(json.loads(RESULTS.read_text(encoding="utf-8")))


def keys() -> list[str]:
    """The names of all that is measured."""
    training = [f"training/{shape}/{precision}/{window}" for shape, precision, window in TRAINING]
    writing = [f"writing/{shape}/{precision}/{batch}" for shape, precision, batch in WRITING]
    return [BASE, HOUSE, *writing, *training]


def measure(patterns: Sequence[str], results: Path) -> None:
    """Measure what the patterns name, one after the other, and keep each as soon as it is there."""
    chosen = [key for key in keys() if any(fnmatch(key, pattern) for pattern in patterns)]
    if not chosen:
        sys.exit(f"error: no case is called {' or '.join(patterns)}\ntry: one of {', '.join(keys())}")
    machine = facts.machine()
    kept = kept_results(results, machine, whole=set(chosen) == set(keys()))
    for key in chosen:
        print(key, end=" ", flush=True)
        found = carry_out(key)
        when = {"date": machine["date"], "commit": machine["commit"]}
        kept["entries"] = merged(kept["entries"], key, [{**one, **when} for one in found])
        facts.write(results, kept)
        print(_told(found), flush=True)


def kept_results(results: Path, machine: Mapping[str, Any], whole: bool) -> dict[str, Any]:
    """What is there already, or nothing where all is measured anew.  Figures of two machines do not go together."""
    if whole or not results.is_file():
        return {"machine": dict(machine), "entries": []}
    kept = facts.read(results)
    other = facts.other_machine(kept["machine"], machine)
    if other is not None:
        sys.exit(
            f"error: {results} was measured on another machine ({other})\n"
            "try: python -m benchmarks.speed, which measures all, or another file with --results"
        )
    return {**kept, "machine": dict(machine)}  # of the latest figures; each entry has its own date and commit


def merged(entries: Sequence[Mapping[str, Any]], key: str, found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The entries with those of `key` replaced, in the order in which all are measured."""
    rest = [dict(entry) for entry in entries if entry["of"] != key]
    order = {name: number for number, name in enumerate(keys())}
    made = [*rest, *({"of": key, **one} for one in found)]
    return sorted(made, key=lambda entry: order.get(entry["of"], len(order)))


def carry_out(key: str) -> list[dict[str, Any]]:
    """Measure one of `keys`."""
    from quire.verbs.bench import BOOK, bench, first_book, ids_of, of_house
    from quire.verbs.benching.cases import training_case, writing_case
    from quire.verbs.benching.shapes import SHAPES

    if key == BASE:
        return [asdict(figure) for figure in bench().figures]
    book = first_book(BOOK)
    if key == HOUSE:
        return [asdict(figure) for figure in of_house(book)]
    kind, shape, precision, size = key.split("/")
    if kind == "writing":
        return [writing_case(SHAPES[shape], precision, int(size)).to_json()]
    return [training_case(SHAPES[shape], precision, int(size), ids_of(book)).to_json()]


def tables(kept: Mapping[str, Any]) -> dict[str, str]:
    """The generated parts of docs/performance.md by their names."""
    entries = kept["entries"]
    training = [entry for entry in entries if entry["of"].startswith("training/")]
    others = ("peers", "writing", "methods", "preparing")
    peers, writing, methods, preparing = (_read(RESULTS.with_name(f"{name}.json")) for name in others)
    return {
        "machine": machine_text(kept),
        "training": training_table(training),
        "writing": writing_table([entry for entry in entries if entry["of"].startswith("writing/")]),
        "house": house_table([entry for entry in entries if entry["of"] in (BASE, HOUSE)]),
        "novel": novel_text(entries),
        "curriculum": curriculum_text(training),
        "goals": goals_table(training, peers, writing, methods, preparing),
        "peers": peers_table(peers),
        "versions": peers_machine(peers),
        "writers": writers_table(writing),
    }


def machine_text(kept: Mapping[str, Any]) -> str:
    """A paragraph about the machine."""
    machine = kept["machine"]
    gpu = f"; GPU {machine['gpu']}" if machine["gpu"] else ", no GPU"
    commits = sorted({str(entry["commit"]) for entry in kept["entries"]})
    return (
        f"{machine['processor']}, {machine['cores']} cores ({', '.join(machine['instructions'])}),"
        f" {machine['memory_bytes'] / 2**30:.0f} GiB of memory{gpu}; {machine['system']}, Python {machine['python']},"
        f" torch {machine['torch']}, transformers {machine['transformers']}, peft {machine['peft']},"
        f" Quire {machine['quire']} at {', '.join(commits)}; {machine['date']}, load {machine['load']} at the start."
    )


def training_table(entries: Sequence[Mapping[str, Any]]) -> str:
    """A line for every case; one that came to nothing says why."""
    head = (
        "| shape | precision | window | tokens/s | roofline | share of it | rates, G/s | weights | peak memory "
        "| above them | first loss, last | steps |"
    )
    lines = [head, "|---" * 12 + "|"]
    for entry in entries:
        name = f"| {entry['shape']} | {entry['precision']} | {entry['window']:,} |"
        found = entry["found"]
        if found is None:
            lines.append(f"{name} – | – | – | – | – | – | – | – | {entry['problem']} |")
            continue
        rates = ", ".join(f"{form} {rate / 1e9:.0f}" for form, rate in found["rates"].items())
        weights, peak = found["weights_bytes"], found["peak_bytes"]
        sizes = " | ".join(f"{size / 1e9:.2f} GB" for size in (weights, peak, peak - weights))
        losses = f"{found['losses'][0]:.4f}, {found['losses'][-1]:.4f}"
        steps = f"{found['steps']}" + (", activations twice" if found["twice"] else "")
        lines.append(
            f"{name} {show_rate(found['tokens_per_second'])} | {show_rate(found['roofline'])} |"
            f" {found['fraction']:.0%} | {rates} | {sizes} | {losses} | {steps} |"
        )
    return "\n".join(lines)


def writing_table(entries: Sequence[Mapping[str, Any]]) -> str:
    """A line for every case."""
    lines = ["| shape | precision | texts at once | tokens/s, all together |", "|---|---|---|---|"]
    for entry in entries:
        found = entry["found"]
        rate = f"{found['tokens_per_second']:.1f}" if found is not None else entry["problem"]
        lines.append(f"| {entry['shape']} | {entry['precision']} | {entry['batch']} | {rate} |")
    return "\n".join(lines)


def house_table(entries: Sequence[Mapping[str, Any]]) -> str:
    """A line for every figure."""
    lines = ["| what | measured | how |", "|---|---|---|"]
    for entry in entries:
        name = entry["name"] + (OF_BASE if entry["of"] == BASE else "")
        shown = _shown(entry["value"], entry["unit"])
        lines += [f"| {name} | {shown} | {entry['how']} |"]
    return "\n".join(lines)


def with_tables(text: str, made: Mapping[str, str]) -> str:
    """The page with its generated parts in place.  ValueError where a part has no place, or two."""
    for name, table in made.items():
        first, last = MARK.format(name), END.format(name)
        if text.count(first) != 1 or text.count(last) != 1:
            raise ValueError(f"docs/performance.md has no single place for the part {name}")
        before, _, rest = text.partition(first)
        text = f"{before}{first}\n{table}\n{last}{rest.partition(last)[2]}"
    return text


def write_docs(kept: Mapping[str, Any], target: Path = DOCS) -> None:
    """Put the figures into the page."""
    target.write_text(with_tables(target.read_text(encoding="utf-8"), tables(kept)), encoding="utf-8")


def _read(results: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(results.read_text(encoding="utf-8")) if results.exists() else {}
    return found


def _shown(value: float, unit: str) -> str:
    if unit == "bytes":
        return f"{value / 1e9:.2f} GB"
    digits = 0 if value >= 100 else 2 if value >= 0.1 else 4
    return f"{value:,.{digits}f} {unit}"


def _told(found: Sequence[Mapping[str, Any]]) -> str:
    """A short line about what was found, for whoever waits."""
    if "found" not in found[0]:
        return "; ".join(f"{one['name']} {_shown(one['value'], one['unit'])}" for one in found)
    one = found[0]
    if one["found"] is None:
        return str(one["problem"])
    share = f", {one['found']['fraction']:.0%} of the roofline" if "fraction" in one["found"] else ""
    return f"{one['found']['tokens_per_second']:.1f} tokens/s{share}"


if __name__ == "__main__":
    main()
