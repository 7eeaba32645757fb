"""Tables in a PDF that name the characters of its fonts, mended where they miscount their entries.

PDFium takes no part of a table whose count is wrong, though the names are all there (libraries in wide use write such
tables, and other readers never look at the count).  They are mended in a copy of the file, each in its own place, so
that everything else stays where the file says it is.
"""

from __future__ import annotations

import re
import zlib

from quire.books.pdf.rescue import is_locked, whole_objects

MOST_TABLE = 2 * 2**20
MOST_TABLES = 1000
# As many entries as the format allows in one part of a table.
_PART = 100
_REFERENCE = re.compile(rb"/ToUnicode\s+(\d{1,7})\s+\d{1,5}\s+R")
_STREAM = re.compile(rb"\bstream\r?\n")
_BEGIN = re.compile(rb"(?:(\d{1,9})\s+)?begin(bfchar|bfrange)\b")
_CODE = rb"<[0-9A-Fa-f\s]*>"
_ENTRY = {
    b"bfchar": re.compile(_CODE + rb"\s*" + _CODE),
    b"bfrange": re.compile(_CODE + rb"\s*" + _CODE + rb"\s*(?:" + _CODE + rb"|\[[^\]]*\])"),
}


def mend_tables(data: bytes) -> bytes | None:
    """The file with all its tables counted right; None where none was wrong, or none could be mended."""
    if is_locked(data):
        return None
    numbers: set[int] = set()
    for body in whole_objects(data).values():
        numbers.update(int(number) for number in _REFERENCE.findall(body))
    mended = bytearray(data)
    count = 0
    for number in sorted(numbers)[:MOST_TABLES]:
        start = data.rfind(b"\n%d 0 obj" % number)
        stream = _STREAM.search(data, start, start + 1000) if start >= 0 else None
        if stream is None:
            continue
        head = data[start : stream.start()]
        end = data.find(b"endstream", stream.end())
        table = _mended_stream(head, data[stream.end() : end]) if end >= 0 else None
        if table is not None:
            mended[stream.end() : stream.end() + len(table)] = table
            count += 1
    return bytes(mended) if count else None


def _mended_stream(head: bytes, raw: bytes) -> bytes | None:
    """A table's stream in no more bytes than it had; None where it is right, or does not fit."""
    packed = b"/FlateDecode" in head
    if b"/DecodeParms" in head or (b"/Filter" in head and not packed):
        return None
    if not packed:
        table = mend_table(raw[:MOST_TABLE])
        room = len(raw.rstrip(b"\r\n"))
        return table.ljust(room) if table is not None and len(table) <= room else None
    unpacker = zlib.decompressobj()
    try:
        table = mend_table(unpacker.decompress(raw, MOST_TABLE))
    except zlib.error:
        return None
    if table is None:
        return None
    again = zlib.compress(table, 9)
    return again if len(again) <= len(raw) - len(unpacker.unused_data) else None


def mend_table(table: bytes) -> bytes | None:
    """A table with every part counted right and nothing in it but codes and names; None where it was right."""
    parts: list[bytes] = []
    wrong = False
    begin = _BEGIN.search(table)
    while begin and (end := table.find(b"end" + begin[2], begin.end())) >= 0:
        kind = begin[2]
        found = [match[0] for match in _ENTRY[kind].finditer(table, begin.end(), end)]
        wrong = wrong or not begin[1] or int(begin[1]) != len(found)
        entries = [row for entry in found for row in (_rows(entry) if entry.endswith(b"]") else [entry])]
        for first in range(0, len(entries), _PART):
            part = entries[first : first + _PART]
            parts.append(b"%d begin%b\n%b\nend%b" % (len(part), kind, b"\n".join(part), kind))
        begin = _BEGIN.search(table, end)
    return b"\n".join(parts) if wrong and parts else None


def _rows(entry: bytes) -> list[bytes]:
    """A range whose names are listed one by one, cut where its codes pass into another row of 256, as none may."""
    first, _, *names = re.findall(_CODE, entry)
    digits = b"".join(first[1:-1].split())
    start, width = int(digits or b"0", 16), len(digits)
    rows: list[bytes] = []
    while names:
        row = names[: 256 - start % 256]
        rows.append(b"<%0*x><%0*x>[%b]" % (width, start, width, start + len(row) - 1, b"".join(row)))
        names, start = names[len(row) :], start + len(row)
    return rows
