from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from crew import Crew, expect
from quire.errors import BookError, Echo, GuardError, RunError, Stopped
from quire.run.place import Place
from quire.training.together import ranks as module
from quire.training.together.ranks import ALONE, ProcessLost, Ranks, buckets, exit_code_of, is_lost, joined, own_gpu

CrewOf = Callable[[int], Crew]


def test_alone_nothing_is_waited_for() -> None:
    assert not ALONE.several
    assert ALONE.first
    assert ALONE.share([3, 1, 2]) == [3, 1, 2]
    assert ALONE.sum(1, 2.5) == [1.0, 2.5]
    assert ALONE.most(7, -1) == [7.0, -1.0]
    assert ALONE.told("text") == "text"
    assert ALONE.lead(lambda: 5) == 5
    assert ALONE.together(lambda: 6) == 6
    weight = torch.nn.Parameter(torch.ones(2))
    ALONE.sum_gradients([weight])
    assert weight.grad is None


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_shares_are_disjoint_and_complete_and_differ_by_one_at_most(count: int) -> None:
    for length in range(12):
        shares = [Ranks(Place(number, count)).share(range(length)) for number in range(count)]
        assert sorted(item for share in shares for item in share) == list(range(length))
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def everything() -> dict[str, Any]:
    """One of each thing that processes do together, as it looks from here."""
    with joined() as ranks:
        mine = torch.nn.Parameter(torch.zeros(3))
        unused = torch.nn.Parameter(torch.zeros(2, dtype=torch.bfloat16))
        nowhere = torch.nn.Parameter(torch.zeros(2))
        if ranks.first:
            mine.grad = torch.tensor([1.0, 2.0, 3.0])
        else:
            unused.grad = torch.ones(2, dtype=torch.bfloat16)
        ranks.sum_gradients([mine, unused, nowhere])
        own = torch.full((2,), float(ranks.rank))
        ranks.copy_from_first([own])
        ranks.meet()
        return {
            "sum": ranks.sum(ranks.rank, 0.1),
            "most": ranks.most(ranks.rank, -ranks.rank),
            "any": (ranks.any(ranks.rank == 1), ranks.any(False)),
            "told": (ranks.told("“Six hours,”" if ranks.first else "never heard"), ranks.told("")),
            "lead": ranks.lead(lambda: ranks.rank + 10),
            "gradients": (mine.grad.tolist() if mine.grad is not None else None, str(unused.grad)),
            "nowhere": nowhere.grad,
            "copied": own.tolist(),
        }


def test_what_is_agreed_on_is_the_same_in_all(crew_of: CrewOf) -> None:
    one, two = expect(crew_of(2).do(everything))
    assert (one.pop("lead"), two.pop("lead")) == (10, None)
    assert one == two
    assert one["sum"] == [1.0, 0.2]
    assert one["most"] == [1.0, 0.0]
    assert one["any"] == (True, False)
    assert one["told"] == ("“Six hours,”", "")
    assert one["gradients"] == ([1.0, 2.0, 3.0], "tensor([1., 1.], dtype=torch.bfloat16)")
    assert one["nowhere"] is None, "an optimiser leaves be what nobody has reached"
    assert one["copied"] == [0.0, 0.0]


def fail(where: str, kind: type[Exception], number: int) -> None:
    """Raise an error in one process, in something that all do, or that the first does, or between."""
    with joined() as ranks:

        def work() -> None:
            if ranks.rank == number:
                raise kind("what happened")

        if where == "together":
            ranks.together(work)
        elif where == "lead":
            ranks.lead(work)
        else:
            work()
            ranks.sum(1)


@pytest.mark.parametrize(
    ("where", "kind", "number"),
    [("together", BookError, 1), ("lead", GuardError, 0), ("between", RunError, 0), ("between", KeyError, 1)],
)
def test_an_error_is_told_by_one_and_ends_all_with_its_code(
    where: str, kind: type[Exception], number: int, crew_of: CrewOf
) -> None:
    answers = crew_of(2).do(fail, where, kind, number)
    assert isinstance(answers[number], kind)
    other = answers[1 - number]
    assert isinstance(other, Echo), repr(other)
    assert other.exit_code == exit_code_of(answers[number])


def end_alike() -> None:
    with joined() as ranks:
        ranks.meet()
        raise Stopped("all were asked")


def test_where_all_end_alike_one_says_so(crew_of: CrewOf) -> None:
    answers = crew_of(4).do(end_alike)
    assert sorted(type(answer).__name__ for answer in answers) == ["Echo", "Echo", "Echo", "Stopped"]
    assert {answer.exit_code for answer in answers} == {75}


def leave_without_a_word(number: int) -> str:
    started = time.monotonic()
    try:
        with joined() as ranks:
            ranks.meet()
            if ranks.rank == number:
                os._exit(9)
            ranks.sum(1)
    except ProcessLost as error:
        return f"{error} {time.monotonic() - started < 10}"
    return "?"


def test_a_process_that_is_gone_is_noticed_at_once(crew_of: CrewOf) -> None:
    crew = Crew(2)
    try:
        assert crew.do(leave_without_a_word, 1) == ["another process of this run is gone, killed or cut off True", None]
    finally:
        crew.close()


def test_the_launcher_tells_of_a_lost_process_itself() -> None:
    store = torch.distributed.HashStore()
    assert isinstance(module._reason(store, Place(1, 2)), ProcessLost)
    assert isinstance(module._reason(store, Place(1, 2, launched=True)), Echo)


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (RuntimeError("[gloo/transport/tcp/pair.cc:547] Connection closed by peer [127.0.0.1]:5021"), True),
        (torch.distributed.DistNetworkError("The client socket has timed out"), True),
        (RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False),
        (ValueError("Connection closed by peer"), False),
    ],
)
def test_a_lost_process_is_told_from_other_errors(error: Exception, lost: bool) -> None:
    assert is_lost(error) is lost


def test_buckets_are_of_one_format_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BUCKET_BYTES", 100)
    tensors = [torch.zeros(10), torch.zeros(10), torch.zeros(10), torch.zeros(3).bfloat16(), torch.zeros(200)]
    assert [[t.numel() for t in bucket] for bucket in buckets(tensors)] == [[10, 10], [10], [3], [200]]
    assert list(buckets([])) == []


def test_more_processes_than_gpus_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    taken: list[int] = []
    monkeypatch.setattr(torch.cuda, "set_device", taken.append)
    own_gpu(Place(5, 8, local=1, beside=2))
    assert taken == [1]
    with pytest.raises(RunError, match="4 processes on a machine with 2 GPUs"):
        own_gpu(Place(0, 4, local=0, beside=4))


def test_one_process_joins_nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WORLD_SIZE", "1")
    with joined() as ranks:
        assert ranks is ALONE
