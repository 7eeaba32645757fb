"""Tensors in slices: each of several processes writes its own, and any other number of processes reads them.

A tensor is cut along its first dimension as torch.chunk cuts it, which is also how FSDP2 lays matrices out.  A file of
slices is plain safetensors; its metadata tell of what each is a slice.  A file without
such metadata holds whole tensors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.distributed.tensor import DTensor

SLICES = "slices"  # the key of the metadata


@dataclass(frozen=True)
class Slice:
    """Rows `first` and following, along the first dimension, of a tensor of `shape`."""

    values: Tensor
    shape: tuple[int, ...]
    first: int


def rows_of_process(rows: int, number: int, count: int) -> tuple[int, int]:
    """The rows, from and to, that process `number` of `count` holds of a tensor: pieces of equal length, the last ones
    shorter or empty."""
    length = -(-rows // count)
    return min(number * length, rows), min((number + 1) * length, rows)


def own_slice(tensor: Tensor, number: int, count: int) -> Slice | None:
    """What process `number` of `count` has to write of a tensor that all hold alike, or that lies in slices already.

    None where nothing of it falls to this process.  A single number is the first process's.
    """
    shape = tuple(tensor.shape)
    if not shape:
        return Slice(_plain(tensor), shape, 0) if number == 0 else None
    first, end = rows_of_process(shape[0], number, count)
    if first == end and not (number == 0 and 0 in shape):
        return None
    values = _plain(tensor) if isinstance(tensor, DTensor) else tensor.detach()[first:end]
    assert values.shape[0] == end - first, "slices are cut as torch.chunk cuts them"
    return Slice(values.contiguous(), shape, first)


def save_slices(file: Path, tensors: Mapping[str, Tensor], number: int, count: int) -> None:
    """Write this process's slices of `tensors`; with a single process the whole of them."""
    if count == 1:
        save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, file)
        return
    slices = {name: own for name, tensor in tensors.items() if (own := own_slice(tensor, number, count)) is not None}
    places = {name: [list(own.shape), own.first] for name, own in slices.items()}
    # A copy: safetensors refuses two names on one storage, and a slice of a matrix is a view.
    values = {name: own.values.clone() for name, own in slices.items()}
    save_file(values, file, metadata={SLICES: json.dumps(places)})


class SlicedTensors(Mapping[str, Tensor]):
    """Tensors that lie in files of slices, read when they are asked for."""

    def __init__(self, files: Sequence[Path]) -> None:
        """Raises ValueError where the slices of a tensor leave a gap, overlap or contradict each other."""
        self._pieces: dict[str, list[tuple[int, int, Path]]] = {}
        self._shapes: dict[str, tuple[int, ...]] = {}
        for file in files:
            self._index(file)
        for name, pieces in self._pieces.items():
            pieces.sort(key=lambda piece: piece[:2])
            rows = self._shapes[name][0] if self._shapes[name] else 1
            ends = [end for _, end, _ in pieces]
            if [first for first, _, _ in pieces] != [0, *ends[:-1]] or ends[-1] != rows:
                raise ValueError(f"the slices of {name} do not make a whole")

    def __getitem__(self, name: str) -> Tensor:
        shape = self._shapes[name]
        return self.rows(name, 0, shape[0]) if shape else self._read_number(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._pieces)

    def __len__(self) -> int:
        return len(self._pieces)

    def shape(self, name: str) -> tuple[int, ...]:
        return self._shapes[name]

    def rows(self, name: str, first: int, end: int) -> Tensor:
        """Rows `first` to `end` (exclusive) of a tensor; nothing else of it is read."""
        found = []
        with ExitStack() as opened:
            for start, stop, file in self._pieces[name]:
                low, high = max(first, start), min(end, stop)
                if low < high or (first == end == start == stop):
                    piece = opened.enter_context(safe_open(file, "pt")).get_slice(name)
                    found.append(piece[low - start : high - start])
            if not found:  # a process whose share of a short tensor is empty
                start, _, file = self._pieces[name][0]
                return opened.enter_context(safe_open(file, "pt")).get_slice(name)[0:0]  # type: ignore[no-any-return]
        return found[0] if len(found) == 1 else torch.cat(found)

    def _read_number(self, name: str) -> Tensor:
        with safe_open(self._pieces[name][0][2], "pt") as file:
            return file.get_tensor(name)  # type: ignore[no-any-return]

    def _index(self, file: Path) -> None:
        with safe_open(file, "pt") as opened:
            told = (opened.metadata() or {}).get(SLICES)
            places = json.loads(told) if told is not None else None
            for name in opened.keys():  # noqa: SIM118  # no mapping
                own = tuple(opened.get_slice(name).get_shape())
                shape, first = (tuple(places[name][0]), int(places[name][1])) if places is not None else (own, 0)
                if self._shapes.setdefault(name, shape) != shape or own[1:] != shape[1:]:
                    raise ValueError(f"the slices of {name} are of different shapes")
                end = first + own[0] if own else 1
                self._pieces.setdefault(name, []).append((first, end, file))


def fill(target: Tensor, tensors: Mapping[str, Tensor], name: str) -> None:
    """Copy the tensor `name` into `target`, or of it those rows that `target` holds.  Raises ValueError where it does
    not fit."""
    whole = tensors.shape(name) if isinstance(tensors, SlicedTensors) else tuple(tensors[name].shape)
    if whole != tuple(target.shape):
        raise ValueError(f"{name} is {list(whole)} and should be {list(target.shape)}")
    with torch.no_grad():
        if isinstance(target, DTensor):
            mesh = target.device_mesh
            first, end = rows_of_process(target.shape[0], mesh.get_local_rank(), mesh.size())
            values = tensors.rows(name, first, end) if isinstance(tensors, SlicedTensors) else tensors[name][first:end]
            _plain(target).copy_(values)
        else:
            target.copy_(tensors[name])


def memory_for(parameter: Tensor, tensors: Mapping[str, Tensor], name: str) -> Tensor:
    """The tensor `name` beside `parameter`, such as a moment of its optimiser: in slices where that lies in slices."""
    if isinstance(parameter, DTensor) and isinstance(tensors, SlicedTensors):
        alike = tensors.shape(name) == tuple(parameter.shape)
    else:
        alike = isinstance(parameter, DTensor) and tensors[name].shape == parameter.shape
    if not alike:
        return tensors[name].to(parameter.device)
    first = tensors.rows(name, 0, 0) if isinstance(tensors, SlicedTensors) else tensors[name]
    memory = torch.zeros_like(parameter, dtype=first.dtype)
    fill(memory, tensors, name)
    return memory


def _plain(tensor: Tensor) -> Tensor:
    """A tensor as this process holds it: its own slice, where it lies in slices."""
    return tensor.to_local().detach() if isinstance(tensor, DTensor) else tensor.detach()
