"""Verse, quotations, letters and notes that the bench puts into the works it sets.  All written for it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

LANGUAGES = ("en", "fr")


def _load(language: str) -> Mapping[str, Sequence[str]]:
    """The sections of the file; their items stand apart by `---`."""
    text = Path(__file__).with_name("texts").joinpath(f"extras-{language}.md").read_text(encoding="utf-8")
    sections = re.split(r"^# (.+)\n", text, flags=re.MULTILINE)[1:]
    return {
        name: tuple(item.strip("\n") for item in items.split("\n---\n"))
        for name, items in zip(sections[::2], sections[1::2], strict=True)
    }


EXTRAS: Mapping[str, Mapping[str, Sequence[str]]] = {language: _load(language) for language in LANGUAGES}
