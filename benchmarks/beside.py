"""What others reach beside Quire, and the goals: parts of docs/performance.md, made of benchmarks/results.

`python -m benchmarks.speed --docs` writes them; peers.json comes from `benchmarks.peers`, writing.json from
`benchmarks.peers.writing`, speed.json from `benchmarks.speed`, methods.json and preparing.json from those.
"""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.costs import show_rate

Entries = Sequence[Mapping[str, Any]]
PEER_CASE = "{0} cpu 1024"
NOT_MEASURED = "not measured"
TRAINERS = (
    ("135M", "unsloth", 1.9),
    ("135M", "trl", 2.6),
    ("135M", "hf", 2.1),
    ("1B", "trl", 1.75),
    ("1B", "hf", 2.8),
)


def peers_table(peers: Mapping[str, Any]) -> str:
    """A line for every trainer of every shape."""
    lines = [
        "| shape, window | trainer | tokens/s, round by round | Quire in bf16 is, round by round | peak memory |",
        "|---|---|---|---|---|",
    ]
    for case in peers.values():
        for row in case["summary"]:
            rates = ", ".join(show_rate(rate) for rate in row["tokens_per_second"])
            times = ", ".join(f"{ratio:.2f} ×" for ratio in row["quire_times"]) or "–"
            lines.append(
                f"| {case['shape']}, {case['window']:,} | {row['trainer']} | {rates} | {times} |"
                f" {row['peak_bytes'] / 1e9:.2f} GB |"
            )
    return "\n".join(lines)


def peers_machine(peers: Mapping[str, Any]) -> str:
    """What was compared: versions, text, adapter."""
    versions: dict[str, str] = {}
    for case in peers.values():
        for one in case["rounds"]:
            known = one["told"]["versions"]
            versions[one["entrant"]] = ", ".join(f"{name} {version}" for name, version in known.items())
    lines = [f"- {entrant}: {known}" for entrant, known in versions.items()]
    return "\n".join(lines)


def writers_table(writing: Mapping[str, Any]) -> str:
    """A line for every writer of every case."""
    lines = ["| case | writer | tokens/s, best | median | Quire is (best, median) |", "|---|---|---|---|---|"]
    for name, case in writing.items():
        ours = case["writers"]["quire"]
        for writer, told in case["writers"].items():
            best, median = ours["whole"] / told["whole"], ours["whole_median"] / told["whole_median"]
            times = "–" if writer == "quire" else f"{best:.2f} ×, {median:.2f} ×"
            lines.append(f"| {name} | {writer} | {told['whole']:.1f} | {told['whole_median']:.1f} | {times} |")
    return "\n".join(lines)


def goals_table(
    entries: Entries,
    peers: Mapping[str, Any],
    writing: Mapping[str, Any],
    methods: Mapping[str, Any],
    preparing: Mapping[str, Any],
) -> str:
    """A line for every goal that a figure answers."""
    found = {entry["of"]: entry["found"] for entry in entries if entry.get("found")}
    lines = ["| goal (two cores with AVX512-BF16) | at least, or at most | measured |", "|---|---|---|"]
    for shape, other, least in TRAINERS:
        ratio = _times(peers, shape, other)
        lines.append(_line(f"{shape} bf16, tokens/s against {other}", least, ratio, "≥", " ×"))
    for shape, least in (("135M", 70), ("1B", 82)):
        one = found.get(f"training/{shape}/bf16/1024")
        share = one and 100 * one["fraction"]
        lines.append(_line(f"{shape} bf16, share of the roofline", least, share, "≥", " %"))
    for shape, least in (("135M", 1.3), ("1B", 1.5)):
        ratio = _times(peers, shape, "quire-int8")
        lines.append(_line(f"{shape} int8, tokens/s against our own bf16", least, ratio and 1 / ratio, "≥", " ×"))
    whole, half = found.get("training/1B/bf16/1024"), found.get("training/1B/int8/1024")
    above = whole and (whole["peak_bytes"] - whole["weights_bytes"]) / 1e9
    lines.append(_line("1B bf16, peak memory above the weights", 1.5, above, "≤", " GB"))
    share = whole and half and 100 * half["weights_bytes"] / whole["weights_bytes"]
    # Half, but for the scales of the rows: a thousandth.
    lines.append(_line("1B int8, all weights against bf16, scales and norms with them", 50.5, share, "≤", " %"))
    ratio = methods["ratios"]["adapter"]["int8"]["largest"] if methods else None
    lines.append(
        _line("embedded base, held-out loss after training, int8 against bf16", 1.005, ratio, "≤", " ×", decimals=4)
    )
    for shape, most in (("135M", 2.5), ("1B", 1.5)):
        short, long = found.get(f"training/{shape}/bf16/512"), found.get(f"training/{shape}/bf16/4096")
        grown = short and long and short["tokens_per_second"] / long["tokens_per_second"]
        lines.append(_line(f"{shape} bf16, cost of a token, window 4,096 against 512", most, grown, "<", " ×"))
    for shape in ("3B", "8B"):
        one = found.get(f"training/{shape}/int8/512")
        rate = one and show_rate(one["tokens_per_second"])
        told = f"{one['peak_bytes'] / 1e9:.1f} GB, {rate} tokens/s" if one else NOT_MEASURED
        lines.append(f"| {shape} int8 trains in 24 GB | | {told} |")
    for case in writing:
        writers = writing[case]["writers"]
        for name, least in (("llama.cpp", 0.9), ("transformers", 2.0)):
            ratios = [
                writers["quire"]["whole_median"] / told["whole_median"]
                for writer, told in writers.items()
                if writer.startswith(name)
            ]
            asked = least if "texts 1," in case else None
            lines.append(_line(f"writing, {case}, against {name}", asked, min(ratios, default=None), "≥", " ×"))
    rate, grown = (preparing.get(name) for name in ("tokens_per_processor_second", "growth"))
    lines.append(_line("preparing a stream, thousand tokens/s of a core", 200, rate and rate / 1000, "≥", ""))
    lines.append(_line("preparing a stream, memory at ten times as many windows", None, grown, "≤", " ×"))
    return "\n".join(lines)


def _times(peers: Mapping[str, Any], shape: str, other: str) -> float | None:
    """How many times as fast Quire was: the median of the rounds."""
    case = peers.get(PEER_CASE.format(shape))
    rows = [] if case is None else [row for row in case["summary"] if row["trainer"] == other]
    return statistics.median(rows[0]["quire_times"]) if rows and rows[0]["quire_times"] else None


def _line(goal: str, bound: float | None, found: float | None, sign: str, unit: str, decimals: int = 2) -> str:
    asked = "" if bound is None else f"{sign} {bound:g}{unit}"
    if found is None:
        return f"| {goal} | {asked} | {NOT_MEASURED} |"
    met = bound is None or (found >= bound if sign == "≥" else found <= bound if sign == "≤" else found < bound)
    shown = f"{found:.0f}{unit}" if unit in (" %", "") else f"{found:.{decimals}f}{unit}"
    return f"| {goal} | {asked} | {shown}{'' if met else ', missed'} |"
