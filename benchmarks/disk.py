"""What a crash of the machine may leave on a disk, by the promises of POSIX and no others.

Data written and not synced may be there, be there in part, be zeros or be missing; a name that was made, moved or
removed lasts only once its folder was synced, and names may last in another order than they were changed in.  What was
synced is there.  (Pillai et al. 2014, "All File Systems Are Not Created Equal", draw crash states from such a model.)
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from benchmarks.syscalls import Operation

Tree = dict[str, bytes | None]
"""Paths with the bytes of files; a folder has None."""

ROOT = 0


@dataclass
class _File:
    now: bytearray = field(default_factory=bytearray)
    synced: bytes = b""
    waiting: list[Operation] = field(default_factory=list)

    @property
    def all(self) -> bytes:
        return bytes(self.now) if self.waiting else self.synced


@dataclass(frozen=True)
class _Change:
    """Names that are set (to a node) or cleared (None) together or not at all."""

    names: tuple[tuple[int, str, int | None], ...]


class Disk:
    """Hears operations one by one; `states` are what a crash at this moment may leave."""

    def __init__(self) -> None:
        self.now: dict[int, dict[str, int]] = {ROOT: {}}
        self.synced: dict[int, dict[str, int]] = {ROOT: {}}
        self.files: dict[int, _File] = {}
        self.waiting: list[_Change] = []
        self.next = 1

    def hear(self, operation: Operation) -> None:
        """Carry out one operation."""
        match operation.name:
            case "mkdir" | "create":
                self._make(operation.path, folder=operation.name == "mkdir")
            case "link" if (node := self._find(operation.other)) is not None:
                self._name(operation.path, node)
            case "write" | "truncate":
                if (node := self._find(operation.path)) in self.files:
                    _apply(self.files[node].now, operation)
                    self.files[node].waiting.append(operation)
            case "sync":
                self._sync(self._find(operation.path))
            case "rename" | "exchange":
                self._move(operation)
            case "unlink" | "rmdir":
                at, name = self._place(operation.path)
                del self.now[at][name]
                self.waiting.append(_Change(((at, name, None),)))
            case "allocate" | "open":
                pass  # room without content: what is read there was never written
            case other:
                raise AssertionError(f"{other} of {operation.path}: this disk does not know it")

    def states(self, dice: random.Random, mixed: int) -> Iterator[tuple[str, Tree]]:
        """Every extreme, and `mixed` states that are drawn: a name for the kind of each, and what is there."""
        yield "all", self._tree(self.waiting, lambda file: file.all)
        yield "nothing that was not synced", self._tree([], lambda file: file.synced)
        yield "names without data", self._tree(self.waiting, lambda file: file.synced)
        yield "data without names", self._tree([], lambda file: file.all)
        yield "torn", self._tree(self.waiting, _torn)
        yield "zeros", self._tree(self.waiting, _zeros)
        kinds = (lambda file: file.all, lambda file: file.synced, _torn, _zeros)
        for _ in range(mixed):
            chosen = [change for change in self.waiting if dice.random() < 0.5]
            yield "mixed", self._tree(chosen, lambda file: dice.choice(kinds)(file))

    def _tree(self, changes: list[_Change], content: object) -> Tree:
        assert callable(content)
        folders = {node: dict(names) for node, names in self.synced.items()}
        for change in changes:
            for at, name, node in change.names:
                _set(folders[at], name, node)
        tree: Tree = {}
        known: dict[int, bytes] = {}

        def walk(node: int, path: PurePosixPath) -> None:
            for name, child in folders[node].items():
                if child in self.files:
                    tree[str(path / name)] = known.setdefault(child, content(self.files[child]))
                else:
                    tree[str(path / name)] = None
                    walk(child, path / name)

        walk(ROOT, PurePosixPath())
        return tree

    def _make(self, path: str, folder: bool) -> None:
        node, self.next = self.next, self.next + 1
        if folder:
            self.now[node], self.synced[node] = {}, {}
        else:
            self.files[node] = _File()
        self._name(path, node)

    def _name(self, path: str, node: int) -> None:
        at, name = self._place(path)
        self.now[at][name] = node
        self.waiting.append(_Change(((at, name, node),)))

    def _move(self, operation: Operation) -> None:
        (at, name), (there, target) = self._place(operation.path), self._place(operation.other)
        node = self.now[at][name]
        back = self.now[there][target] if operation.name == "exchange" else None
        _set(self.now[at], name, back)
        self.now[there][target] = node
        self.waiting.append(_Change(((at, name, back), (there, target, node))))

    def _sync(self, node: int | None) -> None:
        if node is None:
            return
        if node in self.files:
            file = self.files[node]
            file.synced, file.waiting = bytes(file.now), []
            return
        lasting = [change for change in self.waiting if any(at == node for at, _, _ in change.names)]
        # What was done to the same names before cannot come after.
        keys = {(at, name) for change in lasting for at, name, _ in change.names}
        latest = max((self.waiting.index(change) for change in lasting), default=-1)
        for change in self.waiting[: latest + 1]:
            if change not in lasting and any((at, name) in keys for at, name, _ in change.names):
                lasting.append(change)
        for change in [change for change in self.waiting if change in lasting]:
            for at, name, child in change.names:
                _set(self.synced[at], name, child)
        self.waiting = [change for change in self.waiting if change not in lasting]

    def _place(self, path: str) -> tuple[int, str]:
        pure = PurePosixPath(path)
        at = ROOT
        for part in pure.parent.parts:
            at = self.now[at][part]
        return at, pure.name

    def _find(self, path: str) -> int | None:
        """The node at `path`; None where it was removed meanwhile and is only held open."""
        at: int = ROOT
        for part in PurePosixPath(path).parts:
            if part not in self.now.get(at, {}):
                return None
            at = self.now[at][part]
        return at


def lay_out(tree: Tree, folder: Path) -> None:
    """Make the files of `tree` in an empty or new `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for path, content in tree.items():
        if content is None:
            (folder / path).mkdir(exist_ok=True)
        else:
            (folder / path).write_bytes(content)


def _set(names: dict[str, int], name: str, node: int | None) -> None:
    if node is None:
        names.pop(name, None)
    else:
        names[name] = node


def _apply(content: bytearray, operation: Operation) -> None:
    if operation.name == "truncate":
        del content[operation.size :]
        content.extend(bytes(operation.size - len(content)))
        return
    content.extend(bytes(max(0, operation.offset - len(content))))
    content[operation.offset : operation.offset + len(operation.data)] = operation.data


def _torn(file: _File) -> bytes:
    """All that was written but half of the last write."""
    if not file.waiting:
        return file.synced
    content = bytearray(file.synced)
    for operation in file.waiting[:-1]:
        _apply(content, operation)
    for last in file.waiting[-1:]:
        half = len(last.data) // 2
        _apply(content, last if last.name == "truncate" else replace(last, data=last.data[:half]))
    return bytes(content)


def _zeros(file: _File) -> bytes:
    """The length that it had, and zeros where data was not synced."""
    if not file.waiting:
        return file.synced
    return (file.synced + bytes(max(0, len(file.now) - len(file.synced))))[: len(file.now)]
