"""What a crash may leave, by hand."""

from __future__ import annotations

import random

from benchmarks.disk import Disk, Tree
from benchmarks.syscalls import Operation


def disk_after(*told: tuple) -> Disk:
    disk = Disk()
    for number, (name, path, *more) in enumerate(told):
        match name:
            case "write":
                operation = Operation(number, name, path, offset=more[0], data=more[1], size=len(more[1]))
            case "rename" | "exchange" | "link":
                operation = Operation(number, name, path, more[0])
            case "truncate":
                operation = Operation(number, name, path, size=more[0])
            case _:
                operation = Operation(number, name, path)
        disk.hear(operation)
    return disk


def states(disk: Disk, mixed: int = 0) -> dict[str, Tree]:
    return dict(disk.states(random.Random(1), mixed))


def test_a_name_without_its_folder_s_sync_may_be_lost_and_data_without_its_own() -> None:
    found = states(disk_after(("create", "a"), ("write", "a", 0, b"text")))
    assert found["all"] == {"a": b"text"}
    assert found["nothing that was not synced"] == {}
    assert found["names without data"] == {"a": b""}
    assert found["torn"] == {"a": b"te"}
    assert found["zeros"] == {"a": bytes(4)}


def test_what_was_synced_stays() -> None:
    found = states(disk_after(("create", "a"), ("write", "a", 0, b"text"), ("sync", "a"), ("sync", ".")))
    assert set(map(str, found.values())) == {"{'a': b'text'}"}


def test_syncing_a_file_does_not_keep_its_name() -> None:
    found = states(disk_after(("create", "a"), ("write", "a", 0, b"text"), ("sync", "a")))
    assert found["nothing that was not synced"] == {}
    assert found["names without data"] == {"a": b"text"}


def test_a_rename_happens_whole_or_not() -> None:
    written = [("create", "new"), ("write", "new", 0, b"2"), ("sync", "new")]
    old = [("create", "a"), ("write", "a", 0, b"1"), ("sync", "a"), ("sync", ".")]
    found = disk_after(*old, *written, ("rename", "new", "a"))
    assert {tree["a"] for _, tree in found.states(random.Random(1), 50)} == {b"1", b"2"}
    assert all(len(tree) <= 2 for _, tree in found.states(random.Random(1), 50))


def test_the_old_side_of_an_exchange_may_lose_its_files_before_the_exchange_lasts() -> None:
    """Why `_put_in_place` syncs before it removes what was exchanged."""
    made = [("mkdir", "a"), ("create", "a/x"), ("sync", "a/x"), ("sync", "a"), ("sync", ".")]
    new = [("mkdir", "b"), ("create", "b/x"), ("sync", "b/x"), ("sync", "b"), ("sync", ".")]
    found = disk_after(*made, *new, ("exchange", "b", "a"), ("unlink", "b/x"))
    assert any("a" in tree and "a/x" not in tree for _, tree in found.states(random.Random(1), 50))
    safe = disk_after(*made, *new, ("exchange", "b", "a"), ("sync", "."), ("unlink", "b/x"))
    assert all("a/x" in tree for _, tree in safe.states(random.Random(1), 50))


def test_later_changes_to_a_name_do_not_come_before_earlier_ones() -> None:
    found = disk_after(("create", "a"), ("unlink", "a"), ("create", "a"), ("write", "a", 0, b"2"), ("sync", "."))
    assert found.waiting == []
    assert states(found)["names without data"] == {"a": b""}


def test_a_hard_link_is_the_same_file() -> None:
    found = disk_after(
        ("create", "a"), ("link", "b", "a"), ("write", "a", 0, b"1"), ("truncate", "b", 3), ("sync", "b")
    )
    assert states(found)["all"] == {"a": b"1\0\0", "b": b"1\0\0"}
