"""Signs of life: heard by whoever listens, free where nobody does."""

from __future__ import annotations

from quire.books import pulse


def test_a_beat_is_heard_by_the_one_who_listens() -> None:
    heard: list[int] = []
    pulse.beat()
    pulse.listen(lambda: heard.append(1))
    try:
        pulse.beat()
        pulse.beat()
    finally:
        pulse.listen(None)
    pulse.beat()
    assert heard == [1, 1]


def test_each_of_many_is_given_and_a_beat_for_every_so_many() -> None:
    beats: list[int] = []
    given: list[int] = []
    pulse.listen(lambda: beats.append(len(given)))
    try:
        for item in pulse.each(range(7), 3):
            given += [item]
    finally:
        pulse.listen(None)
    assert given == list(range(7))
    assert beats == [0, 3, 6]
