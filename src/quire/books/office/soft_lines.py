"""Line ends within a paragraph of a word processor: verse, paragraphs of those who never press Enter, or wrapped
text that was pasted."""

from __future__ import annotations

import re
from typing import Literal

_SENTENCE_END = re.compile(r"[.!?…:;][”’»\"')\]]*$")
LONGEST_LINE = 90
_LONGEST_VERSE = 160


def split_soft_lines(text: str) -> list[tuple[Literal["paragraph", "verse"], str]]:
    """The paragraphs or stanzas that the lines of one paragraph are.

    Short lines are verse, or an address; two line ends part stanzas.  Long lines that end sentences are paragraphs;
    long ones that do not were wrapped.
    """
    blocks: list[tuple[Literal["paragraph", "verse"], str]] = []
    for part in re.split(r"\n[ \t\u00a0]*\n\s*", text.strip()):
        lines = [line.strip() for line in part.split("\n") if line.strip()]
        if len(lines) <= 1:
            blocks += [("paragraph", line) for line in lines]
        elif sorted(map(len, lines))[len(lines) // 2] <= LONGEST_LINE and not _is_wrapped(lines):
            if max(map(len, lines)) > 4 * LONGEST_LINE:
                blocks += [("paragraph", line) for line in lines]
            else:
                blocks.append(("verse", "\n".join(lines)))
        elif _is_wrapped(lines):
            blocks.append(("paragraph", " ".join(lines)))
        elif _are_long_verses(lines):
            blocks.append(("verse", "\n".join(lines)))
        else:
            blocks += [("paragraph", line) for line in lines]
    return blocks


def _is_wrapped(lines: list[str]) -> bool:
    """Whether most lines begin in lower case after one that was nearly full."""
    widest = max(map(len, lines))
    low = sum(line[0].islower() for line in lines[1:])
    full = sum(len(line) >= 0.75 * widest for line in lines[:-1])
    ended = sum(bool(_SENTENCE_END.search(line)) for line in lines[:-1])
    several = len(lines) >= 4 and widest >= 45
    return several and low >= 0.6 * (len(lines) - 1) and full >= 0.8 * (len(lines) - 1) and ended <= 0.4 * len(lines)


def _are_long_verses(lines: list[str]) -> bool:
    """Lines longer than most verse that no sentence ends with: paragraphs would."""
    ended = sum(bool(_SENTENCE_END.search(line)) for line in lines)
    return len(lines) >= 3 and max(map(len, lines)) <= _LONGEST_VERSE and ended <= 0.5 * len(lines)
