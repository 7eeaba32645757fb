"""How pages are named to people, and the reasons for which whole pages hold no text."""

from __future__ import annotations

from collections.abc import Sequence

PICTURE = "picture without text"
UNREADABLE = "text that cannot be read"


def are(numbers: Sequence[int]) -> str:
    return "is" if len(numbers) == 1 else "are"


def name_pages(numbers: Sequence[int]) -> str:
    """`pages 3–7 and 12` for numbers that count from 0, in order; a long list is cut."""
    runs: list[tuple[int, int]] = []
    for number in numbers:
        if runs and runs[-1][1] == number:
            runs[-1] = (runs[-1][0], number + 1)
        else:
            runs.append((number + 1, number + 1))
    shown = [f"{first}" if first == last else f"{first}–{last}" for first, last in runs[:12]]
    if len(runs) > 12:
        shown.append(f"{len(runs) - 12} more")
    names = shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
    return f"page {names}" if len(numbers) == 1 else f"pages {names}"
