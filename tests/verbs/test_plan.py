from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from quire.errors import BaseModelError, BookError, RecipeError
from quire.recipe.load import load_recipe
from quire.recipe.schema import Recipe
from quire.verbs.plan import fresh_shape, plan
from quire.verbs.read import read
from quire.verbs.train import train
from toy import TINY_TRAINING, toy_book, varied_book

NOVELLA = "sample:novella"
SETTINGS = {"train.window": 128, "train.batch": 1}


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A little book of numbered paragraphs."""
    path = tmp_path_factory.mktemp("books") / "harbour.txt"
    text = "\n\n".join(
        f"Paragraph {n} tells how the harbour looked on day {n}, and who went out to sea." for n in range(300)
    )
    path.write_text(text, encoding="utf-8")
    return path


def test_plan_counts_what_training_would_see(book: Path, tiny_base: Path) -> None:
    report = plan(book, base=str(tiny_base), settings=SETTINGS)
    text = report.plan.text
    assert text.counted
    assert text.rows_per_epoch == (-(-text.tokens_per_epoch[0] // 128),)
    assert report.plan.steps == -(-3 * report.plan.rows // 8)
    assert text.tokens_validation > 0
    assert text.tokens_test > text.tokens_validation
    assert report.title
    assert report.language == "en"
    assert report.base.reason == "as the recipe says"


def test_plan_of_parts_has_one_line_for_each(book: Path, tiny_base: Path) -> None:
    report = plan(book, base=str(tiny_base), settings={**SETTINGS, "train.parts": 3, "train.chunk.sentences": 2})
    assert len(report.plan.parts) == 3
    assert all(part.rows > 10 for part in report.plan.parts)


def test_every_setting_can_say_where_it_came_from(book: Path, tiny_base: Path) -> None:
    rows = {row.key: row.origin for row in plan(book, base=str(tiny_base), settings=SETTINGS).explained}
    assert rows["train.window"] == rows["base"] == "set by hand"
    assert rows["train.epochs"] == "default"
    assert rows["shelf.0.path"] == str(book)


def test_facts_are_json(book: Path, tiny_base: Path) -> None:
    facts = json.loads(json.dumps(plan(book, base=str(tiny_base), settings=SETTINGS).to_json()))
    assert facts["memory_bytes"]["total"] > 0
    assert facts["parameters"]["trainable"] == plan(book, base=str(tiny_base), settings=SETTINGS).plan.trainable
    assert facts["speed"]["basis"]


def test_precision_that_training_would_refuse_is_refused(
    book: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = plan(book, base=str(tiny_base), settings=SETTINGS).machine
    fp16 = {**SETTINGS, "train.precision": "fp16"}
    monkeypatch.setattr("quire.verbs.plan.look_at_machine", lambda _: replace(machine, gpu=None))
    with pytest.raises(RecipeError, match="fp16 does not work on a processor"):
        plan(book, base=str(tiny_base), settings=fp16)
    monkeypatch.setattr("quire.verbs.plan.look_at_machine", lambda _: replace(machine, gpu="a GPU"))
    assert plan(book, base=str(tiny_base), settings=fp16).plan.precision == "fp16"


def test_books_already_read_and_recipes_are_planned_alike(book: Path, tiny_base: Path) -> None:
    recipe = Recipe.model_validate({"base": str(tiny_base), "shelf": [str(book)], "train": {"window": 128, "batch": 1}})
    expected = plan(book, base=str(tiny_base), settings=SETTINGS).plan.text
    assert plan(recipe).plan.text == expected
    assert plan(read(book), base=str(tiny_base), settings=SETTINGS).plan.text == expected


def test_base_made_from_scratch_is_planned_by_estimate(book: Path) -> None:
    recipe = Recipe.model_validate(
        {"base": {"fresh": {"layers": 2}}, "shelf": [str(book)], "train": {"method": "full"}}
    )
    report = plan(recipe)
    assert not report.plan.text.counted
    assert report.plan.trainable == report.shape.parameters
    assert report.plan.steps >= 1


def test_shape_of_a_fresh_base_is_that_of_the_model_that_is_made(tmp_path: Path) -> None:
    from quire.model.base import count_parameters, load_model
    from quire.model.fresh import make_base
    from quire.recipe.fresh import Fresh

    fresh = Fresh(hidden=32, layers=2, heads=4, key_value_heads=2, intermediate=64, vocabulary=300)
    make_base(fresh, ["A sea of ink. " * 50], tmp_path, 7)
    made = count_parameters(load_model(tmp_path, "fp32"))[1]
    vocabulary = json.loads((tmp_path / "config.json").read_text())["vocab_size"]
    assert fresh_shape(fresh.model_copy(update={"vocabulary": vocabulary})).parameters == made


def test_what_could_not_be_trained_cannot_be_planned(book: Path, tiny_base: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"train\.window: the base holds at most 256"):
        plan(book, base=str(tiny_base), settings={"train.window": 512})
    with pytest.raises(BookError):
        plan(tmp_path / "nothing.txt", base=str(tiny_base))
    with pytest.raises(BaseModelError, match="neither a folder here nor a hub id"):
        plan(book, base="/no/base")
    with pytest.raises(RecipeError, match="no layer named"):
        plan(book, base=str(tiny_base), settings={**SETTINGS, "train.method.lora.targets": ["c_attn"]})


def test_planning_loads_neither_torch_nor_transformers(book: Path, tiny_base: Path) -> None:
    code = (
        "import sys\n"
        "from quire.verbs.plan import plan\n"
        f"report = plan({str(book)!r}, base={str(tiny_base)!r}, settings={SETTINGS!r})\n"
        "assert report.plan.steps > 0\n"
        "print([name for name in ('torch', 'transformers', 'peft', 'datasets') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.strip() == "[]", done.stderr


def test_a_curriculum_is_planned_stage_by_stage(book: Path, tiny_base: Path) -> None:
    recipe = Recipe.model_validate(
        {
            "base": str(tiny_base),
            "shelf": [str(book)],
            "stages": [
                {"name": "wide", "method": "full", "window": 64, "steps": 5},
                {"name": "narrow", "method": {"qlora": {"rank": 4}}, "window": 128, "epochs": 1},
                {"name": "imprint", "method": "inherit", "window": 128, "stride": 64},
            ],
        }
    )
    report = plan(recipe)
    wide, narrow, imprint = report.stages
    assert wide.plan.steps == 5
    assert wide.plan.trainable == report.shape.parameters
    assert narrow.plan.precision == imprint.plan.precision == ("int8" if report.machine.gpu is None else "nf4")
    assert imprint.plan.trainable == narrow.plan.trainable  # the same adapter goes on learning
    assert imprint.plan.tokens > 5 * narrow.plan.tokens  # three epochs of windows that overlap by half
    facts = report.to_json()
    assert [stage["name"] for stage in facts["stages"]] == ["wide", "narrow", "imprint"]
    assert facts["steps"] == sum(stage.plan.steps for stage in report.stages)
    assert facts["memory_bytes"]["total"] == max(stage.plan.memory.total for stage in report.stages)


def test_what_does_not_fit_comes_with_the_nearest_thing_that_would(
    book: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = plan(book, base=str(tiny_base), settings=SETTINGS).machine
    tiny = replace(machine, memory_free_bytes=400 * 2**20, gpu=None, gpu_memory_bytes=None)
    monkeypatch.setattr("quire.verbs.plan.look_at_machine", lambda _: tiny)
    stage = plan(book, base=str(tiny_base), settings=SETTINGS).stages[0]
    assert stage.would_fit
    assert not any(rung.fits for rung in stage.would_fit)  # even torch alone takes more
    assert any("of memory" in warned.text for warned in stage.plan.warnings)


def test_more_devices_share_what_is_kept(book: Path, tiny_base: Path) -> None:
    fsdp = {**SETTINGS, "train.parallel": "fsdp", "train.method": "full"}
    one, four = (plan(book, base=str(tiny_base), settings=fsdp, processes=n).plan.memory for n in (1, 4))
    assert four.optimiser == pytest.approx(one.optimiser / 4, abs=1)


def test_no_validation_text_is_foreseen(book: Path, tiny_base: Path) -> None:
    with pytest.raises(RecipeError, match="no text is held out for validation"):
        plan(book, base=str(tiny_base), settings={**SETTINGS, "shelf.0.validation": 0})


def test_the_text_of_an_earlier_run_is_reckoned_with(tiny_base: Path, tmp_path: Path) -> None:
    for seed in (1, 2):
        varied_book(tmp_path / f"{seed}.md", seed=seed)
    first = train(tmp_path / "1.md", base=str(tiny_base), run=tmp_path / "first", settings=TINY_TRAINING)
    given = {"from": str(first.path), "train.window": 64}
    plain = plan(tmp_path / "2.md", settings=given)
    mixed = plan(tmp_path / "2.md", settings={**given, "train.replay": "50%"})
    assert mixed.plan.rows == 2 * plain.plan.rows
    assert mixed.plan.steps == pytest.approx(2 * plain.plan.steps, abs=1)
    (tmp_path / "1.md").unlink()
    with pytest.raises(RecipeError, match="replay"):
        plan(tmp_path / "2.md", settings={**given, "train.replay": "50%"})


def test_processes_on_one_processor_share_its_memory(
    book: Path, tiny_base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fits alone does not fit twice, and what would fit twice is looked for in half the memory."""
    one = plan(book, base=str(tiny_base), settings=SETTINGS)
    free = one.plan.memory.needed * 3 // 2
    small = replace(one.machine, memory_free_bytes=free, gpu=None, gpu_memory_bytes=None)
    monkeypatch.setattr("quire.verbs.plan.look_at_machine", lambda _: small)
    assert plan(book, base=str(tiny_base), settings=SETTINGS).stages[0].would_fit == ()
    rungs = plan(book, base=str(tiny_base), settings=SETTINGS, processes=2).stages[0].would_fit
    assert rungs
    assert all(rung.fits == (rung.memory_bytes <= free // 2) for rung in rungs)


def test_a_stage_that_is_left_without_text_is_named(tiny_base: Path, tmp_path: Path) -> None:
    """Its book says nothing that the other book, of the same few sentences, does not say in what it holds out."""
    toy_book(tmp_path / "wide.md", chapters=8)
    toy_book(tmp_path / "book.md", chapters=12)
    stages = [{"name": name, "shelf": [str(tmp_path / f"{name}.md")]} for name in ("wide", "book")]
    recipe = load_recipe({"base": str(tiny_base), "stages": stages, "train": {"window": 64}}).recipe
    with pytest.raises(BookError, match="no text is left to train on in stage wide"):
        plan(recipe)
