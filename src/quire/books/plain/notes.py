"""Footnotes of plain text: `[1] …` and `[Footnote 1: …]` with their marks in the text."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from quire.books.plain.lines import Lines, rejoin

_LABEL = re.compile(r"\s*\[(\d{1,4}|[A-Z]|\*{1,3})\]\s+(?=\S)")
_NAMED = re.compile(
    r"\s*\[\s*(?:foot-?note|note(?: de bas de page)?)\s*(\d{1,4}|[A-Za-z]|\*{1,3})?\s*[:.]\s*", re.IGNORECASE
)


def take_notes(groups: Sequence[Lines]) -> tuple[list[Lines], list[tuple[int, str]]]:
    """The groups without notes and their marks, and the notes with their line numbers.

    A group that begins with `[1]` is a note where an earlier or later one has the mark `[1]` within its text.
    """
    marks = {
        match[1]
        for group in groups
        for line in group.lines
        if "[" in line
        for match in re.finditer(r"\S\s?\[(\d{1,4}|[A-Z]|\*{1,3})\]", line)
    }
    kept: list[Lines] = []
    notes: list[tuple[int, str]] = []
    labels: set[str] = set()
    open_note = False
    for group in groups:
        if not open_note and not group.lines[0].lstrip().startswith("["):
            kept.append(group)
            continue
        text = rejoin(group.lines)
        named, label = _NAMED.match(text), _LABEL.match(text)
        if open_note and not named:
            notes[-1] = (notes[-1][0], f"{notes[-1][1]}\n{text.rstrip(' ]')}")
        elif named:
            labels.add(named[1] or "")
            notes.append((group.number, text[named.end() :].removesuffix("]")))
        elif label and label[1] in marks:
            labels.add(label[1])
            notes.append((group.number, text[label.end() :]))
            continue
        else:
            kept.append(group)
            continue
        open_note = text.count("[") > text.count("]") if named else open_note and "]" not in text
    if not notes:
        return list(groups), []
    pattern = re.compile(r" ?\[(?:" + "|".join(re.escape(label) for label in sorted(labels) if label) + r")\]")
    if any(labels):
        kept = [replace(group, lines=tuple(pattern.sub("", line) for line in group.lines)) for group in kept]
    return [group for group in kept if any(line.strip() for line in group.lines)], notes
