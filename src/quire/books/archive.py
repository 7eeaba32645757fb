"""Zip archives from strangers: bounded in size, however small they say they are."""

from __future__ import annotations

import posixpath
import zipfile
import zlib
from pathlib import Path
from urllib.parse import unquote

from quire.books.limits import MIB
from quire.errors import BookError

MOST_ENTRIES = 20_000
MOST_BYTES = 256 * MIB
# Text deflates to a third or a tenth; white space and markup in large chapters to a fiftieth.  Bombs go beyond a
# hundred.
MOST_RATIO = 120
FREE_RATIO_BYTES = 2 * MIB
_CHUNK = 256 * 1024


class Archive:
    """The entries of a zip file by name.  Nothing is ever written to the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._left = MOST_BYTES
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, EOFError, ValueError, NotImplementedError) as error:
            raise BookError(f"{path} is a damaged archive ({error})", then="get the file again") from None
        infos = self._zip.infolist()
        if len(infos) > MOST_ENTRIES:
            raise BookError(
                f"{path} holds {len(infos)} files, more than any book", then="check where the file comes from"
            )
        self._entries = {info.filename: info for info in infos}

    @property
    def names(self) -> list[str]:
        """The names of the entries, as stored."""
        return list(self._entries)

    def __contains__(self, name: str) -> bool:
        return name in self._entries

    def read(self, name: str) -> bytes:
        """The bytes of an entry.

        Raises KeyError when there is none, BookError when it is damaged, locked, or inflates beyond the bounds.
        """
        info = self._entries[name]
        if info.flag_bits & 1:
            raise BookError(f"{self.path} is locked with a password", then="save it without a password")
        data = bytearray()
        try:
            with self._zip.open(info) as stream:
                while chunk := stream.read(_CHUNK):
                    data += chunk
                    self._check(len(data), len(chunk), info.compress_size)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
            raise BookError(f"{self.path} is damaged at {name} ({error})", then="get the file again") from None
        return bytes(data)

    def _check(self, size: int, more: int, packed: int) -> None:
        self._left -= more
        if self._left < 0 or (size > FREE_RATIO_BYTES and size > MOST_RATIO * max(1, packed)):
            raise BookError(
                f"{self.path} inflates far beyond what a book holds (a zip bomb?)",
                then="check where the file comes from",
            )


def resolve(base: str, reference: str) -> str:
    """The entry that a reference in the entry `base` names; `""` for one that leaves the archive."""
    path = unquote(reference.split("#", 1)[0])
    if not path or "://" in path or path.startswith("/"):
        return ""
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(base), path))
    return "" if joined.startswith("..") else joined
