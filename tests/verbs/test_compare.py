"""Runs side by side: what differs, who did better, and when nobody can say."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from littleruns import little_run
from quire.errors import RunError
from quire.verbs.compare import compare
from trials import Scripted, course


def test_settings_that_differ_are_shown_and_those_alone(tmp_path: Path) -> None:
    little_run(tmp_path / "a", settings={"train.learning_rate": 1e-3})
    little_run(tmp_path / "b", settings={"train.method": "full"}, ends="stopped")
    found = compare([tmp_path / "a", tmp_path / "b"])
    assert [line.state for line in found.lines] == ["finished", "stopped"]
    assert found.differing["train.learning_rate"] == (1e-3, 2e-4)
    assert found.differing["train.method.lora.rank"] == (16, None)
    assert "train.window" not in found.differing


def test_runs_on_the_same_held_out_text_are_ranked_by_their_loss(tmp_path: Path) -> None:
    little_run(tmp_path / "worse", (5.0, 4.0))
    little_run(tmp_path / "better", (5.0, 3.0))
    found = compare([tmp_path / "worse", tmp_path / "better"])
    assert found.by_loss == ("better", "worse")
    assert found.not_by_loss == ()


def test_runs_on_other_text_are_not_ranked_and_it_says_why(tmp_path: Path) -> None:
    little_run(tmp_path / "a", bits=(2.0, 1.9, 2.1))
    little_run(tmp_path / "b", sources={"/books/other.md": "bb" * 32}, bits=(1.0, 0.9, 1.1))
    found = compare([tmp_path / "a", tmp_path / "b"])
    assert found.by_loss == found.by_bits == ()
    assert found.not_by_bits == ("they read different texts",)


def test_other_tokenizers_are_ranked_by_bits_per_byte_and_overlapping_intervals_are_told(tmp_path: Path) -> None:
    little_run(tmp_path / "a", bits=(2.0, 1.9, 2.1))
    little_run(tmp_path / "b", base="some/other", bits=(1.5, 1.4, 1.6))
    little_run(tmp_path / "c", base="a/third", bits=(1.55, 1.45, 1.65))
    found = compare([tmp_path / name for name in "abc"])
    assert found.by_loss == ()
    assert found.by_bits == ("b", "c", "a")
    assert found.undecided == ("b and c: their intervals overlap",)


def test_what_they_wrote_to_the_same_prompt_stands_side_by_side(tmp_path: Path) -> None:
    little_run(tmp_path / "a", samples={"She": " slept.", "Alone": " I."})
    little_run(tmp_path / "b", samples={"She": " woke."})
    found = compare([tmp_path / "a", tmp_path / "b"])
    assert found.samples == {"She": {"a": " slept.", "b": " woke."}}


def test_a_table_has_a_line_for_each_run(tmp_path: Path) -> None:
    little_run(tmp_path / "a", bits=(2.0, 1.9, 2.1))
    little_run(tmp_path / "b", stages=("first", "imprint"))
    compare([tmp_path / "a", tmp_path / "b"], csv_file=tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["run"] for row in rows] == ["a", "b"]
    assert rows[0]["bits_per_byte"] == "2.0"
    assert rows[1]["stages.imprint.window"] == "1024"
    assert rows[0]["stages.imprint.window"] == ""


@pytest.mark.parametrize("kind", ["png", "svg"])
def test_the_curves_are_drawn_as_what_the_file_is_called(kind: str, tmp_path: Path) -> None:
    little_run(tmp_path / "a")
    compare([tmp_path / "a"], plot_file=tmp_path / f"curves.{kind}")
    data = (tmp_path / f"curves.{kind}").read_bytes()
    assert data.startswith(b"\x89PNG") if kind == "png" else b"<svg" in data


def test_losses_that_do_not_compare_share_no_picture(tmp_path: Path) -> None:
    little_run(tmp_path / "a")
    little_run(tmp_path / "b", base="some/other")
    with pytest.raises(RunError, match="different tokens"):
        compare([tmp_path / "a", tmp_path / "b"], plot_file=tmp_path / "curves.png")
    with pytest.raises(RunError, match="no name of a picture"):
        compare([tmp_path / "a"], plot_file=tmp_path / "curves.pdf")


def test_two_runs_of_one_name_are_told_apart(tmp_path: Path) -> None:
    little_run(tmp_path / "x" / "a")
    little_run(tmp_path / "y" / "a")
    found = compare([tmp_path / "x" / "a", tmp_path / "y" / "a", tmp_path / "x" / "a"])
    assert [line.name for line in found.lines] == [str(tmp_path / "x" / "a"), str(tmp_path / "y" / "a")]


def test_all_that_lies_in_runs_can_be_named_at_once(tmp_path: Path) -> None:
    little_run(tmp_path / "a")
    (tmp_path / "results.csv").write_text("run\na\n")
    assert [line.name for line in compare(sorted(tmp_path.iterdir())).lines] == ["a"]
    with pytest.raises(RunError, match="nothing to compare"):
        compare([tmp_path / "results.csv"])


def test_a_voice_without_its_run_is_refused(tmp_path: Path) -> None:
    (tmp_path / "voice").mkdir()
    (tmp_path / "voice" / "adapter_config.json").write_text("{}")
    with pytest.raises(RunError, match="a voice without its run"):
        compare([tmp_path / "voice"])


def test_comparing_loads_neither_torch_nor_a_plotting_library(tmp_path: Path) -> None:
    little_run(tmp_path / "a")
    probe = (
        "import sys\nfrom quire.cli.app import run\n"
        f"code = run(['compare', {str(tmp_path / 'a')!r}]) or run(['runs'])\n"
        "heavy = {'torch', 'transformers', 'numpy', 'matplotlib', 'optuna'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def test_a_search_stands_for_its_trials(tmp_path: Path) -> None:
    folder = tmp_path / "found"
    course(folder, Scripted(), trials=1).all_trials()
    found = compare([folder])
    assert [line.name for line in found.lines] == ["found/0"]
    assert found.lines[0].loss is not None
    assert found.lines[0].state == "finished"
