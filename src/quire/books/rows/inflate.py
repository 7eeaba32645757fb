"""Files that may be packed (gzip, xz, bzip2), read a line at a time, no line ever held beyond its bound."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from quire.books.limits import MIB
from quire.errors import BookError

LONGEST_LINE = 64 * MIB
_LONGEST_SKIP = 4096 * MIB
_CHUNK = 1 << 16
DAMAGES = (EOFError, OSError, lzma.LZMAError, zlib.error, ValueError)
"""What the unpackers raise at damaged bytes."""
_UTF16 = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end.  `data` is None where it is too long, and `start` of it then a sample.

    `after` is where the next line starts, in bytes of the unpacked file.
    """

    number: int
    data: bytes | None
    after: int
    start: bytes = b""


def open_unpacked(path: Path) -> BinaryIO:
    """The file, unpacked while it is read; text in UTF-16 becomes UTF-8."""
    with path.open("rb") as file:
        head = file.read(8)
    opened: BinaryIO
    if head.startswith(b"\x1f\x8b"):
        opened = cast("BinaryIO", gzip.GzipFile(path))
    elif head.startswith(b"\xfd7zXZ\x00"):
        opened = cast("BinaryIO", lzma.LZMAFile(path))  # noqa: SIM115
    elif head.startswith(b"BZh"):
        opened = cast("BinaryIO", bz2.BZ2File(path))
    else:
        opened = path.open("rb")
        if head.startswith(_UTF16):
            return _recoded(opened, path)
    return opened


def _recoded(file: BinaryIO, path: Path) -> BinaryIO:
    """A file in UTF-16 as UTF-8; it is small, or nobody wrote it for lines."""
    with file:
        data = file.read(LONGEST_LINE + 1)
    if len(data) > LONGEST_LINE:
        raise BookError(f"{path} is a large file in UTF-16", then="save it in UTF-8", code="too-large")
    return io.BytesIO(data.decode("utf-16", "replace").encode("utf-8", "surrogatepass"))


def read_head(path: Path, size: int = _CHUNK) -> bytes:
    """The first bytes of the unpacked file.  Raises BookError where they cannot be unpacked."""
    try:
        with open_unpacked(path) as file:
            return file.read(size)
    except DAMAGES as error:
        raise damaged(path, error) from None


def damaged(path: Path, error: Exception) -> BookError:
    if isinstance(error, BookError):
        return error
    return BookError(f"{path} is damaged ({error})", then="get the file again", code="damaged")


def read_lines(file: BinaryIO, offset: int = 0, number: int = 1, longest: int = LONGEST_LINE) -> Iterator[Line]:
    """The lines from `offset` on, which is where line `number` starts.

    A line that is too long is passed over in small bites; one without an end in sight ends the file.
    """
    if offset:
        file.seek(offset)
    while data := file.readline(longest + 1):
        offset += len(data)
        if len(data) > longest and not data.endswith(b"\n"):
            start, passed = data[:200], len(data)
            del data
            while (bite := file.readline(_CHUNK)) and not bite.endswith(b"\n"):
                passed += len(bite)
                offset += len(bite)
                if passed > _LONGEST_SKIP:
                    yield Line(number, None, offset, start)
                    return
            offset += len(bite)
            yield Line(number, None, offset, start)
        else:
            yield Line(number, data.rstrip(b"\r\n"), offset)
        number += 1
