"""`train` itself in two processes: one decides and writes, both learn, and the voice is that of a single process."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from crew import Crew, expect
from quire.errors import Echo, Stopped
from quire.run.events import read_events
from toy import TINY_TRAINING, toy_book

CrewOf = Callable[[int], Crew]


def carry_out(base: Path, book: Path, run: Path, changes: dict[str, object]) -> tuple[int, bool, list[str]]:
    """Steps, whether there was nothing to do, and the kinds of events that were heard in this process."""
    from quire.verbs.train import train

    heard: list[str] = []
    settings = {**TINY_TRAINING, "train.method": {"lora": {"rank": 4, "dropout": 0}}, **changes}
    settings.pop("train.method.lora.rank")
    done = train(book, base=str(base), run=run, settings=settings, listener=lambda event: heard.append(event.kind))
    return done.steps, done.already_finished, heard


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_book(tmp_path_factory.mktemp("book") / "river.md")


@pytest.fixture(scope="module")
def alone(crew_of: CrewOf, tiny_base: Path, book: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of a single process."""
    run = tmp_path_factory.mktemp("alone") / "run"
    expect(crew_of(1).do(carry_out, tiny_base, book, run, {}))
    return run


def losses(run: Path) -> list[tuple[str, int, Any]]:
    kinds = ("step", "validation")
    return [(e.kind, e.step, e.values["loss"]) for e in read_events(run / "events.jsonl") if e.kind in kinds]


@pytest.mark.parametrize("parallel", ["ddp", "fsdp"])
def test_two_processes_make_the_run_that_one_makes(
    parallel: str, crew_of: CrewOf, alone: Path, tiny_base: Path, book: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    (steps, finished, heard), (also_steps, _, nothing) = expect(
        crew_of(2).do(carry_out, tiny_base, book, run, {"train.parallel": parallel})
    )
    assert (steps, also_steps, finished) == (3, 3, False)
    assert nothing == [], "only the first tells"
    assert heard.count("saved") == heard.count("done") == heard.count("start") == 1
    for (kind, step, loss), (other_kind, other_step, other) in zip(losses(run), losses(alone), strict=True):
        assert (kind, step) == (other_kind, other_step)
        assert loss == pytest.approx(other, rel=1e-5)
    ours, theirs = (load_file(path / "voice" / "adapter_model.safetensors") for path in (run, alone))
    assert set(ours) == set(theirs)
    for name, weights in ours.items():
        assert weights.shape == theirs[name].shape
        assert weights.sub(theirs[name]).abs().max() < 1e-4
    assert not [path.name for path in run.iterdir() if path.name.startswith(".")]
    again = expect(crew_of(2).do(carry_out, tiny_base, book, run, {"train.parallel": parallel}))
    assert [answer[:2] for answer in again] == [(3, True), (3, True)]


def test_processes_that_have_nothing_to_do_are_warned_of(
    crew_of: CrewOf, tiny_base: Path, book: Path, tmp_path: Path
) -> None:
    whole = {"train.batch": 4, "train.accumulate": 1}
    expect(crew_of(2).do(carry_out, tiny_base, book, tmp_path / "run", whole))
    warnings = [str(e.values["text"]) for e in read_events(tmp_path / "run" / "events.jsonl") if e.kind == "warning"]
    assert [text for text in warnings if "nothing to do" in text] == [
        "a step is 1 batch of 4 rows, and there are 2 processes: some have nothing to do"
    ]


def test_a_mistake_is_told_by_one(crew_of: CrewOf, tiny_base: Path, tmp_path: Path) -> None:
    answers = crew_of(2).do(carry_out, tiny_base, tmp_path / "no-such-book.md", tmp_path / "run", {})
    assert sorted(type(answer).__name__ for answer in answers) == ["BookError", "Echo"]
    assert {answer.exit_code for answer in answers} == {2}


def run_out_of_memory(base: Path, book: Path, run: Path, number: int) -> object:
    """`carry_out` in slices, where the second step of process `number` finds no memory."""
    import torch

    from quire.training import loop

    real, calls = loop.gradients, []

    def failing(*arguments: Any) -> Any:
        calls.append(1)
        if int(os.environ["RANK"]) == number and len(calls) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "gradients", failing)
        return carry_out(base, book, run, {"train.parallel": "fsdp"})


def test_where_slices_run_out_of_memory_the_run_goes_on_with_smaller_batches(
    crew_of: CrewOf, alone: Path, tiny_base: Path, book: Path, tmp_path: Path
) -> None:
    """The others wait inside a layer and cannot be told: the same command goes on."""
    first, second = crew_of(2).do(run_out_of_memory, tiny_base, book, tmp_path / "run", 1)
    assert isinstance(second, Stopped)
    assert "memory ran out in process 2 of 2" in str(second)
    assert isinstance(first, Echo | Stopped)
    text = (tmp_path / "run" / "recipe.yaml").read_text()
    assert "batch: 2\n" in text
    # What may be given anew when a run goes on reaches all: saving is something that they do together.
    again = {"train.parallel": "fsdp", "train.save_every": 1}
    expect(crew_of(2).do(carry_out, tiny_base, book, tmp_path / "run", again))
    for (kind, step, loss), other in zip(losses(tmp_path / "run"), losses(alone), strict=True):
        assert (kind, step) == other[:2]
        assert loss == pytest.approx(other[2], rel=1e-5)


def test_full_weights_in_slices_become_one_plain_model(
    crew_of: CrewOf, tiny_base: Path, book: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    changes = {"train.method": "full", "train.parallel": "fsdp", "train.learning_rate": 1e-3}
    expect(crew_of(2).do(carry_out, tiny_base, book, run, changes))
    base, voice = (load_file(path / "model.safetensors") for path in (tiny_base, run / "voice"))
    assert {name: tuple(weights.shape) for name, weights in voice.items()} == {
        name: tuple(weights.shape) for name, weights in base.items()
    }
    newest = sorted((run / "checkpoints").iterdir())[-1]
    assert json.loads((newest / "manifest.json").read_text())["processes"] == 2
    sizes = [file.stat().st_size for file in newest.glob("weights-*")]
    assert max(sizes) < 0.6 * sum(sizes), "each has written its half"
