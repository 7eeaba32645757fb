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
