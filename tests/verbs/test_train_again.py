"""The same call again: finished, halted, killed, changed in the meantime."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from quire.errors import RecipeError, RunError, Stopped
from quire.recipe.resolved import load_resolved
from quire.run.atomic import hash_file
from quire.run.events import Event, read_events
from quire.verbs.train import Run, train
from toy import TINY_TRAINING, toy_book
from trainedruns import adapter, again, halfway, losses, stopping


def test_a_finished_run_has_nothing_left_to_do(run: Run, book: Path, tiny_base: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (run.path / "voice").iterdir()}
    for source in (book, run.path, str(run.path)):
        base = str(tiny_base) if source == book else None
        settings = TINY_TRAINING if source == book else {}
        done = train(source, base=base, run=run.path, settings=settings)
        assert done == Run(run.path, 3, already_finished=True)
    assert {path: path.stat().st_mtime_ns for path in (run.path / "voice").iterdir()} == before


@pytest.mark.parametrize("finished", [True, False])
def test_what_is_given_otherwise_is_refused_by_name(
    finished: bool, run: Run, book: Path, tiny_base: Path, tmp_path: Path
) -> None:
    place = run.path if finished else halfway(run, tmp_path / "run")
    with pytest.raises(RunError, match=r"train\.learning_rate: 0\.005 → 0\.001") as caught:
        train(book, base=str(tiny_base), run=place, settings=TINY_TRAINING | {"train.learning_rate": 1e-3})
    assert "--run NEW" in caught.value.then
    with pytest.raises(RunError, match="base:"):
        train(place, base="embedded")
    with pytest.raises(RunError, match=r"shelf\.0\.path"):
        train("sample:tale", run=place)
    with pytest.raises(RunError, match=r"write\.temperature: 0\.8 → 0\.5") as caught:
        train(place, settings={"write.temperature": 0.5})
    assert "quire write" in caught.value.then
    with pytest.raises(RunError, match=r"judge\.prompts"):
        train(place, settings={"judge.prompts": ["Yes."]})


def test_what_is_not_given_stays_as_the_run_has_it(run: Run, book: Path, tmp_path: Path) -> None:
    place = halfway(run, tmp_path / "run")
    assert train(book, run=place).steps == 3, "base, window, steps and the rest are the run's own"
    assert adapter(place) == adapter(run.path)
    assert train(book, run=place).already_finished


def test_what_cannot_change_the_result_may_be_given_anew(book: Path, tiny_base: Path, tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        train(
            book,
            base=str(tiny_base),
            run=tmp_path / "run",
            settings=TINY_TRAINING | {"train.steps": 6, "train.evaluate_every": 6},
            listener=stopping("step", 2),
        )
    done = train(tmp_path / "run", settings={"train.keep": 1, "train.log_every": 2, "train.save_every": 1})
    steps = [e.step for e in read_events(done.path / "events.jsonl") if e.kind == "step"]
    assert steps == [1, 2, 4, 6]
    assert len(list((done.path / "checkpoints").iterdir())) <= 2, "the newest and the best"


def test_a_run_refused_before_its_first_step_takes_the_remedy(book: Path, tiny_base: Path, tmp_path: Path) -> None:
    def start(window: int, **changes: object) -> Run:
        settings = TINY_TRAINING | {"train.window": window} | changes
        return train(book, base=str(tiny_base), run=tmp_path / "run", settings=settings)

    with pytest.raises(RecipeError, match="at most 256 tokens") as caught:
        start(1024)
    assert "train.window=256" in caught.value.then
    done = start(256)
    assert load_resolved(done.path / "recipe.yaml").recipe.train.window == 256
    assert [e.kind for e in read_events(done.path / "events.jsonl")].count("decided") == 1
    with pytest.raises(RunError, match=r"train\.window: 256 → 128"):
        start(128)


def test_a_run_of_a_gpu_is_not_gone_on_with_without_one(run: Run, tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    place = halfway(run, tmp_path / "run")
    recipe = (place / "recipe.yaml").read_text()
    assert "device: cpu" in recipe
    (place / "recipe.yaml").write_text(recipe.replace("device: cpu", "device: cuda"))
    with pytest.raises(RunError, match="was started on a GPU") as caught:
        train(place)
    assert "--run NEW" in caught.value.then


def test_a_changed_source_is_refused_by_name_finished_or_not(run: Run, book: Path, tmp_path: Path) -> None:
    place = again(run, tmp_path / "run")
    other = tmp_path / "river.md"
    recipe = (place / "recipe.yaml").read_text().replace(str(book), str(other))
    (place / "recipe.yaml").write_text(recipe)
    other.write_bytes(book.read_bytes())
    assert train(place).already_finished
    toy_book(other, chapters=11)
    with pytest.raises(RunError, match=r"river\.md changed"):
        train(place)
    lines = (place / "events.jsonl").read_text().splitlines()
    (place / "events.jsonl").write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(RunError, match=r"river\.md changed"):
        train(place)


def test_killed_between_saving_and_the_end_it_only_ends(run: Run, tmp_path: Path) -> None:
    place = again(run, tmp_path / "run")
    lines = (place / "events.jsonl").read_text().splitlines()
    assert '"done"' in lines[-1]
    (place / "events.jsonl").write_text("\n".join(lines[:-1]) + '\n{"torn')
    heard: list[Event] = []
    assert train(place, listener=heard.append) == Run(place, 3)
    assert "step" not in [event.kind for event in heard]
    assert losses(place) == losses(run.path)
    assert adapter(place) == adapter(run.path)
    assert train(place).already_finished


HARD = TINY_TRAINING | {
    "train.parts": 2,
    "train.stride": 40,
    "train.accumulate": 2,
    "train.batch": 1,
    "train.effective_batch": 2,
    "train.epochs": 0.7,
    "train.method.lora.dropout": 0.2,
    "train.evaluate_every": 2,
}
for spare in ("train.steps", "train.effective_batch"):
    HARD.pop(spare)


def test_the_same_call_goes_on_where_it_was_stopped(tiny_base: Path, tmp_path: Path) -> None:
    book = toy_book(tmp_path / "river.md", chapters=20, paragraphs=2)

    def start(place: str, listener: object = None) -> Run:
        return train(book, base=str(tiny_base), run=tmp_path / place, settings=HARD, listener=listener)

    straight = start("straight")
    total = straight.steps
    for kind, step in (("validation", 0), ("step", 2), ("sample", total // 2), ("step", total)):
        with pytest.raises(Stopped, match="SIGTERM"):
            start("stopped", stopping(kind, step))
    assert start("stopped").steps == total
    assert adapter(tmp_path / "stopped") == adapter(straight.path)
    assert losses(tmp_path / "stopped") == losses(straight.path)
    parts = sorted(path.name for path in (straight.path / "stages" / "01-train").iterdir())
    assert parts == ["part-01", "part-02"]
    for part in parts:
        name = f"stages/01-train/{part}/adapter_model.safetensors"
        assert hash_file(tmp_path / "stopped" / name) == hash_file(straight.path / name)


def test_time_that_is_up_stops_it_and_more_time_finishes_it(book: Path, tiny_base: Path, tmp_path: Path) -> None:
    with pytest.raises(Stopped, match="the time allowed is up"):
        train(book, base=str(tiny_base), run=tmp_path / "run", settings=TINY_TRAINING, max_time=0)
    assert train(tmp_path / "run", max_time=600).steps == 3
