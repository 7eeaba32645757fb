"""What is left of a damaged PDF: the objects that are whole in it, under a new table of pages.

PDFium rebuilds the table of objects itself, but it needs a trailer to begin with, and finds objects that are packed in
streams (since PDF 1.5) only by the table at the end of the file, which is what a cut file lacks.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from itertools import islice

_OBJECT = re.compile(rb"(?<![\d.])(\d{1,7}) (\d{1,5}) obj\b")
_PAGE = re.compile(rb"/Type\s*/Page(?![A-Za-z])")
_PACKED = re.compile(rb"/Type\s*/ObjStm\b")
_COUNT = re.compile(rb"/N\s+(\d{1,6})\b")
_FIRST = re.compile(rb"/First\s+(\d{1,8})\b")
_STREAM = re.compile(rb"\bstream\r?\n")
_ENCRYPTED = re.compile(rb"/Encrypt\s+(?:\d+ \d+ R|<<)")
MOST_HEAD = 4000
MOST_UNPACKED = 64 * 2**20
MOST_PAGES = 20_000
MOST_OBJECTS = 300_000
# Two numbers and two spaces for each object that is packed.
_MOST_INDEX = 24


def rescue(data: bytes) -> bytes | None:
    """The file with a new catalogue of the pages that are whole in it; None when no page is."""
    begin = data.find(b"%PDF-")
    data = data[max(0, begin) :]
    plain, packed = _objects(data)
    pages = {number: b"%d %b R" % (number, issue) for number, (issue, head) in plain.items() if _PAGE.search(head)}
    pages |= {number: b"%d 0 R" % number for number, body in packed.items() if _PAGE.search(body[:MOST_HEAD])}
    if not pages:
        return None
    end = data.rfind(b"endobj") + 6
    return data[:end] + _table(packed, list(pages.values())[:MOST_PAGES], max(*plain, *packed, 0))


def whole_objects(data: bytes) -> dict[int, bytes]:
    """The beginnings of all objects of a file by their numbers, streams without what is in them."""
    plain, packed = _objects(data)
    return {number: head for number, (_, head) in plain.items()} | packed


def is_locked(data: bytes) -> bool:
    """Whether a file is encrypted, so that its streams cannot be read here."""
    return bool(_ENCRYPTED.search(data))


def _objects(data: bytes) -> tuple[dict[int, tuple[bytes, bytes]], dict[int, bytes]]:
    """The objects that stand in the file itself (issue number and head), and those that are packed in streams."""
    plain: dict[int, tuple[bytes, bytes]] = {}
    packed: dict[int, bytes] = {}
    left = MOST_UNPACKED
    # What is packed in an encrypted file cannot be unpacked here.
    locked = is_locked(data)
    for match in islice(_OBJECT.finditer(data, 0, max(0, data.rfind(b"endobj"))), MOST_OBJECTS):
        head = data[match.end() : match.end() + MOST_HEAD].split(b"endobj", 1)[0]
        body = _STREAM.split(head, maxsplit=1)[0]
        plain[int(match[1])] = (match[2], body)
        if left > 0 and not locked and _PACKED.search(body):
            for inner, content in _unpack(data, match.end(), body, left):
                left -= len(content)
                packed[inner] = content
    return plain, packed


def _unpack(data: bytes, start: int, head: bytes, most: int) -> Iterator[tuple[int, bytes]]:
    """The numbers and texts of the objects in a stream; of a stream that was cut, those before the cut."""
    count, first = _COUNT.search(head), _FIRST.search(head)
    stream = _STREAM.search(data, start, start + MOST_HEAD)
    if not count or not first or not stream or b"/DecodeParms" in head:
        return
    raw = data[stream.end() :]
    if b"/FlateDecode" in head or b"/Fl " in head:
        unpacker = zlib.decompressobj()
        content = b""
        try:
            content = unpacker.decompress(raw, most)
        except zlib.error:
            return
    else:
        content = raw.split(b"endstream", 1)[0][:most]
    offset = int(first[1])
    if offset > _MOST_INDEX * int(count[1]):
        return
    index = [int(word) for word in content[:offset].split() if word.isdigit()][: 2 * int(count[1])]
    places = list(zip(index[::2], index[1::2], strict=False))
    for position, (number, begin) in enumerate(places):
        end = places[position + 1][1] if position + 1 < len(places) else len(content) - offset
        body = content[offset + begin : offset + end]
        if 0 < number < 10_000_000 and body.strip():
            yield number, body


def _table(packed: dict[int, bytes], pages: list[bytes], highest: int) -> bytes:
    """The packed objects set out, and a catalogue with one flat list of pages."""
    tree, catalogue = highest + 1, highest + 2
    objects = b"".join(b"\n%d 0 obj\n%b\nendobj" % (number, body.strip()) for number, body in packed.items())
    return (
        objects
        + b"\n%d 0 obj\n<</Type/Pages/Count %d/MediaBox[0 0 595 842]/Kids[%b]>>\nendobj\n"
        % (tree, len(pages), b" ".join(pages))
        + b"%d 0 obj\n<</Type/Catalog/Pages %d 0 R>>\nendobj\n" % (catalogue, tree)
        + b"trailer\n<</Size %d/Root %d 0 R>>\nstartxref\n0\n%%%%EOF\n" % (catalogue + 1, catalogue)
    )
