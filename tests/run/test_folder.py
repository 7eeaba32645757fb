from __future__ import annotations

from pathlib import Path

import pytest

from quire.errors import RunError, VoiceError
from quire.run.folder import FORMAT, RunFolder, find_run, folder_name, list_runs, require_voice


def with_voice(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text("{}")
    return folder


def test_created_folder_opens_and_is_created_again_unharmed(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "runs" / "castle")
    run.samples.write_text("kept")
    assert RunFolder.create(run.path) == RunFolder.open(run.path) == run
    assert run.samples.read_text() == "kept"
    assert run.format_file.read_text() == f"{FORMAT}\n"


def test_empty_folder_becomes_a_run(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("")
    assert RunFolder.create(tmp_path).format_file.is_file()


def test_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("")
    with pytest.raises(RunError, match="not empty"):
        RunFolder.create(tmp_path)
    with pytest.raises(RunError, match="is a file"):
        RunFolder.create(tmp_path / "thesis.docx")
    with pytest.raises(RunError, match="cannot make"):
        RunFolder.create(tmp_path / "thesis.docx" / "run")


def test_newer_format_is_refused_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "format").write_text("99")
    with pytest.raises(RunError, match="newer Quire") as caught:
        RunFolder.open(tmp_path)
    assert "upgrade" in caught.value.then


def test_run_is_found_by_path_and_by_name(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "runs" / "castle")
    assert find_run(run.path, tmp_path / "runs").run == run
    assert find_run("castle", tmp_path / "runs").run == run
    assert find_run("castle", tmp_path / "runs").name == "castle"


def test_voice_is_found_with_the_run_that_it_belongs_to(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "runs" / "castle")
    with_voice(run.voice)
    found = find_run(run.voice, tmp_path / "runs")
    assert found.voice == run.voice
    assert found.run == run
    assert run.has_voice


def test_voice_that_was_carried_away_belongs_to_no_run(tmp_path: Path) -> None:
    voice = with_voice(tmp_path / "carried")
    found = find_run(voice, tmp_path / "runs")
    assert (found.voice, found.run, found.name) == (voice, None, "carried")


def test_unknown_name_names_the_nearest(tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "castle")
    RunFolder.create(tmp_path / "poems")
    with pytest.raises(RunError, match="no run named castel") as caught:
        find_run("castel", tmp_path)
    assert caught.value.then == "did you mean castle?"
    with pytest.raises(RunError) as caught:
        find_run("xyz", tmp_path)
    assert caught.value.then == "runs here: castle, poems"
    with pytest.raises(RunError) as caught:
        find_run("xyz", tmp_path / "none")
    assert "quire train" in caught.value.then


def test_folder_that_is_neither_is_told_so(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="neither a run folder nor a voice"):
        find_run(tmp_path, tmp_path / "runs")


def test_unfinished_run_has_no_voice(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "castle")
    with pytest.raises(VoiceError, match="castle has no voice yet"):
        require_voice(find_run(run.path))


def test_only_runs_are_listed(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    RunFolder.create(tmp_path / "b")
    RunFolder.create(tmp_path / "a")
    assert [run.name for run in list_runs(tmp_path)] == ["a", "b"]
    assert list_runs(tmp_path / "none") == []


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("The Castle!", "the-castle"),
        ("Le Château — I", "le-château-i"),
        ("../../etc", "etc"),
        ("…", "run"),
        ("x" * 100, "x" * 60),
    ],
)
def test_title_as_folder_name(title: str, name: str) -> None:
    assert folder_name(title) == name
