from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import nn

from quire.recipe.schema import Recipe, Stage
from quire.run.events import EventLog
from quire.run.folder import RunFolder
from quire.run.manifest import seal
from quire.training.checkpoints import save_checkpoint
from quire.training.session import Session
from quire.training.standing import ended, left_behind, standing, tell_resume, voice_of
from quire.training.state import TrainState
from quire.training.watch import StopWish
from quire.training.watching.alarms import Alarms

STAGES: Sequence[Stage] = Recipe.model_validate(
    {"shelf": ["a.txt"], "stages": [{"name": "wide", "method": "full"}, {"name": "narrow"}, {"name": "book"}]}
).curriculum


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder.create(tmp_path / "run")


def end_stage(folder: RunFolder, number: int, step: int) -> None:
    voice = voice_of(folder, number, STAGES[number])
    voice.mkdir(parents=True)
    (voice / "adapter_model.safetensors").write_bytes(b"weights")
    seal(voice)
    with EventLog(folder.events_file) as log:
        log.append("stage_end", STAGES[number].name, 0, step, {"tokens_total": 100 * step, "skipped": number})


def save(folder: RunFolder, state: TrainState) -> None:
    model = nn.Linear(2, 2)
    save_checkpoint(folder.checkpoints, state, model, torch.optim.AdamW(model.parameters()))


def test_at_first_it_stands_at_the_beginning(folder: RunFolder) -> None:
    at = standing(folder, STAGES)
    assert (at.state, at.checkpoint, at.done, at.damaged) == (TrainState(), None, 0, ())


def test_within_a_stage_it_stands_at_its_newest_checkpoint(folder: RunFolder) -> None:
    end_stage(folder, 0, 10)
    for step in (10, 12):
        save(folder, TrainState(stage=1, step=step, part_step=step - 10))
    at = standing(folder, STAGES)
    assert at.checkpoint is not None
    assert (at.state.stage, at.state.step, at.done) == (1, 12, 1)


def test_between_stages_it_stands_at_the_beginning_of_the_next(folder: RunFolder) -> None:
    save(folder, TrainState(stage=0, step=10, part_step=10))
    end_stage(folder, 0, 10)
    at = standing(folder, STAGES)
    assert at.checkpoint is None
    assert at.state == TrainState(stage=1, step=10, tokens=1000)


def test_a_stage_whose_voice_is_missing_has_not_ended(folder: RunFolder) -> None:
    """The event alone is not enough, nor is the folder: a crash may fall between them."""
    save(folder, TrainState(stage=0, step=10, part_step=10))
    with EventLog(folder.events_file) as log:
        log.append("stage_end", "wide", 0, 10)
    assert ended(folder, STAGES) == []
    assert standing(folder, STAGES).state.step == 10


def test_a_stage_whose_voice_was_damaged_is_trained_again_and_says_so(folder: RunFolder) -> None:
    end_stage(folder, 0, 10)
    end_stage(folder, 1, 20)
    save(folder, TrainState(stage=2, step=25, part_step=5))
    (voice_of(folder, 1, STAGES[1]) / "adapter_model.safetensors").write_bytes(b"weighTs")
    at = standing(folder, STAGES)
    assert (at.done, at.state.stage, at.state.step) == (1, 1, 10)
    assert "adapter_model.safetensors" in at.spoiled[0]


def test_it_goes_on_from_a_checkpoint_of_its_own_stage_where_one_is_left(folder: RunFolder) -> None:
    end_stage(folder, 0, 10)
    end_stage(folder, 1, 20)
    for stage, step in ((1, 18), (1, 20), (2, 25)):
        save(folder, TrainState(stage=stage, step=step))
    (voice_of(folder, 1, STAGES[1]) / "adapter_model.safetensors").write_bytes(b"weighTs")
    at = standing(folder, STAGES)
    assert (at.done, at.state.stage, at.state.step) == (1, 1, 20)


def test_a_damaged_checkpoint_of_a_stage_that_has_none_but_it_is_told_of(folder: RunFolder) -> None:
    save(folder, TrainState(stage=0, step=10))
    end_stage(folder, 0, 10)
    save(folder, TrainState(stage=1, step=12))
    (folder.checkpoints / "0000012" / "state.json").write_text("{}", encoding="utf-8")
    at = standing(folder, STAGES)
    assert (at.checkpoint, at.done, at.state.stage) == (None, 1, 1)
    assert "0000012" in at.damaged[0]


def test_the_run_s_own_voice_is_looked_at_too(folder: RunFolder) -> None:
    plain = Recipe.model_validate({"shelf": ["a.txt"]}).curriculum
    save(folder, TrainState(step=10))
    folder.voice.mkdir()
    assert standing(folder, plain).spoiled == ()
    (folder.voice / "adapter_model.safetensors").write_bytes(b"weights")
    seal(folder.voice)
    assert standing(folder, plain).spoiled == ()
    (folder.voice / "adapter_model.safetensors").write_bytes(b"weighTs")
    assert "adapter_model.safetensors" in standing(folder, plain).spoiled[0]


def test_when_all_have_ended_nothing_is_left_but_to_finish(folder: RunFolder) -> None:
    for number, step in enumerate((10, 20, 30)):
        end_stage(folder, number, step)
    at = standing(folder, STAGES)
    assert (at.done, at.state.stage, at.state.step) == (3, 2, 30)


def test_a_run_of_one_stage_stands_where_its_checkpoint_is(folder: RunFolder) -> None:
    plain = Recipe.model_validate({"shelf": ["a.txt"]}).curriculum
    save(folder, TrainState(part=3, step=40, part_step=2))
    assert standing(folder, plain).state.part == 3
    assert ended(folder, plain) == []


def test_a_resume_tells_where_it_goes_on_and_then_what_was_damaged(folder: RunFolder) -> None:
    save(folder, TrainState(step=10, validation_due=False))
    save(folder, TrainState(step=20))
    (folder.checkpoints / "0000020" / "state.json").write_text("{}", encoding="utf-8")
    told = []
    with EventLog(folder.events_file) as log:
        plain = Recipe.model_validate({"shelf": ["a.txt"]}).curriculum
        session = Session(folder, log, StopWish(), told.append, ("train",), Alarms(plain))
        tell_resume(session, standing(folder, plain))
    resume, warning = told
    assert (resume.kind, resume.step, dict(resume.values)) == (
        "resume",
        10,
        {"checkpoint": "0000010", "validated": True},
    )
    assert (warning.kind, warning.step) == ("warning", 10)
    assert "0000020" in str(warning.values["text"])
    assert warning.values["remedy"] == "the checkpoint before it is used"


def test_voices_that_nothing_goes_on_from_are_looked_at_too(folder: RunFolder) -> None:
    for number, step in enumerate((10, 20)):
        end_stage(folder, number, step)
    for stage, part in ((1, 1), (2, 1), (2, 2)):
        made = folder.stage(stage, STAGES[stage].name) / f"part-{part:02d}"
        made.mkdir(parents=True, exist_ok=True)
        (made / "adapter_model.safetensors").write_bytes(b"weights")
        seal(made)
    save(folder, TrainState(stage=2, part=1, step=25))
    at = standing(folder, STAGES)
    assert left_behind(folder, at) == []
    for damaged in folder.stages.rglob("adapter_model.safetensors"):
        damaged.write_bytes(b"weighTs")
    found = left_behind(folder, at)
    # The second part of the book is trained again, and the voice of the second stage is what it starts from.
    assert [str(Path(problem.split(" was")[0]).parent.relative_to(folder.stages)) for problem in found] == [
        "01-wide/voice",
        "02-narrow/part-01",
        "03-book/part-01",
    ]
