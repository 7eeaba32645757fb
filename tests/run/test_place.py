from __future__ import annotations

import pytest

from quire.errors import RunError
from quire.run.place import LAUNCHED, Place, place_here

MEETING = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500"}


def test_a_process_that_nobody_numbered_is_the_only_one() -> None:
    assert place_here({}) == Place(0, 1, 0, 1, launched=False)
    assert place_here({"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}) == Place()


def test_what_torchrun_says_of_the_second_process_of_a_second_machine_is_understood() -> None:
    says = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2", **MEETING}
    place = place_here(says)
    assert place == Place(3, 4, 1, 2, launched=False)
    assert not place.first
    assert place_here({**says, LAUNCHED: "1"}).launched


@pytest.mark.parametrize(
    "says",
    [
        {"WORLD_SIZE": "two", "RANK": "0", **MEETING},
        {"WORLD_SIZE": "2", "RANK": "2", **MEETING},
        {"WORLD_SIZE": "2", "RANK": "-1", **MEETING},
        {"WORLD_SIZE": "2", **MEETING},
        {"WORLD_SIZE": "2", "RANK": "0"},
        {"WORLD_SIZE": "2", "RANK": "1", "LOCAL_RANK": "5", **MEETING},
    ],
)
def test_a_contradiction_is_told_with_the_variables_that_make_it(says: dict[str, str]) -> None:
    with pytest.raises(RunError, match="WORLD_SIZE=") as caught:
        place_here(says)
    assert "torchrun" in caught.value.then


def test_the_environment_of_this_process_is_asked_where_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "LOCAL_RANK": "1", **MEETING}.items():
        monkeypatch.setenv(name, value)
    assert place_here().number == 1
