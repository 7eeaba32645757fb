"""Rows on the disk: plain arrays (.npy, never pickled), written once, then mapped into memory and read where needed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from quire.errors import RunError
from quire.run.atomic import named_disk_errors
from quire.tokens.rows import Rows, rows_of_pieces
from quire.tokens.tables import LAST, STRETCH, Piece, RowTable, StretchTable

FORMAT = 1
ABOUT, WEIGHTS = "rows.json", "weights.npy"
_CHUNK = 1 << 24
_OPTIONAL = ("learned", "labels")
_TYPES = {
    "ids": np.int32,
    "bounds": np.int64,
    "books": np.int32,
    "ends": np.bool_,
    "learned": np.bool_,
    "labels": np.int32,
    "segments": np.int32,
    "offsets": np.int64,
    "targets": np.int32,
}


def save_rows(rows: Rows, folder: Path) -> None:
    """Write rows into `folder`, which need not be there.  May raise DiskFull.  `load_rows` is the inverse."""
    with named_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for number, piece in enumerate(rows.pieces):
            save_piece(piece, folder / _name(number))
        if rows.weights is not None:
            write_array(folder / WEIGHTS, rows.weights)
        about = {"format": FORMAT, "start": rows.start, "pieces": len(rows.pieces)}
        (folder / ABOUT).write_text(json.dumps(about) + "\n", encoding="utf-8")


def load_rows(folder: Path) -> Rows:
    """The rows in `folder`, mapped into memory.  Raises RunError where they are not what was written."""
    try:
        about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        if about["format"] != FORMAT:
            raise ValueError(f"format {about['format']}, not {FORMAT}")
        pieces = [load_piece(folder / _name(number)) for number in range(about["pieces"])]
        rows = rows_of_pieces(pieces, about["start"])
        if not (folder / WEIGHTS).exists():
            return rows
        return replace(rows, weights=_array(folder / WEIGHTS, np.float64).astype(np.float64))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, error) from None


def save_piece(piece: Piece, folder: Path) -> None:
    """One piece into a folder of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays = {**vars(piece.text), **vars(piece.rows)}
    for name in _TYPES:
        if arrays[name] is not None:
            write_array(folder / f"{name}.npy", arrays[name])


def load_piece(folder: Path) -> Piece:
    """The arrays of a piece, mapped into memory.  Raises OSError or ValueError where they are no such arrays."""
    arrays: dict[str, NDArray[np.generic] | None] = {
        name: _array(folder / f"{name}.npy", kind)
        for name, kind in _TYPES.items()
        if name not in _OPTIONAL or (folder / f"{name}.npy").exists()
    }
    text = StretchTable(*(arrays.get(name) for name in ("ids", "bounds", "books", "ends", *_OPTIONAL)))  # type: ignore[arg-type]
    rows = RowTable(*(arrays[name] for name in ("segments", "offsets", "targets")))  # type: ignore[arg-type]
    piece = Piece(text, rows)
    _check(piece)
    return piece


def write_array(path: Path, array: NDArray[np.generic]) -> None:
    """An array as a .npy file.  Written in plain pieces: numpy's own way hides that a disk is full."""
    array = np.ascontiguousarray(array)
    with path.open("wb") as file:
        npy.write_array_header_1_0(file, npy.header_data_from_array_1_0(array))
        data = memoryview(array.reshape(-1).view(np.uint8))  # type: ignore[arg-type]
        for at in range(0, len(data), _CHUNK):
            file.write(data[at : at + _CHUNK])


def pieces_of(folders: Sequence[Path]) -> list[Piece]:
    """The pieces that lie in several folders.  Raises RunError where one is not what was written."""
    pieces = []
    for folder in folders:
        try:
            pieces.append(load_piece(folder))
        except (OSError, ValueError) as error:
            raise _damaged(folder, error) from None
    return pieces


def _array(path: Path, kind: type[np.generic]) -> NDArray[np.generic]:
    """A mapped array; one without values cannot be mapped, and is made."""
    with path.open("rb") as file:
        if npy.read_magic(file) != (1, 0):
            raise ValueError(f"{path.name} is no array")
        shape, _, dtype = npy.read_array_header_1_0(file)
    if dtype != kind:
        raise ValueError(f"{path.name} holds {dtype}")
    return np.load(path, mmap_mode="r", allow_pickle=False) if 0 not in shape else np.zeros(shape, kind)


def _check(piece: Piece) -> None:
    """That the tables fit together: otherwise rows would be read out of foreign text."""
    text, rows = piece.text, piece.rows
    fits = (
        len(text.bounds) == len(text.books) + 1 == len(text.ends) + 1
        and int(text.bounds[-1]) == len(text.ids)
        and (text.learned is None or len(text.learned) == len(text.ids))
        and (text.labels is None or text.labels.shape == (len(text), 3))
        and len(rows.offsets) == len(rows.targets) + 1
        and rows.segments.ndim == 2
        and int(rows.offsets[-1]) == len(rows.segments)
        and (not len(rows.segments) or int(rows.segments[-1, STRETCH]) < len(text))
        and (not len(rows.segments) or int(rows.segments[-1, LAST]) <= len(text.ids))
    )
    if not fits:
        raise ValueError("its tables do not fit together")


def _name(number: int) -> str:
    return f"piece-{number:05d}"


def _damaged(folder: Path, error: Exception) -> RunError:
    what = f"{folder} does not hold the rows that were prepared ({error})"
    return RunError(what, "delete the folder and give the same command again", "resume")
