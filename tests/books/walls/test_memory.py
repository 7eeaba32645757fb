"""How much memory a reader may have in a container."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from quire.books.limits import MIB
from quire.books.walls.memory import LEAST, room

GIB = 1024 * MIB


def machine(folder: Path, lines: str, limits: dict[str, str]) -> tuple[Path, Path]:
    """What /proc and /sys say of the groups of a process."""
    for name, text in limits.items():
        path = folder / "mounts" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "groups").write_text(lines)
    return folder / "groups", folder / "mounts"


def test_without_a_container_it_is_what_is_asked_for(tmp_path: Path) -> None:
    assert room(GIB, *machine(tmp_path, "0::/user.slice\n", {"user.slice/memory.max": "max\n"})) == GIB


def test_a_group_or_one_above_it_may_have_less(tmp_path: Path) -> None:
    limits = {"a/b/memory.max": "max\n", "a/memory.max": str(GIB)}
    assert room(GIB, *machine(tmp_path, "0::/a/b\n", limits)) == 768 * MIB


def test_groups_of_the_first_version(tmp_path: Path) -> None:
    limits = {"memory/docker/x/memory.limit_in_bytes": f"{512 * MIB}\n"}
    assert room(GIB, *machine(tmp_path, "8:pids:/\n4:cpu,memory:/docker/x\n0::/\n", limits)) == 384 * MIB


def test_inside_a_container_its_own_group_is_the_root(tmp_path: Path) -> None:
    limits = {"memory.max": str(400 * MIB)}
    assert room(GIB, *machine(tmp_path, "0::/../outside\n", limits)) == 300 * MIB
    assert room(100 * MIB, *machine(tmp_path, "", limits)) == 100 * MIB


def test_a_reader_has_enough_to_begin_with(tmp_path: Path) -> None:
    assert room(GIB, *machine(tmp_path, "", {"memory.max": "1"})) == LEAST


def test_where_nothing_is_told_nothing_is_less(tmp_path: Path) -> None:
    assert room(GIB, tmp_path / "absent", tmp_path) == GIB
    assert room(GIB, *machine(tmp_path, "nonsense\n", {})) == GIB


def test_what_a_shell_allows_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda which: (800 * MIB, resource.RLIM_INFINITY))
    assert room(GIB, *machine(tmp_path, "", {})) == 600 * MIB
