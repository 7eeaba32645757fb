"""Base and voice on trial: what they are asked, and that both are heard on the same.  `judge` as a whole is tried in
test_judge.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from quire.errors import RunError
from quire.recipe.load import load_recipe
from quire.recipe.schema import Recipe
from quire.run.events import Event
from quire.run.folder import RunFolder
from quire.verbs.texts.material import Material, gather
from quire.verbs.train import Run, train
from quire.verbs.trial import hold_trial, set_task
from quire.verbs.voices import open_run
from quire.writing.sampler import candidate_seed
from toy import TINY_TRAINING, toy_book


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_book(tmp_path_factory.mktemp("books") / "river.md", chapters=12, paragraphs=4)


@pytest.fixture(scope="module")
def run(book: Path, tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    path = tmp_path_factory.mktemp("trial") / "runs" / "river"
    return train(book, base=str(tiny_base), run=path, settings=TINY_TRAINING)


def recipe_of(book: Path, **settings: object) -> Recipe:
    return load_recipe(
        {"shelf": [str(book)]}, {key.replace("__", "."): value for key, value in settings.items()}
    ).recipe


@pytest.fixture(scope="module")
def material(book: Path) -> Material:
    return gather(recipe_of(book))


def test_the_task_is_the_held_out_text_and_prompts_out_of_it(book: Path, material: Material) -> None:
    task = set_task(recipe_of(book), 0, material, None)
    held = "\n\n".join(p.text for p in material.passages if p.split == "test")
    assert task.texts.texts
    assert all(text.strip() in held for text in task.texts.texts)
    assert task.prompts
    assert all(prompt.text in held and prompt.human for prompt in task.prompts)


def test_the_recipes_prompts_and_seeds_come_first(book: Path, material: Material) -> None:
    own = set_task(recipe_of(book, judge__prompts=["One.", "Two."], write__seed=11), 0, material, None)
    assert [prompt.text for prompt in own.prompts] == ["One.", "Two."]
    assert own.seed == 11
    assert set_task(recipe_of(book, seed=5), 0, material, None).seed == 5


def test_nothing_held_out_can_only_be_judged_for_copying_by_own_prompts(book: Path) -> None:
    nothing = {"shelf__0__test": "0%"}
    material = gather(recipe_of(book, **nothing))
    with pytest.raises(RunError, match="nothing of the text was held out"):
        set_task(recipe_of(book, **nothing), 0, material, None)
    with pytest.raises(RunError, match="nothing of the text was held out"):
        set_task(recipe_of(book, **nothing, judge__questions=["copying"]), 0, material, None)
    task = set_task(
        recipe_of(book, **nothing, judge__questions=["copying"], judge__prompts=["One."]), 0, material, None
    )
    assert task.texts.texts == ()


def test_both_are_heard_on_the_same_and_the_base_is_the_one_without_the_adapter(run: Run, book: Path) -> None:
    heard: list[Event] = []
    opened = open_run(run, {"write.max_new_tokens": 5}, ("write", "judge"))
    assert opened.resolved is not None
    material = gather(opened.recipe)
    task = set_task(opened.recipe, 0, material, heard.append)
    report = hold_trial(opened, RunFolder(run.path), opened.resolved, material, task)
    bits = report.finding("bits per byte")
    assert bits.value < bits.compared_with[0].value, "three steps at this rate are enough to get better"
    assert [sample.prompt for sample in report.samples] == [prompt.text for prompt in task.prompts]
    assert [sample.seed for sample in report.samples] == [candidate_seed(7, n) for n in range(len(report.samples))]
    for sample, prompt in zip(report.samples, task.prompts, strict=True):
        assert prompt.human.startswith(sample.human)
    page = report.page.read_text(encoding="utf-8")
    assert "foreseen" in page
    assert ", measured" in page
    assert "within what a plan promises" in page
    tasks = ("reads held-out text", "writes", "reads trained pages", "reads unseen pages")
    assert {str(event.values["doing"]) for event in heard} == {
        f"the {who} {t}" for who in ("voice", "base") for t in tasks
    }
