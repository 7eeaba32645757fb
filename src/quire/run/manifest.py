"""A folder's manifest, written last: the SHA-256 of every file.  A folder that it does not bear out is not whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from quire.run.atomic import hash_file, write_text

MANIFEST = "manifest.json"
FILES, OWN = "files", "sha256"  # `sha256` is that of the rest of the manifest itself

Fact = bool | int | str


def seal(folder: Path, facts: Mapping[str, Fact] | None = None, exempt: tuple[str, ...] = ()) -> None:
    """Write the manifest of `folder` as it stands, with `facts` beside the hashes.

    `exempt` are files that may change later, such as a card that is written anew when the voice is judged.
    """
    told: dict[str, object] = {FILES: {name: hash_file(folder / name) for name in _names(folder) if name not in exempt}}
    told |= facts or {}
    write_text(folder / MANIFEST, json.dumps({**told, OWN: _digest(told)}, indent=2) + "\n")


def read_manifest(folder: Path) -> dict[str, object]:
    """What the manifest tells, its own hash verified, the files' not.  Raises OSError or ValueError."""
    told = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    if not isinstance(told, dict) or not isinstance(told.get(FILES), dict):
        raise ValueError(f"{MANIFEST} lists no files")
    own = told.pop(OWN, None)
    if own is not None and own != _digest(told):  # those of older versions have none
        raise ValueError(f"{MANIFEST} was changed or damaged")
    return told


def flaw(folder: Path, required: tuple[str, ...] = ()) -> str | None:
    """What is wrong with a sealed folder: the first file that is missing, or not what it was; None where it is whole.

    A file that the manifest does not list is no flaw, unless it is `required`.
    """
    try:
        listed = read_manifest(folder)[FILES]
        assert isinstance(listed, dict)
        for name in (*required, *(name for name in listed if name not in required)):
            if name not in listed:
                return f"{folder}: {MANIFEST} does not vouch for {name}"
            if hash_file(folder / name) != listed[name]:
                return f"{folder / name} was changed or damaged"
    except FileNotFoundError as error:
        return f"{folder}: {Path(str(error.filename)).name} is missing"
    except (OSError, ValueError) as error:
        return f"{folder} is not whole: {error}"
    return None


def spoiled(folder: Path) -> str | None:
    """As `flaw`, of a folder that need not be there, and may be older than manifests: neither is a flaw."""
    return flaw(folder) if (folder / MANIFEST).exists() else None


def _names(folder: Path) -> list[str]:
    files = (path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST)
    return sorted(path.relative_to(folder).as_posix() for path in files)


def _digest(told: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()
