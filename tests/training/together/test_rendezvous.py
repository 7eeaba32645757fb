from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import timedelta

import pytest

from crew import Crew, expect
from quire.errors import RunError
from quire.run.place import LISTENER, Place
from quire.training.together import rendezvous
from quire.training.together.rendezvous import meeting_point


def test_the_first_listens_where_the_launcher_has_done_so_already(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
        monkeypatch.setenv("MASTER_PORT", str(listening.getsockname()[1]))
        monkeypatch.setenv(LISTENER, str(listening.detach()))
        store = meeting_point(Place(0, 1))
        store.set("word", "said")
        assert store.get("word") == b"said"


def test_a_machine_that_nobody_answers_from_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rendezvous, "WAITING", timedelta(seconds=0.5))
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound, not listening: refused
        monkeypatch.setenv("MASTER_ADDR", "127.0.0.1")
        monkeypatch.setenv("MASTER_PORT", str(nobody.getsockname()[1]))
        with pytest.raises(RunError, match=r"process 1 of 2 did not meet the others at 127\.0\.0\.1:\d+") as caught:
            meeting_point(Place(1, 2))
    assert "MASTER_ADDR" in caught.value.then


def meet() -> bytes:
    from quire.run.place import place_here

    place = place_here()
    store = meeting_point(place)
    store.set(f"from {place.number}", str(place.number))
    heard = b"".join(store.get(f"from {number}") for number in range(place.count))
    store.add("heard", 1)
    while place.first and store.add("heard", 0) < place.count:
        pass  # the first keeps the store, which ends with it
    return heard


def test_all_meet_where_the_environment_says(crew_of: Callable[[int], Crew]) -> None:
    assert expect(crew_of(2).do(meet)) == [b"01", b"01"]
