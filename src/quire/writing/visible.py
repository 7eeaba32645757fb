"""Text from a model, made safe to show."""

from __future__ import annotations

import re

_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def without_controls(text: str) -> str:
    """`text` without control characters but tabs and line ends: a terminal would obey them, and HTML forbids them."""
    return _CONTROLS.sub("", text)
