"""The trial's side of the wire, spoken to as the search does."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from quire.errors import GuardError
from quire.run.events import Event
from quire.verbs.searching import host
from quire.verbs.searching.host import Pruned, Wire


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> tuple[Wire, int, dict[str, bytes]]:
    """A wire, the end from which its messages are read, and what it will hear."""
    read, write = os.pipe()
    heard: dict[str, bytes] = {"next": b""}

    def one_byte(handle: int, count: int) -> bytes:
        byte, heard["next"] = heard["next"][:1], heard["next"][1:]
        return byte

    monkeypatch.setattr(host.os, "read", lambda handle, count: one_byte(handle, count))
    return Wire(write), read, heard


def test_of_a_held_out_loss_it_asks_whether_to_go_on(
    pipe: tuple[Wire, int, dict[str, bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    wire, read, heard = pipe
    heard["next"] = b"go\nprune\n"
    wire.tell(Event(0.0, "step", "train", 0, 1, {"loss": 3.0}))
    wire.tell(Event(0.0, "validation", "train", 0, 1, {"loss": 3.0}))
    with pytest.raises(Pruned):
        wire.tell(Event(0.0, "validation", "train", 0, 2, {"loss": 4.0}))
    monkeypatch.undo()
    lines = os.read(read, 1 << 16).splitlines()
    assert [json.loads(line)["event"]["kind"] for line in lines] == ["step", "validation", "validation"]


def test_where_the_search_is_gone_the_trial_ends(pipe: tuple[Wire, int, dict[str, bytes]]) -> None:
    wire, _, _ = pipe
    with pytest.raises(Pruned):
        wire.tell(Event(0.0, "validation", "train", 0, 1, {"loss": 3.0}))


def test_an_error_travels_with_what_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert host._told(GuardError("it diverged", "smaller steps")) == {
        "what": "it diverged",
        "then": "smaller steps",
        "guide": "",
        "fixable": True,
    }
    assert host._told(ZeroDivisionError("oh")) == {"what": "ZeroDivisionError: oh", "fixable": False}


def test_what_every_trial_needs_can_be_imported() -> None:
    import importlib.util

    assert all(importlib.util.find_spec(name) for name in host._LIBRARIES)
    assert Path(host.__file__).is_file()
