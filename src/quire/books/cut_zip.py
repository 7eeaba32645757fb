"""Zip archives that break off: their end, which lists what they hold, is missing; each entry has a head of its own.

What was whole, and the first part of the entry in which the file ends, can still be had.
"""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from quire.books.limits import MIB

MOST_BYTES = 256 * MIB
MOST_INFLATED = 64 * MIB
MOST_ENTRIES = 20_000
CUT = "the file is cut off or damaged: only the parts that are still there were read"
_SIGN = b"PK\x03\x04"
_LOCAL = struct.Struct("<4sHHHHHIIIHH")
_CENTRAL = struct.Struct("<4sHHHHHHIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_STORED, _DEFLATED = 0, 8
_LOCKED, _SIZES_FOLLOW = 1, 8
_UNKNOWN = 0xFFFFFFFF
_CHUNK = 256 * 1024
_UNIX = 3 << 8


@dataclass(frozen=True)
class _Entry:
    """An entry as the archive's end would have it."""

    name: bytes
    flags: int
    method: int
    check: int
    packed: int
    size: int
    place: int


def open_zip(path: Path) -> tuple[zipfile.ZipFile, bool]:
    """The archive, and whether it is one that breaks off.  Raises what `zipfile` raises where nothing can be had."""
    try:
        return zipfile.ZipFile(path), False
    except zipfile.BadZipFile:
        if path.stat().st_size > MOST_BYTES:
            raise
        data = path.read_bytes()
        entries, rest = _entries(data)
        if not entries:
            raise
        return zipfile.ZipFile(io.BytesIO(data + rest + _list(entries, len(data) + len(rest)))), True


def _entries(data: bytes) -> tuple[list[_Entry], bytes]:
    """The entries that are there, and what must be added to the file so that the last one is whole in itself."""
    found: list[_Entry] = []
    place, left = data.find(_SIGN), MOST_INFLATED
    while place >= 0 and len(found) < MOST_ENTRIES and left > 0:
        start = place + _LOCAL.size
        if start > len(data):
            break
        _, _, flags, method, _, _, check, packed, size, name_length, more_length = _LOCAL.unpack_from(data, place)
        name, start = data[start : start + name_length], start + name_length + more_length
        if packed == _UNKNOWN or size == _UNKNOWN or start + packed > len(data) or flags & _SIZES_FOLLOW:
            if method != _DEFLATED or flags & _LOCKED:
                text = data[start:] if method == _STORED and start + packed > len(data) else b""
                return _with_rest(found, name, text, len(data))
            text, check, packed, whole = _inflated(data, start, left)
            size = len(text)
            left -= size
            if not whole:
                return _with_rest(found, name, text, len(data))
        found.append(_Entry(name, flags & ~_SIZES_FOLLOW, method, check, packed, size, place))
        place = data.find(_SIGN, start + packed)
    return found, b""


def _inflated(data: bytes, start: int, most: int) -> tuple[bytes, int, int, bool]:
    """What comes out from `start` on: its bytes, their checksum, how many went in, and whether it came to its end."""
    inflating = zlib.decompressobj(-15)
    out = bytearray()
    place = start
    try:
        while not inflating.eof and len(out) <= most and (place < len(data) or inflating.unconsumed_tail):
            chunk = inflating.unconsumed_tail or data[place : place + _CHUNK]
            if not inflating.unconsumed_tail:
                place += len(chunk)
            out += inflating.decompress(chunk, 4 * _CHUNK)
    except zlib.error:
        pass
    packed = min(place, len(data)) - start - len(inflating.unused_data) - len(inflating.unconsumed_tail)
    return bytes(out), zlib.crc32(out), packed, inflating.eof


def _with_rest(found: list[_Entry], name: bytes, text: bytes, place: int) -> tuple[list[_Entry], bytes]:
    """With an entry that holds what there is of the last one, unpacked, behind the end of the file."""
    if not text or not name:
        return found, b""
    check = zlib.crc32(text)
    head = _LOCAL.pack(_SIGN, 20, 0, _STORED, 0, 33, check, len(text), len(text), len(name), 0)
    return [*found, _Entry(name, 0, _STORED, check, len(text), len(text), place)], head + name + text


def _list(entries: list[_Entry], place: int) -> bytes:
    """What stands at the end of an archive."""
    listed = b"".join(
        _CENTRAL.pack(
            *(b"PK\x01\x02", 20 | _UNIX, 20, entry.flags, entry.method, 0, 33, entry.check, entry.packed, entry.size),
            *(len(entry.name), 0, 0, 0, 0, 0, entry.place),
        )
        + entry.name
        for entry in entries
    )
    count = len(entries)
    return listed + _END.pack(b"PK\x05\x06", 0, 0, count, count, len(listed), place, 0)
