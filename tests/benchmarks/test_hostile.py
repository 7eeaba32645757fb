"""The bench of files that mean harm: what it counts, and what it takes for harm."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks import hostile
from quire.books.limits import Limits
from quire.books.readers import KINDS
from quire.errors import BookError


def test_files_are_read_or_refused_and_counted(tmp_path: Path) -> None:
    (tmp_path / "good.txt").write_text("Four words of text.")
    (tmp_path / "empty.pdf").write_bytes(b"")
    (tmp_path / "odd.bin").write_bytes(bytes(range(256)))
    found = [hostile.read(path) for path in hostile.files(tmp_path)]
    assert [(Path(outcome.path).name, outcome.code) for outcome in found] == [
        ("empty.pdf", "empty"),
        ("good.txt", "read"),
        ("odd.bin", "wrong-kind"),
    ]
    assert found[1].words == 4
    assert found[1].memory > 0
    assert not any(outcome.violation for outcome in found)
    assert hostile.table(found) == [
        "| kind | files | read | empty | wrong-kind |",
        "|---|---|---|---|---|",
        "| other | 1 |  |  | 1 |",
        "| pdf | 1 |  | 1 |  |",
        "| txt | 1 | 1 |  |  |",
    ]


@pytest.mark.parametrize(
    ("error", "violation"),
    [
        (KeyError("x"), "another exception than BookError"),
        (BookError("a.txt is odd", "look"), ""),
        (BookError("a.txt is odd", ""), "no next step"),
        (BookError("Traceback of a.txt", "look"), "a reason that is not one line"),
    ],
)
def test_what_is_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, violation: str) -> None:
    def fail(path: Path) -> None:
        raise error

    monkeypatch.setattr(hostile, "read_path", fail)
    assert hostile.read(tmp_path / "a.txt").violation == violation


def test_what_takes_longer_than_it_may_is_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise BookError("a.txt is odd", "look")

    times = iter([0.0, Limits().seconds + 10])
    monkeypatch.setattr(hostile, "read_path", refuse)
    monkeypatch.setattr(hostile.time, "monotonic", lambda: next(times))
    assert hostile.read(tmp_path / "a.txt").violation == "longer than its limits"


def test_only_some_files_of_a_folder(tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number:02}").touch()
    assert [path.name for path in hostile.files(tmp_path, 4)] == ["00", "05", "10", "15"]
    assert [path.name for path in hostile.files(tmp_path / "03")] == ["03"]


def test_the_cost_of_the_walls_is_told_for_every_kind() -> None:
    first, *kinds = hostile.speed(rounds=1)
    assert re.match(r"first file: \d+ ms; load ", first)
    assert [line.split(":")[0] for line in kinds] == list(KINDS)
    assert all(re.search(r"walled .* files/s\), unwalled .* files/s\)", line) for line in kinds)
