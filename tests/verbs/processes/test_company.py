from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from crew import Crew, expect
from quire.errors import Echo, RunError
from quire.run.folder import RunFolder
from quire.verbs.processes import company as module
from quire.verbs.processes.company import Call, company, heard


def test_a_process_alone_has_no_company_and_calls_nobody(tmp_path: Path) -> None:
    with company() as ranks:
        assert ranks is None
    Call(None).make(RunFolder(tmp_path), "begin")
    assert list(tmp_path.iterdir()) == []


def call(folder: Path, message: str, elsewhere: Path | None) -> str:
    """The first calls, the others hear; `elsewhere` is where these look for the run."""
    with company() as ranks, pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_WAIT", 0.3)
        assert ranks is not None
        if ranks.first:
            made = Call(ranks)
            if message:
                made.make(RunFolder(folder), message)
            made.close(RunFolder(folder))
            return "called"
        message = heard(ranks, elsewhere or folder)
        Call(ranks).make(RunFolder(folder), "of one that has no say")
        return message


@pytest.mark.parametrize("message", ["begin", ""])
def test_the_others_hear_what_is_to_be_done_or_that_nothing_is(
    message: str, crew_of: Callable[[int], Crew], tmp_path: Path
) -> None:
    assert expect(crew_of(2).do(call, tmp_path, message, None)) == ["called", message]
    assert list(tmp_path.iterdir()) == [], "the sign is gone"


def test_a_machine_that_sees_other_files_is_refused(crew_of: Callable[[int], Crew], tmp_path: Path) -> None:
    first, second = crew_of(2).do(call, tmp_path, "begin", tmp_path / "of another machine")
    assert isinstance(second, RunError)
    assert "--run" in second.then
    assert isinstance(first, Echo)
