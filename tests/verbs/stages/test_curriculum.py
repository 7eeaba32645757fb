"""Stages one after the other, on a tiny base: what each takes over and leaves, alone and together, stopped and not."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import quire
from quire.errors import RunError
from quire.model.machine import measure_machine
from quire.planner.shape import read_shape
from quire.recipe.resolved import Decided, load_resolved
from quire.recipe.schema import Stage, TrainSettings
from quire.run.events import Event, read_events
from quire.run.folder import RunFolder
from quire.training.learner import Learner, Start
from quire.training.optimizers.optimizer import make_optimizer
from quire.training.state import TrainState
from quire.verbs.plan import plan
from quire.verbs.stages import curriculum
from quire.verbs.stages.curriculum import Undertaking
from toy import toy_book

STAGES = [
    {"name": "wide", "method": "full", "window": 32, "steps": 3, "learning_rate": 1e-3},
    {"name": "narrow", "method": {"lora": {"rank": 4, "dropout": 0.1}}, "window": 64, "steps": 3},
    {"name": "imprint", "method": "inherit", "window": 64, "stride": 16, "parts": 2, "steps": 2},
]


DEEDS, THINGS = ("turned", "cursed", "counted", "oiled"), ("wheel", "sacks", "daughters", "debts")


def recipe(base: Path, books: Path, **changes: object) -> dict[str, object]:
    wide, narrow, imprint = STAGES
    return {
        "name": "novel",
        "base": str(base),
        "shelf": [str(books / "river.md")],
        "train": {"precision": "fp32", "learning_rate": 5e-3, "effective_batch": 4, "clip": 0.5},
        "stages": [{**wide, "shelf": [str(books / "other.md")]}, narrow, imprint],
        "write": {"max_new_tokens": 4},
        "judge": {"prompts": ["The ferryman"]},
    } | changes


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("books")
    toy_book(folder / "river.md", chapters=12, paragraphs=3)
    chapters = [
        f"## {number}\n\n"
        + "\n\n".join(f"The miller {deed} his {thing} {number} times." for deed in DEEDS for thing in THINGS)
        for number in range(9)
    ]
    (folder / "other.md").write_text("# The Wheel\n\n" + "\n\n".join(chapters) + "\n", encoding="utf-8")
    return folder


def carry_out(
    given: Mapping[str, object], path: Path, listener: Callable[[Event], None] | None = None, **how: object
) -> quire.Run:
    return quire.train(quire.Recipe.model_validate(given), run=path, listener=listener, **how)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def run(tiny_base: Path, books: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    path = tmp_path_factory.mktemp("runs") / "novel"
    carry_out(recipe(tiny_base, books), path)
    return RunFolder(path)


def digests(folder: RunFolder) -> dict[str, str]:
    """Of all weights that a run has left."""
    files = [*folder.stages.rglob("*.safetensors"), *folder.voice.rglob("*.safetensors")]
    return {str(f.relative_to(folder.path)): hashlib.sha256(f.read_bytes()).hexdigest() for f in sorted(files)}


def of_kind(folder: RunFolder, kind: str) -> list[Event]:
    return [event for event in read_events(folder.events_file) if event.kind == kind]


def test_each_stage_leaves_a_voice_that_can_be_loaded(run: RunFolder) -> None:
    left = {stage: run.stages / stage / "voice" for stage in ("01-wide", "02-narrow", "03-imprint")}
    assert (left["01-wide"] / "model.safetensors").is_file()
    for stage in ("02-narrow", "03-imprint"):
        assert (left[stage] / "adapter_model.safetensors").is_file()
        assert (left[stage] / "base" / "model.safetensors").is_file(), "the base that was changed lies beside it"
    assert sorted(part.name for part in (run.stages / "03-imprint").glob("part-*")) == ["part-01", "part-02"]
    texts = {stage: quire.write_all(voice, "The ferryman").texts for stage, voice in left.items()}
    assert all(texts.values())


class Enough(Exception):
    """What was to be seen has been seen."""


def test_slices_are_put_together_in_main_memory(
    tiny_base: Path, books: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if there were a GPU: the model that learns is made on it, and the one for what all have learned is not."""
    devices: list[str] = []
    load, train_stage = curriculum.load_learner, curriculum.train_stage

    def on_gpu(work: Undertaking, *given: Any) -> TrainState:
        work.decided = work.decided.model_copy(update={"device": "cuda"})
        return train_stage(work, *given)

    def note(start: Start, stage: Stage, decided: Decided, *given: Any) -> Learner:
        devices.append(decided.device)
        return load(start, stage, decided.model_copy(update={"device": "cpu"}), *given)

    def only_put_together(*_given: object, remake: Callable[[], Learner], **_named: object) -> None:
        remake()
        raise Enough

    for name, stand_in in (("train_stage", on_gpu), ("load_learner", note), ("train_parts", only_put_together)):
        monkeypatch.setattr(curriculum, name, stand_in)
    monkeypatch.setattr(curriculum, "begin_peak", lambda device: None)
    with pytest.raises(Enough):
        carry_out(recipe(tiny_base, books), tmp_path / "run")
    assert devices == ["cuda", "cpu"]


def test_a_later_stage_begins_with_what_the_earlier_one_has_learned(run: RunFolder, tiny_base: Path) -> None:
    original = load_file(tiny_base / "model.safetensors")
    wide = load_file(run.stages / "01-wide" / "voice" / "model.safetensors")
    assert any(not torch.equal(original[name], wide[name]) for name in wide)
    under = load_file(run.stages / "02-narrow" / "voice" / "base" / "model.safetensors")
    assert all(torch.equal(wide[name], under[name]) for name in wide)
    narrow, imprint = (
        load_file(run.stages / stage / "voice" / "adapter_model.safetensors") for stage in ("02-narrow", "03-imprint")
    )
    assert set(narrow) == set(imprint)
    moved = max(float((narrow[name] - imprint[name]).abs().max()) for name in narrow)
    assert 0 < moved < 0.1, "the same adapter, gone on"
    ends = {event.stage: event.values["loss"] for event in of_kind(run, "validation")}
    begins = {}
    for event in of_kind(run, "validation"):
        begins.setdefault(event.stage, event.values["loss"])
    assert begins["imprint"] == pytest.approx(ends["narrow"], rel=0.05), "on the same book"


def test_what_is_inherited_and_overridden_is_said(run: RunFolder) -> None:
    told = {event.stage: event.values for event in of_kind(run, "inherited")}
    assert list(told) == ["wide", "narrow", "imprint"]
    assert "from" not in told["wide"]
    assert told["narrow"]["from"] == "wide: its weights, under a new adapter"
    assert told["imprint"]["from"] == "narrow: its adapter goes on learning"
    first = told["narrow"]["overrides"]
    assert isinstance(first, dict)
    assert (first["shelf"], first["method"]) == ("other.md → river.md", "full → lora of rank 4")
    overrides = told["imprint"]["overrides"]
    assert isinstance(overrides, dict)
    assert overrides["stride"] == "– → 16"
    assert overrides["parts"] == "1 → 2"
    assert "learning_rate" not in overrides, "both have that of train"


def test_the_same_prompts_are_continued_after_every_stage(run: RunFolder) -> None:
    told = [(event.stage, event.part, event.values["prompt"]) for event in of_kind(run, "sample")]
    prompt = "The ferryman"
    assert told == [("wide", 0, prompt), ("narrow", 0, prompt), ("imprint", 0, prompt), ("imprint", 1, prompt)]
    assert "stage imprint, part 2" in run.samples.read_text(encoding="utf-8")


def test_steps_are_counted_through_and_the_story_is_whole(run: RunFolder) -> None:
    assert [(event.stage, event.step) for event in of_kind(run, "step")] == [
        *(("wide", step) for step in (1, 2, 3)),
        *(("narrow", step) for step in (4, 5, 6)),
        *(("imprint", step) for step in (7, 8, 9, 10)),
    ]
    assert [event.stage for event in of_kind(run, "stage_end")] == ["wide", "narrow", "imprint"]
    assert len(of_kind(run, "done")) == 1
    assert (
        digests(run)["voice/adapter_model.safetensors"]
        == (digests(run)["stages/03-imprint/voice/adapter_model.safetensors"])
    )


def test_trained_stage_by_stage_it_is_the_same(run: RunFolder, tiny_base: Path, books: Path, tmp_path: Path) -> None:
    given, path = recipe(tiny_base, books), tmp_path / "novel"
    for number, stage in enumerate(("wide", "narrow", "imprint")):
        done = carry_out(given, path, stage=stage)
        assert done.left == ("wide", "narrow", "imprint")[number + 1 :]
        again = carry_out(given, path, stage=stage)
        assert again.already_finished
    assert digests(RunFolder(path)) == digests(run)
    by_stage = RunFolder(path)
    for kind in ("foreseen", "warning", "decided"):
        ours, theirs = of_kind(by_stage, kind), of_kind(run, kind)
        assert [(e.stage, e.values.get("guide")) for e in ours] == [(e.stage, e.values.get("guide")) for e in theirs]
    assert [event.stage for event in of_kind(by_stage, "foreseen")] == ["wide", "narrow", "imprint"]


def test_a_stage_that_a_later_start_begins_is_decided_by_what_is_foreseen_of_it(
    tiny_base: Path, books: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Next to no memory is free: activations are computed twice, in whichever start a stage begins.  What is gone on
    with in its midst keeps what was decided, though by then there is room again."""
    enough = measure_machine()
    scarce = replace(enough, memory_free_bytes=2**20, gpu_memory_bytes=None)
    monkeypatch.setattr("quire.verbs.stages.decide.measure_machine", lambda: scarce)
    given, path = recipe(tiny_base, books), tmp_path / "novel"
    carry_out(given, path, stage="wide")

    def crash(event: Event) -> None:
        if (event.kind, event.stage) == ("checkpoint", "narrow"):
            raise Crash

    with pytest.raises(Crash):
        carry_out(given, path, crash)
    monkeypatch.setattr("quire.verbs.stages.decide.measure_machine", lambda: replace(enough, memory_free_bytes=2**40))
    carry_out(given, path)
    decided = load_resolved(path / "recipe.yaml").decided
    assert [stage.checkpointing for stage in decided.stages] == [True, True, False]
    assert [event.stage for event in of_kind(RunFolder(path), "foreseen")] == ["wide", "narrow", "imprint"]


def test_an_inherited_adapter_goes_on_at_its_own_ratio_of_rates(
    tiny_base: Path, books: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """LoRA+, in the stage that begins it, in the one that goes on with it, and after a crash in that one."""
    made: list[set[float]] = []

    def spy(model: nn.Module, settings: TrainSettings) -> torch.optim.Optimizer:
        optimizer = make_optimizer(model, settings)
        made.append({group["ratio"] for group in optimizer.param_groups})
        return optimizer

    def crash(event: Event) -> None:
        if (event.kind, event.stage) == ("checkpoint", "book"):
            raise Crash

    monkeypatch.setattr("quire.training.loop.make_optimizer", spy)
    begins = {"name": "wide", "method": {"lora": {"rank": 2, "lr_ratio": 16}}, "window": 32, "steps": 2}
    given = recipe(tiny_base, books, stages=[begins, {**begins, "name": "book", "method": "inherit"}])
    with pytest.raises(Crash):
        carry_out(given, tmp_path / "run", crash)
    carry_out(given, tmp_path / "run")
    assert made == [{1.0, 16.0}] * 3
    assert [stage.lr_ratio for stage in load_resolved(tmp_path / "run" / "recipe.yaml").decided.stages] == [16, 16]


@pytest.mark.parametrize(("onto", "layers"), [("merge", ["v_proj"]), ("stack", ["v_proj"]), ("stack", "all-linear")])
def test_the_plan_counts_the_ranks_that_an_inherited_adapter_has(
    onto: str, layers: object, tiny_base: Path, books: Path, tmp_path: Path
) -> None:
    """After PiSSA, or stacked on another, an adapter is saved with more ranks than it had."""
    short = {"window": 32, "steps": 1}
    first = {"name": "first", "method": {"lora": {"rank": 2, "targets": ["q_proj"]}}, **short}
    init = "pissa" if onto == "merge" else "default"
    second = {"name": "second", "method": {"lora": {"rank": 3, "targets": layers, "init": init}}, "onto": onto}
    given = recipe(tiny_base, books, stages=[first, second | short, {"name": "book", "method": "inherit"} | short])
    done = RunFolder(carry_out(given, tmp_path / "run").path)
    counted = [str(event.values["parameters"]).split(" of ")[0] for event in of_kind(done, "decided")]
    plans = plan(quire.Recipe.model_validate(given)).stages
    assert [f"{stage.plan.trainable:,}" for stage in plans] == counted


def test_a_stage_out_of_turn_is_refused_with_the_one_to_train_first(
    tiny_base: Path, books: Path, tmp_path: Path
) -> None:
    given = recipe(tiny_base, books)
    with pytest.raises(RunError, match="imprint goes on from narrow, and wide is not trained yet") as caught:
        carry_out(given, tmp_path / "novel", stage="imprint")
    assert "--stage wide" in caught.value.then
    for only_data in (False, True):
        with pytest.raises(RunError, match="there is no stage broad") as unknown:
            carry_out(given, tmp_path / "novel", stage="broad", prepare_only=only_data)
        assert "wide, narrow, imprint" in unknown.value.then


def test_a_stage_asked_for_by_name_is_trained_on_the_damaged_one_made_again(
    run: RunFolder, tiny_base: Path, books: Path, tmp_path: Path
) -> None:
    given, path = recipe(tiny_base, books), tmp_path / "novel"
    carry_out(given, path, stage="wide")
    weights = RunFolder(path).stages / "01-wide" / "voice" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"x")
    shutil.rmtree(RunFolder(path).checkpoints)
    assert carry_out(given, path, stage="narrow").left == ("imprint",)
    ours, theirs = digests(RunFolder(path)), digests(run)
    assert ours == {name: digest for name, digest in theirs.items() if name in ours}
    assert {name.split("/")[1] for name in ours} == {"01-wide", "02-narrow"}


class Crash(Exception):
    """Stands for kill -9."""


EDGES = [
    ("stage_end", 0),
    ("inherited", 1),
    ("saved", 0),
    ("saved", 3),
    ("part_end", 2),
    ("checkpoint", 3),
    ("done", 0),
]


@pytest.mark.parametrize(("kind", "number"), EDGES)
def test_killed_at_an_edge_it_ends_with_the_same_bytes(
    kind: str, number: int, run: RunFolder, tiny_base: Path, books: Path, tmp_path: Path
) -> None:
    seen: list[str] = []

    def crash(event: Event) -> None:
        seen.append(event.kind)
        if event.kind == kind and seen.count(kind) == number + 1:
            raise Crash

    given, path = recipe(tiny_base, books), tmp_path / "novel"
    with pytest.raises(Crash):
        carry_out(given, path, crash)
    carry_out(given, path)
    assert digests(RunFolder(path)) == digests(run)
    for told in ("step", "validation", "sample", "stage_end", "done"):
        ours, theirs = of_kind(RunFolder(path), told), of_kind(run, told)
        assert [(e.stage, e.part, e.step) for e in ours] == [(e.stage, e.part, e.step) for e in theirs], told


def test_a_resume_with_other_libraries_is_warned_of_and_the_first_ones_stay_known(
    tiny_base: Path, books: Path, tmp_path: Path
) -> None:
    def crash(event: Event) -> None:
        if event.kind == "checkpoint":
            raise Crash

    given, folder = recipe(tiny_base, books, stages=[STAGES[1]]), RunFolder(tmp_path / "run")
    with pytest.raises(Crash):
        carry_out(given, folder.path, crash)
    began = load_resolved(folder.recipe_file)
    older = began.model_copy(update={"versions": {**began.versions, "torch": "2.0.0"}})
    folder.recipe_file.write_text(older.to_yaml(), encoding="utf-8")
    carry_out(given, folder.path)
    told = [event.values for event in of_kind(folder, "warning") if event.values["guide"] == "resume"]
    assert [f"torch 2.0.0 → {began.versions['torch']}" in str(values["text"]) for values in told] == [True]
    assert load_resolved(folder.recipe_file).versions == older.versions


def test_a_curriculum_is_judged_by_its_book_against_the_base_it_began_with(run: RunFolder, tiny_base: Path) -> None:
    report = quire.judge(run.path)
    assert "training all its weights, then LoRA of rank 4" in report.page.read_text(encoding="utf-8")
    bits = report.finding("bits per byte")
    assert bits.value is not None
    assert bits.compared_with[0].value is not None
    assert bits.value < bits.compared_with[0].value


def test_room_for_a_base_that_is_made_first_is_foreseen_and_asked_for(
    tiny_base: Path, books: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    monkeypatch.setattr(curriculum, "require_space", lambda _path, needed: asked.append(needed))
    short = {"method": {"lora": {"rank": 2}}, "window": 32, "steps": 1}
    given = recipe(tiny_base, books, stages=[{"name": "one"} | short, {"name": "two"} | short])
    carry_out(given, tmp_path / "run")
    size = 4 * read_shape(tiny_base).parameters
    assert (asked[0], asked[2]) == (0, size), "before the base of stage two is made"
    report = plan(quire.Recipe.model_validate(given))
    one, two = (stage.plan for stage in report.stages)
    assert (one.melted_bytes, two.melted_bytes) == (0, size)
    assert report.disk_bytes == two.disk_bytes + 4 * one.trainable


def test_decisions_are_kept_for_each_stage(run: RunFolder) -> None:
    decided = load_resolved(run.recipe_file).decided
    assert [stage.precision for stage in decided.stages] == ["fp32"] * 3
    assert all(stage.packs for stage in decided.stages)
    assert decided.prompts == ("The ferryman",)
