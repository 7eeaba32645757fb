from __future__ import annotations

from pathlib import Path

import pytest

from quire.errors import RunError
from quire.verbs.searching.journal import FILE, Journal, Trial, is_search, read_journal, write_journal
from quire.verbs.searching.space import parse_space
from trials import asked


def test_a_journal_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    trial = Trial(3, {"a": ["x"], "b": 1e-4}, "pruned", None, ((0, 4.5), (3, 4.25)), 12, 300, 1.5, "given up")
    again = Trial(0, {}, "finished", 3.5, seed=8)
    space = parse_space(["a=[[x], y]", "b=1e-5..1e-3/log"])
    journal = Journal(asked(), 20, 3, space, (trial,), (again,), {"verdict": "none"})
    write_journal(tmp_path, journal)
    assert is_search(tmp_path)
    assert read_journal(tmp_path) == journal


def test_no_search_has_no_journal(tmp_path: Path) -> None:
    assert read_journal(tmp_path) is None
    assert not is_search(tmp_path)


@pytest.mark.parametrize("text", ["{", '{"format": 99}', "[]"])
def test_another_file_of_that_name_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match=r"search\.json"):
        read_journal(tmp_path)


def test_the_best_is_the_lowest_finished_and_the_earliest_of_equals() -> None:
    journal = Journal(asked())
    for trial in (
        Trial(0, {}, "finished", 3.0),
        Trial(1, {}, "pruned", None),
        Trial(2, {}, "finished", 2.0),
        Trial(3, {}, "finished", 2.0),
    ):
        journal = journal.with_trial(trial)
    assert journal.best is not None
    assert journal.best.number == 2


def test_a_trial_takes_the_place_of_what_was_known_of_it() -> None:
    journal = Journal(asked()).with_trial(Trial(0, {})).with_trial(Trial(0, {}, "finished", 1.0))
    journal = journal.with_trial(Trial(0, {}, seed=8)).with_trial(Trial(0, {}, "failed", seed=8))
    assert [trial.state for trial in journal.trials] == ["finished"]
    assert [(trial.state, trial.folder) for trial in journal.repeats] == [("failed", "repeats/0000-seed-8")]
