from __future__ import annotations

from pathlib import Path

import pytest

from littleruns import little_run
from quire.errors import RunError
from quire.run.atomic import write_text
from quire.run.events import EventLog, read_events
from quire.run.folder import RunFolder
from quire.run.lock import hold
from quire.run.results import read_results
from quire.verbs.comparing.line import columns_of, keep_result, read_line, state_of


def test_a_line_tells_what_was_done_and_what_came_of_it(tmp_path: Path) -> None:
    run = little_run(tmp_path / "a", (5.0, 3.0, 3.5), bits=(2.1, 2.0, 2.2), samples={"She": " said."})
    line = read_line(run)
    assert (line.state, line.base, line.method) == ("finished", "embedded", "lora")
    assert (line.steps, line.tokens, line.seconds) == (20, 2000, 4.0)
    assert line.loss == 3.5, "of the voice as it was saved"
    assert (line.stages[0].best_loss, line.stages[0].best_step) == (3.0, 10)
    assert line.curve == ((0.0, 5.0), (1000.0, 3.0), (2000.0, 3.5))
    assert line.samples == {"She": " said."}
    finding = line.finding("bits per byte")
    assert finding is not None
    assert finding.value == 2.1


def test_stages_are_told_one_by_one_and_the_last_one_decides(tmp_path: Path) -> None:
    line = read_line(little_run(tmp_path / "a", (5.0, 4.0), stages=("first", "imprint")))
    assert [(stage.name, stage.steps, stage.last_loss) for stage in line.stages] == [
        ("first", 10, 4.0),
        ("imprint", 10, 4.0),
    ]
    assert line.curve == ((1000.0, 5.0), (2000.0, 4.0)), "of the last stage, over all tokens"
    assert line.method == "lora → lora"
    assert columns_of(line)["held_out_loss_first"] == 4.0


@pytest.mark.parametrize(
    ("ends", "state"), [("done", "finished"), ("stopped", "stopped"), ("error", "crashed"), ("validation", "crashed")]
)
def test_how_a_run_stands(ends: str, state: str, tmp_path: Path) -> None:
    run = little_run(tmp_path / "a", ends=ends)
    assert state_of(run, read_events(run.events_file)) == state


@pytest.mark.parametrize(("ends", "state"), [("stopped", "stopped"), ("stage_end", "stopped"), ("step", "crashed")])
@pytest.mark.parametrize("behind", ["energy", "warning", "prepared"])
def test_what_is_told_beside_the_training_does_not_say_how_it_ended(
    behind: str, ends: str, state: str, tmp_path: Path
) -> None:
    run = little_run(tmp_path / "a", ends=ends)
    with EventLog(run.events_file) as log:
        log.append(behind, "train", 0, 20, {})
    assert state_of(run, read_events(run.events_file)) == state


def test_a_run_that_is_being_trained_says_so(tmp_path: Path) -> None:
    run = little_run(tmp_path / "a", ends="stopped")
    with hold(run.lock):
        assert read_line(run).state == "training"


def test_a_run_without_anything_is_new_and_has_no_line(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "a")
    assert state_of(run, []) == "new"
    with pytest.raises(RunError, match="has not begun"):
        read_line(run)


def test_a_report_that_cannot_be_read_is_as_none(tmp_path: Path) -> None:
    run = little_run(tmp_path / "a")
    write_text(run.report / "report.json", "{")
    assert read_line(run).findings == ()


def test_runs_csv_has_a_line_for_a_run_that_was_not_judged_and_a_fuller_one_when_it_was(tmp_path: Path) -> None:
    home = tmp_path / "runs"
    keep_result(little_run(home / "a", (5.0, 3.0)))
    (row,) = read_results(home)
    assert (row["run"], row["held_out_loss"], row["train.window"]) == ("a", "3.0", "1024")
    assert "bits_per_byte" not in row
    keep_result(little_run(home / "b", bits=(2.1, 2.0, 2.2)), {"title": "The River"})
    assert [(row["bits_per_byte_low"], row["title"]) for row in read_results(home)] == [("", ""), ("2.0", "The River")]


def test_a_run_elsewhere_leaves_the_folder_around_it_alone(tmp_path: Path) -> None:
    keep_result(little_run(tmp_path / "a"))
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_table_that_cannot_be_written_spoils_nothing(tmp_path: Path) -> None:
    home = tmp_path / "runs"
    run = little_run(home / "a")
    (home / "results.csv").mkdir()
    keep_result(run)
    assert list((home / "results.csv").iterdir()) == []
