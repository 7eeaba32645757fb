"""Pages of weights' files that this process looks into: let go, and read again when somebody looks."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

WEIGHTS = ".safetensors"

WORTHWHILE = 2**26  # bytes of files; telling what is in memory of each mapping takes the system 40 ms

_MAPS, _PAGES = Path("/proc/self/maps"), Path("/proc/self/smaps")  # where everything lies; and what is in memory of it
_MADV_DONTNEED = 4


@dataclass(frozen=True)
class _Mapping:
    """A file, or a part of it, in the process's addresses; `resident` and `changed` of its bytes are in memory."""

    start: int
    size: int
    file: str
    resident: int
    changed: int


def let_file_pages_go() -> int:
    """Take the pages of weights' files out of what this process holds; how many bytes they were.

    Weights in the file's own format are views of it.  The system keeps its pages as long as nobody needs the room, so
    that looking again costs no reading, but it counts them as this process's, and twice where two models look into one
    file.  A file in whose pages somebody wrote (they are this process's own then) stays as it is; small ones are not
    worth the asking.  Linux alone; 0 elsewhere.
    """
    if not sys.platform.startswith("linux") or not _MAPS.exists() or _mapped_bytes() < WORTHWHILE:
        return 0
    library = ctypes.CDLL(None)
    library.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    gone = 0
    for mapping in list(_mappings(_PAGES.read_text(encoding="utf-8", errors="replace"))):
        unchanged = mapping.file.endswith(WEIGHTS) and mapping.resident and not mapping.changed
        if unchanged and library.madvise(mapping.start, mapping.size, _MADV_DONTNEED) == 0:
            gone += mapping.resident
    return gone


def _mapped_bytes() -> int:
    """How much of weights' files lies in the process's addresses."""
    lines = _MAPS.read_text(encoding="utf-8", errors="replace").splitlines()
    places = [line.split()[0].split("-") for line in lines if line.endswith(WEIGHTS)]
    return sum(int(last, 16) - int(first, 16) for first, last in places)


def _mappings(smaps: str) -> Iterator[_Mapping]:
    """Those of files, as Linux tells them: a line of addresses and a name, then lines of `Name: number kB`."""
    start, end, file, facts = 0, 0, "", dict[str, int]()
    for line in [*smaps.splitlines(), "0-0 end"]:
        name, _, rest = line.partition(" ")
        if name.endswith(":"):
            if rest.endswith(" kB"):
                facts[name[:-1]] = int(rest[:-3]) * 1024
            continue
        if file:
            yield _Mapping(start, end - start, file, facts["Rss"], facts["Anonymous"])
        first, last = name.split("-")
        start, end, facts = int(first, 16), int(last, 16), {}
        parts = line.split(maxsplit=5)  # addresses, rights, offset, device, inode, name
        file = parts[5] if len(parts) == 6 and parts[5].startswith("/") else ""
