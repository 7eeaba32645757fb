"""samples.md: what a voice wrote along the way and afterwards, with prompt, seed and settings."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from quire.recipe.schema import WriteSettings
from quire.run.atomic import named_disk_errors
from quire.writing.visible import without_controls

_HEAD = "# Samples\n\nEverything this voice wrote, the newest last.\n"
_LOCAL = {"prompt", "seed"}  # shown elsewhere in an entry


@dataclass(frozen=True)
class Sample:
    """Texts that were written at one time; `note` says on what occasion."""

    prompt: str
    texts: Sequence[str]
    seed: int
    settings: WriteSettings
    note: str = ""


def append_sample(path: Path, sample: Sample, when: datetime | None = None, once: bool = False) -> None:
    """Add an entry to samples.md, in one write, so that two writers do not mix; `once`: unless it is there, at
    whatever time, because a run that was killed writes its samples again.  May raise DiskFull."""
    when = when or datetime.now().astimezone()
    entry = _entry(sample, when)
    with named_disk_errors(path):
        if once and path.exists() and entry.partition(_minute(when))[2].encode("utf-8") in path.read_bytes():
            return
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            head = _HEAD if os.fstat(handle).st_size == 0 else ""
            os.write(handle, (head + entry).encode("utf-8"))
            os.fsync(handle)
        finally:
            os.close(handle)


def _entry(sample: Sample, when: datetime) -> str:
    note = f" · {sample.note}" if sample.note else ""
    parts = [f"\n## {_minute(when)}{note} · seed {sample.seed}\n"]
    if sample.prompt:
        parts.append("\n".join(f"> {line}".rstrip(" ") for line in as_markdown(sample.prompt).split("\n")) + "\n")
    for number, text in enumerate(sample.texts, start=1):
        if len(sample.texts) > 1:
            parts.append(f"### {number}\n")
        parts.append(as_markdown(text.strip("\n")) + "\n")
    parts.append(f"`{_settings(sample.settings)}`\n")
    return "\n".join(parts)


def _minute(when: datetime) -> str:
    return f"{when:%Y-%m-%d %H:%M}"


def as_markdown(text: str) -> str:
    """Text that Markdown shows as it is: lines of verse stay lines, and no mark of the text is taken for layout."""
    lines = without_controls(text).split("\n")
    shown = []
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        line = re.sub(r"([\\`<])", r"\\\1", line)
        line = re.sub(r"^(\s*)([#>+-]|\d+(?=[.)]))", _escape_opening, line)
        line = re.sub(r"^ {4,}|^\t+", "&nbsp;" * 4, line)
        shown.append(line + "\\" if line.strip() and following.strip() else line)
    return "\n".join(shown)


def _escape_opening(match: re.Match[str]) -> str:
    """A line that would open a heading, a quotation or a list; of a number the dot that follows is escaped."""
    indent, mark = match[1], match[2]
    return f"{indent}{mark}\\" if mark.isdigit() else f"{indent}\\{mark}"


def _settings(settings: WriteSettings) -> str:
    """Every setting that says how the text was drawn."""
    values = settings.model_dump(exclude_none=True, exclude=_LOCAL)
    return ", ".join(f"{key} {value}" for key, value in values.items() if value != [])
