"""The tables of docs/reading.md, written from the figures of the last whole run."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

DOCS = Path(__file__).parent.parent / "docs" / "reading.md"
_MARKS = "<!-- {0}: from benchmarks/results/reading.json, by `python -m benchmarks.reading --docs` -->"
_END = "<!-- end of {0} -->"


def tables(told: Mapping[str, Any]) -> dict[str, str]:
    """The name of each table and its text."""
    return {"goals": _goals(told), "peers": _peers(told["peers"], told["books"]), "machine": _machine(told)}


def filled(text: str, told: Mapping[str, Any]) -> str:
    """The document with every table between its two marks."""
    for name, table in tables(told).items():
        start, end = _MARKS.format(name), _END.format(name)
        places = list(re.finditer(re.escape(start) + r".*?" + re.escape(end), text, re.DOTALL))
        if len(places) != 1:
            raise ValueError(f"docs/reading.md has no single place for the table {name}")
        text = f"{text[: places[0].start()]}{start}\n{table}\n{end}{text[places[0].end() :]}"
    return text


def write_docs(told: Mapping[str, Any], target: Path = DOCS) -> None:
    target.write_text(filled(target.read_text(encoding="utf-8"), told), encoding="utf-8")


def _goals(told: Mapping[str, Any]) -> str:
    lines = ["| figure | mean or sum | worst book | reached | which book is worst |", "|---|---|---|---|---|"]
    for goal in told["goals"]:
        verdict = {True: "yes", False: "**no**", None: "–"}[goal["passed"]]
        worst = f"`{goal['worst']}`" if goal["worst"] else ""
        lines.append(f"| {goal['goal']} | {goal['mean'] or '–'} | {goal['reached']} | {verdict} | {worst} |")
    return "\n".join(lines)


def _peers(rows: Sequence[Mapping[str, Any]], books: Sequence[Mapping[str, Any]]) -> str:
    """Each reader's mean and worst over the same books, Quire among them."""
    if not rows:
        return "Not measured."
    files = {row["file"] for row in rows}
    ours: list[Mapping[str, Any]] = [
        {
            "reader": "Quire",
            "f1": book["f1"],
            "paragraphs": book["edges"],
            "furniture": book["furniture"],
            "pages": book["pages"],
            "seconds": book["seconds"],
        }
        for book in books
        if book["name"] in files and book["f1"] is not None
    ]
    lines = [
        "| reader | word F1, mean | worst | paragraph boundaries F1, mean | worst | heads and folios left | pages/s |",
        "|---|---|---|---|---|---|---|",
    ]
    by_reader: dict[str, list[Mapping[str, Any]]] = {"Quire": ours}
    for row in rows:
        by_reader.setdefault(row["reader"], []).append(row)
    for name, mine in by_reader.items():
        if not mine:
            continue
        f1, edges = [row["f1"] for row in mine], [row["paragraphs"] for row in mine]
        rate = sum(row["pages"] for row in mine) / max(1e-9, sum(row["seconds"] for row in mine))
        lines.append(
            f"| {name} | {sum(f1) / len(f1):.4f} | {min(f1):.4f} | {sum(edges) / len(edges):.3f} | {min(edges):.3f} "
            f"| {sum(row['furniture'] for row in mine)} | {rate:.0f} |"
        )
    return "\n".join(lines)


def _machine(told: Mapping[str, Any]) -> str:
    machine = told["machine"]
    first = (
        f"Taken on {machine['date']} on a machine of {machine['cores']} cores ({machine['system']}, "
        f"{machine['machine']}) that other work shared (load {machine['load']}), with Python {machine['python']} and "
        f"PDFium by pypdfium2 {machine['pypdfium2']}: {len(told['books'])} books."
    )
    return "\n".join([first, *(f"Not measured: {line}." for line in told["not measured"])])
