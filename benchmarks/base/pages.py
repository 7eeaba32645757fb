"""The tables of docs/embedded-base.md and of the model card, written from the figures that are kept.

A table stands between `<!-- base:NAME -->` and `<!-- end of base:NAME -->`; a page has those that it wants.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.base.byte_models import BYTE_MODEL, PPMD, XZ, ZSTD, ZSTD_AFTER
from benchmarks.base.shares import SPLITS
from benchmarks.base.task import EMBEDDED
from benchmarks.facts import ROOT
from quire.judging.wording import MINUS, number

RESULTS = ROOT / "benchmarks" / "results" / "base.json"
PAGES = (ROOT / "docs" / "embedded-base.md", ROOT / EMBEDDED / "README.md")
START, END = "<!-- base:{0} -->", "<!-- end of base:{0} -->"
NOT_MEASURED = "Not measured yet."
NAMES = {"en": "English", "fr": "French"}
_FIGURE = re.compile(r"[–+−\d]")
_MARK = re.compile(r"<!-- base:([a-z-]+) -->")

Part = Mapping[str, Any]


def filled(text: str, parts: Mapping[str, Part]) -> str:
    """The page with every table that it has a place for.  ValueError where a place has no end, or no such table is."""
    for name in _MARK.findall(text):
        first, last = START.format(name), END.format(name)
        if name not in TABLES:
            raise ValueError(f"there is no table base:{name}; there are {', '.join(TABLES)}")
        if text.count(first) != 1 or text.count(last) != 1 or text.index(last) < text.index(first):
            raise ValueError(f"the table base:{name} has no single place with a beginning and an end")
        before, _, rest = text.partition(first)
        text = f"{before}{first}\n{table(name, parts)}\n{last}{rest.partition(last)[2]}"
    return text


def table(name: str, parts: Mapping[str, Part]) -> str:
    """One table out of the parts that it is made of."""
    wanted, make = TABLES[name]
    if any(part not in parts for part in wanted):
        return NOT_MEASURED
    return make(*(parts[part] for part in wanted))


def write_pages(parts: Mapping[str, Part], pages: Sequence[Path] = PAGES) -> None:
    for page in pages:
        page.write_text(filled(page.read_text(encoding="utf-8"), parts), encoding="utf-8")


def lines_of(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; columns of figures stand to the right."""
    sides = ["---:" if all(_FIGURE.match(cell) for cell in column) else "---" for column in zip(*rows, strict=True)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, sides or ["---"] * len(head), *rows))


def bits(value: float | None) -> str:
    return "–" if value is None else number(value, 3)


def interval(told: Sequence[float | None], show: Callable[[float], str]) -> str:
    """A value and its interval, where it has one."""
    value, low, high = told
    if value is None:
        return "–"
    return show(value) if low is None or high is None else f"{show(value)} ({show(low)} … {show(high)})"


def share(value: float) -> str:
    return f"{number(100 * value, 1)} %"


def signed(value: float) -> str:
    return f"{number(100 * value, 1, sign=True)} %".replace("-", MINUS)


def held_out(told: Part, models: Part) -> str:
    """Each language: the base, its first version, the byte model and the packers on the same text."""
    others = [name for name in (BYTE_MODEL, PPMD, XZ, ZSTD) if name in models["languages"][0]]
    after = {(row["language"], row["unseen"]): row[ZSTD_AFTER] for row in models["after_training_text"]}
    first = "first" in told["languages"][0]
    head = ["text", "bytes", "this base", *(["first version", "change"] if first else []), *others]
    rows = []
    for row in told["languages"]:
        beside = _same(models["languages"], row)
        old = [bits(row["first"][0]), interval(row["change"], signed)] if first else []
        rows.append(
            [_text(row), f"{row['bytes']:,}", interval(row["new"], bits), *old]
            + [bits(beside[name][0]) if beside else "–" for name in others]
            + ([bits(after.get((row["language"], row["unseen"])))] if after else [])
        )
    read = (
        "\n\nOf the held-out works the first version may have read some; of the unseen authors, nothing."
        if first
        else ""
    )
    return lines_of(head + ([ZSTD_AFTER] if after else []), rows) + read


def works(told: Part, models: Part) -> str:
    """The same by work."""
    others = [name for name in (BYTE_MODEL, PPMD, XZ) if name in models["rows"][0]]
    beside = {row["id"]: row for row in models["rows"] if row["bytes"]}
    first = "first" in told["rows"][0]
    head = ["work", "bytes", "this base", *(["first version"] if first else []), *others]
    rows = []
    for row in told["rows"]:
        other = beside.get(row["id"], {})
        old = [bits(row["first"])] if first else []
        same = other.get("bytes") == row["bytes"]
        rows.append(
            [f"{row['name']}{' *' if row['unseen'] else ''}", f"{row['bytes']:,}", bits(row["new"]), *old]
            + [bits(other.get(name) if same else None) for name in others]
        )
    return lines_of(head, rows) + "\n\n\\* of an author whom the corpus leaves out"


def words(told: Part) -> str:
    """Shares of known words by way of drawing and language."""
    head = [
        "written",
        "language",
        "texts",
        "words",
        "known",
        "twice or more",
        "all parts known",
        "in the training text",
    ]
    rows = []
    for row in told["rows"]:
        people = row["way"] == "people"  # their words are of the corpus by their nature: only the last can be asked
        shares = [interval(row[name], share) for name in ("known", "twice", "parts")]
        rows.append(
            [_by(row["way"]), NAMES[row["language"]], str(row["texts"]), f"{row['words']:,}"]
            + (["–"] * 3 if people else shares)
            + [interval(row["trained"], share)]
        )
    return lines_of(head, rows)


def copies(told: Part) -> str:
    """The longest runs of words shared with the training text."""
    head = ["written", "language", "texts", "longest", "median of the longest", f"over {told['long']} words"]
    return lines_of(
        head,
        [
            [_by(row["way"]), NAMES[row["language"]], str(row["texts"]), str(row["longest"])]
            + [f"{row['median']:g}", share(row["long_share"])]
            for row in told["rows"]
        ],
    )


def loading(told: Part) -> str:
    return (
        f"Loading takes {told['load_seconds']:.2f} s, the libraries before it {told['import_seconds']:.1f} s, loading "
        f"again in the same process {told['again_seconds']:.2f} s (the median of {told['tries']} fresh processes)."
    )


def tuning(told: Part) -> str:
    """Books before and after."""
    head = ["book", "steps", "base", "voice", "change, 95 % interval", "resampled"]
    rows = [
        [row["name"], str(row["steps"]), bits(row["before"]), bits(row["after"])]
        + [interval(row["change"], signed), f"{row['units']} {row['resampled']}"]
        for row in told["rows"]
    ]
    return lines_of(head, rows)


def curves(told: Part) -> str:
    """The picture's place, and each stage's losses."""
    found = [f"![Training and held-out loss by step]({told['picture']})"]
    for stage in told["stages"]:
        rows = [
            [f"{row['step']:,}", f"{row['tokens'] / 1e6:.2f} M", bits(row["training"]), bits(row["held_out"])]
            for row in stage["losses"]
        ]
        head = [f"{stage['stage']}, step", "tokens", "training loss", "held-out loss"]
        found.append(lines_of(head, rows))
    return "\n\n".join(found)


def energy(told: Part) -> str:
    """What the training used, measured or estimated, and which of the two."""
    used = told["energy"]
    hours = f"{used['kilowatt_hours']:.3g} kWh"
    if used["measured"]:
        co2 = used.get("co2_kilograms")
        more = f", {co2:.3g} kg of CO₂ in {used['country']}" if co2 is not None else ""
        return f"Energy: {hours}{more}, measured ({used['measured']}), in {used['seconds'] / 3600:.1f} hours."
    return (
        f"Energy: about {hours}, an estimate, for the machine has no counter: {used['core_seconds'] / 3600:.1f} core "
        f"hours ({used['seconds'] / 3600:.1f} hours in steps, {used['threads']} threads) at an assumed "
        f"{used['watts_a_core']:g} W a core."
    )


def shares(told: Part) -> str:
    """Languages and periods, works and bytes of each split."""
    rows = [[NAMES.get(row["language"], row["language"]), row["period"], *_split(row)] for row in told["periods"]]
    rows += [[f"**{NAMES.get(row['language'], row['language'])}**", "all", *_split(row)] for row in told["languages"]]
    total = sum(row["train"][1] for row in told["languages"] if "train" in row) or 1
    said = ", ".join(
        f"{NAMES.get(row['language'], row['language'])} {share(row['train'][1] / total)}"
        for row in told["languages"]
        if "train" in row
    )
    head = ["language", "first published", *(f"{split}, works and MB" for split in SPLITS)]
    return f"{lines_of(head, rows)}\n\nOf the bytes that were trained on: {said}."


def sources(told: Part) -> str:
    """Collections and licences."""
    first = [
        [row["source"] or "–", NAMES.get(row["language"], row["language"]), *_split(row)] for row in told["sources"]
    ]
    second = [[row["licence"] or "–", *_split(row)] for row in told["licences"]]
    named = [f"{split}, works and MB" for split in SPLITS]
    return f"{lines_of(['source', 'language', *named], first)}\n\n{lines_of(['licence', *named], second)}"


def samples(told: Part) -> str:
    """Prompts in bold, what was written after them, who wrote it."""
    settings = told["settings"]
    how = (
        f"Unpicked: the first prompts that were drawn, at seed {told['seed']}, temperature "
        f"{settings['temperature']:g}, top_p {settings['top_p']:g}, repetition penalty "
        f"{settings['repetition_penalty']:g}, {told['tokens']} tokens."
    )
    found = [how]
    for row in told["rows"]:
        for who, text in row["texts"].items():
            shown = _quoted(f"**{_escaped(row['prompt'])}**{_escaped(text)}")
            found.append(f"{row['work']}; {who}:\n\n{shown}")
    return "\n\n".join(found)


TABLES: Mapping[str, tuple[tuple[str, ...], Callable[..., str]]] = {
    "held-out": (("held-out", "byte-models"), held_out),
    "works": (("held-out", "byte-models"), works),
    "words": (("words",), words),
    "copies": (("copies",), copies),
    "loading": (("loading",), loading),
    "tuning": (("tuning",), tuning),
    "curves": (("curves",), curves),
    "energy": (("curves",), energy),
    "shares": (("shares",), shares),
    "sources": (("shares",), sources),
    "samples": (("samples",), samples),
}
"""The parts that each table is made of, and how."""


def _same(rows: Sequence[Part], row: Part) -> Part | None:
    """The row of the same text, if it is the same: of as many bytes."""
    keys = ("language", "unseen", "bytes")
    return next((one for one in rows if all(one[key] == row[key] for key in keys)), None)


def _text(row: Part) -> str:
    what = "unseen authors" if row["unseen"] else "held-out works"
    return f"{NAMES.get(row['language'], row['language'])}, {row['works']} {what}"


_BY = {"people": "people, as much", "greedy": "greedily", "Quire's own": "as `quire write` does unasked"}


def _by(way: str) -> str:
    return _BY.get(way, way)


def _split(row: Part) -> list[str]:
    return [f"{row[split][0]}, {row[split][1] / 1e6:.1f}" if split in row else "–" for split in SPLITS]


def _escaped(text: str) -> str:
    return re.sub(r"([\\`*_\[\]<>#|])", r"\\\1", text)


def _quoted(text: str) -> str:
    """A quotation whose line ends are kept."""
    return "\n".join(f"> {line}".rstrip() for line in text.strip().split("\n"))
