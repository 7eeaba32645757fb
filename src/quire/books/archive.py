"""Zip archives from strangers: bounded in size, however small they say they are."""

from __future__ import annotations

import posixpath
import stat
import struct
import zipfile
import zlib
from pathlib import Path
from urllib.parse import unquote

from quire.books.cut_zip import open_zip
from quire.books.limits import MIB
from quire.errors import BookError

MOST_ENTRIES = 20_000
MOST_BYTES = 256 * MIB
# Text deflates to a third or a tenth; white space and markup in large chapters to a fiftieth.  Bombs go beyond a
# hundred.
MOST_RATIO = 120
FREE_RATIO_BYTES = 2 * MIB
_CHUNK = 256 * 1024
_SMALL = 1 * MIB
_LOCAL = struct.Struct("<4s22xHH")  # an entry's own head: its sign, how long its name and what follows that are
_LOCKED = 1  # bit of an entry's flags
_LONGEST_NAME = 1024


# What books are packed with.  Other methods (bzip2, LZMA) inflate in steps that cannot be bounded.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_DAMAGES = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    OSError,
    OverflowError,
    ValueError,
    NotImplementedError,
    RuntimeError,
)
"""What zipfile raises at archives that are none."""


class Archive:
    """The entries of a zip file by name.  Nothing is ever written to the disk; archives inside are not opened.

    `is_cut` says that its end is missing, and that it holds what could still be found.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._left = MOST_BYTES
        try:
            self._size = path.stat().st_size
            self._zip, self.is_cut = open_zip(path)
        except _DAMAGES as error:
            what = f"{path} is a damaged archive ({error})"
            raise BookError(what, then="get the file again", code="damaged") from None
        infos = self._zip.infolist()
        if len(infos) > MOST_ENTRIES:
            what = f"{path} holds {len(infos)} files, more than any book"
            raise BookError(what, then="check where the file comes from", code="too-large")
        self._entries = {name: info for info in infos if (name := _inside(info))}

    @property
    def names(self) -> list[str]:
        """The names of the entries; those that lead out of the archive, links and folders are not among them."""
        return list(self._entries)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def read(self, name: str) -> bytes:
        """The bytes of an entry.

        Raises KeyError when there is none, BookError when it is damaged, locked, or inflates beyond the bounds.
        """
        info = self._entries[name]
        if info.flag_bits & _LOCKED:
            raise BookError(
                f"{self.path} is locked with a password", then="save it without a password", code="protected"
            )
        if info.compress_type not in _METHODS:
            what = f"{self.path} is packed at {name} with a method that books do not use"
            raise BookError(what, then="pack it again with deflate, or get the file again", code="damaged")
        whole = self._small(info)
        if whole is not None:
            self._check(len(whole), len(whole), min(info.compress_size, self._size))
            return whole
        data = bytearray()
        try:
            with self._zip.open(info) as stream:
                while chunk := stream.read(_CHUNK):
                    data += chunk
                    self._check(len(data), len(chunk), min(info.compress_size, self._size))
        except BookError:
            raise
        except _DAMAGES as error:
            what = f"{self.path} is damaged at {name} ({error})"
            raise BookError(what, then="get the file again", code="damaged") from None
        return bytes(data)

    def _small(self, info: zipfile.ZipInfo) -> bytes | None:
        """A small deflated entry at once, where all that the archive says of it holds; else None.

        A book has a hundred of them, and `zipfile` takes as long to open one as to inflate it.
        """
        packed, size, stream = info.compress_size, info.file_size, self._zip.fp
        if info.compress_type != zipfile.ZIP_DEFLATED or not packed or max(packed, size) > _SMALL or stream is None:
            return None
        try:
            stream.seek(info.header_offset)
            head = stream.read(_LOCAL.size)
            sign, name_length, more_length = _LOCAL.unpack(head)
            name = stream.read(name_length + more_length)[:name_length]
            inflating = zlib.decompressobj(-zlib.MAX_WBITS)
            data = inflating.decompress(stream.read(packed), size + 1)
        except (OSError, ValueError, struct.error, zlib.error):
            return None
        told = sign == b"PK\x03\x04" and name == info.orig_filename.encode("ascii", "replace")
        return data if told and inflating.eof and len(data) == size and zlib.crc32(data) == info.CRC else None

    def _check(self, size: int, more: int, packed: int) -> None:
        """Count what really came out, whatever the archive says: of this entry, and of all that were read so far."""
        self._left -= more
        if self._left < 0 or (size > FREE_RATIO_BYTES and size > MOST_RATIO * max(1, packed)):
            raise BookError(
                f"{self.path} inflates far beyond what a book holds (a zip bomb?)",
                then="check where the file comes from",
                code="too-large",
            )


def _inside(info: zipfile.ZipInfo) -> str:
    """The name of an entry as others refer to it; `""` for one that is a folder, a link, or lies outside."""
    name = info.filename.replace("\\", "/")
    parts = name.split("/")
    outside = name.startswith("/") or ".." in parts or ":" in parts[0] or len(name) > _LONGEST_NAME
    linked = stat.S_ISLNK(info.external_attr >> 16)
    return "" if outside or linked or name.endswith("/") else name


def resolve(base: str, reference: str) -> str:
    """The entry that a reference in the entry `base` names; `""` for one that leaves the archive."""
    path = unquote(reference.split("#", 1)[0])
    if not path or "://" in path or path.startswith("/"):
        return ""
    joined = f"{base[: base.rfind('/') + 1]}{path}"
    if "//" not in joined and "./" not in joined and joined[-1:] not in "./" and joined[:2] != "..":
        # It needs no straightening, which is slow beside the look for what does.
        return joined
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(base), path))
    return "" if joined.startswith("..") else joined
