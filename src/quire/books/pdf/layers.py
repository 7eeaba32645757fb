"""Layers of a PDF that are switched off when it is opened.

PDFium gives the text of all layers and does not tell which are shown.  The names of those that are not stand in the
document's catalogue, which is read here from the file itself, as far as it is plain to see.
"""

from __future__ import annotations

import re

from quire.books.pdf.rescue import whole_objects

_PROPERTIES = re.compile(rb"/OCProperties\s*(?:(\d+) \d+ R|<<)")
_DEFAULTS = re.compile(rb"/D\s*(?:(\d+) \d+ R|<<)")
_OFF = re.compile(rb"/OFF\s*(?:(\d+) \d+ R|\[([^\]]*)\])")
_ON = re.compile(rb"/ON\s*(?:(\d+) \d+ R|\[([^\]]*)\])")
_ALL = re.compile(rb"/OCGs\s*(?:(\d+) \d+ R|\[([^\]]*)\])")
_BASE_OFF = re.compile(rb"/BaseState\s*/OFF\b")
_REFERENCE = re.compile(rb"(\d+) \d+ R")
_NAME = re.compile(rb"/Name\s*(?:\(((?:[^()\\]|\\.)*)\)|<([0-9A-Fa-f\s]*)>)", re.DOTALL)


def hidden_layers(data: bytes) -> frozenset[str]:
    """The names of the layers that are off by default; none where the file does not say it in plain words.

    A name that a layer has which is shown is not among them.
    """
    objects = whole_objects(data)
    properties = next(
        (_follow(objects, body, match) for body in objects.values() if (match := _PROPERTIES.search(body))), b""
    )
    defaults = _DEFAULTS.search(properties)
    if not defaults:
        return frozenset()
    chosen = _follow(objects, properties, defaults)
    off = _references(objects, chosen, _OFF)
    every = _references(objects, properties, _ALL)
    if _BASE_OFF.search(chosen):
        off |= every - _references(objects, chosen, _ON)
    shown = {_name(objects.get(number, b"")) for number in every - off}
    return frozenset({_name(objects.get(number, b"")) for number in off} - shown - {""})


def _follow(objects: dict[int, bytes], body: bytes, match: re.Match[bytes]) -> bytes:
    """What a key names: another object, or what follows it."""
    return objects.get(int(match[1]), b"") if match[1] else body[match.end() :]


def _references(objects: dict[int, bytes], body: bytes, key: re.Pattern[bytes]) -> set[int]:
    match = key.search(body)
    if not match:
        return set()
    listed = objects.get(int(match[1]), b"") if match[1] else match[2]
    return {int(number) for number in _REFERENCE.findall(listed)}


def _name(body: bytes) -> str:
    match = _NAME.search(body)
    if not match:
        return ""
    if match[2] is not None:
        digits = re.sub(rb"\s", b"", match[2])
        raw = bytes.fromhex((digits + b"0" * (len(digits) % 2)).decode("ascii"))
    else:
        raw = re.sub(rb"\\(.)", rb"\1", match[1], flags=re.DOTALL)
    return raw[2:].decode("utf-16-be", "replace") if raw.startswith(b"\xfe\xff") else raw.decode("latin-1")
