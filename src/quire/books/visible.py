"""Characters that a reader's eye misses or a terminal obeys, shown by their numbers."""

from __future__ import annotations

import re

_UNSEEN = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff\ud800-\udfff]"
)


def show_unseen(text: str) -> str:
    """`text` with every control, bidirectional and other unseen character as `‹U+202E›`; tabs and line ends stay."""
    return _UNSEEN.sub(lambda match: f"‹U+{ord(match[0]):04X}›", text)
