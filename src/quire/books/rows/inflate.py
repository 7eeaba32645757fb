"""Files that may be packed (gzip, xz, bzip2), read a line at a time, no line ever held beyond its bound."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import lzma
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from quire.books.encoding import utf16_without_mark
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
    """The file, unpacked while it is read; UTF-16 and UTF-32 become UTF-8, and line ends of old Macs line ends."""
    opened = _unpacked(path)
    head = opened.read(_CHUNK)
    encoding = _wide(head)
    if not encoding and not (b"\r" in head and b"\n" not in head and head.count(b"\r") > 1):
        opened.seek(0)
        return opened
    return cast("BinaryIO", _Recoding(_Recoded(opened, encoding or "latin-1")))


def can_enter(file: BinaryIO) -> bool:
    """Whether a file can be entered in the middle: its bytes are as they lie on the disk."""
    return type(file) is io.BufferedReader


def _unpacked(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        head = file.read(8)
    if head.startswith(b"\x1f\x8b"):
        return cast("BinaryIO", gzip.GzipFile(path))
    if head.startswith(b"\xfd7zXZ\x00"):
        return cast("BinaryIO", lzma.LZMAFile(path))
    if head.startswith(b"BZh"):
        return cast("BinaryIO", bz2.BZ2File(path))
    return path.open("rb")


def _wide(head: bytes) -> str:
    """The encoding of text in two or four bytes a character; empty for any other."""
    if head.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return "utf-32"
    return "utf-16" if head.startswith(_UTF16) else utf16_without_mark(head[: len(head) // 2 * 2])


class _Recoded(io.RawIOBase):
    """Text in another encoding as UTF-8, a piece at a time; read from the beginning or not at all.

    Old Macs ended lines with a carriage return, which no reader of lines knows: where text is taken byte by byte
    (Latin-1 maps each to itself), it becomes a line end.
    """

    def __init__(self, file: BinaryIO, encoding: str) -> None:
        self._file, self._encoding = file, encoding
        self.seek(0)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        if offset or whence:
            raise OSError("this text is read from its beginning")
        self._file.seek(0)
        self._decoder = codecs.getincrementaldecoder(self._encoding)("replace")
        self._ready = b""
        self._ended = False
        return 0

    def readinto(self, buffer: Any) -> int:
        while not self._ready and not self._ended:
            data = self._file.read(_CHUNK)
            self._ended = not data
            text = self._decoder.decode(data, final=not data)
            old = self._encoding == "latin-1"
            self._ready = text.replace("\r", "\n").encode("latin-1") if old else text.encode("utf-8", "surrogatepass")
        taken, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)

    def close(self) -> None:
        self._file.close()
        super().close()


class _Recoding(io.BufferedReader):
    """So that it is no plain file, whose places are those of the disk."""


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
