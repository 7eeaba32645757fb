from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from quire.errors import GuardError
from quire.planner.bases import find_base
from quire.recipe.load import load_recipe
from quire.recipe.schema import Recipe
from quire.run.atomic import hash_file
from quire.run.events import EventLog, read_events
from quire.run.folder import RunFolder
from quire.training.learner import Learner, Start, make_learner
from quire.training.optimizers.optimizer import trainable
from quire.training.session import Session
from quire.training.state import TrainState
from quire.training.watch import StopWish
from quire.training.watching.alarms import Alarms
from quire.verbs.stages.saving import fixed_prompts, save_and_check, write_samples
from quire.verbs.texts.material import Material, gather, rows_of
from toy import SENTENCES, TINY_TRAINING, toy_book

STATE = TrainState(step=5, part_step=5, tokens=1234)


def material_of(path: Path, **settings: object) -> Material:
    given = TINY_TRAINING | {key.replace("__", "."): value for key, value in settings.items()}
    return gather(load_recipe({"shelf": [{"path": str(path)}], "name": "River"}, given).recipe)


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Material:
    return material_of(toy_book(tmp_path_factory.mktemp("books") / "river.md"))


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    folder = RunFolder.create(tmp_path / "run")
    with EventLog(folder.events_file) as log:
        log.append("start")
        yield Session(folder, log, StopWish(), lambda event: None, ("train",), Alarms([]))


@pytest.fixture
def learner(tiny_base: Path, material: Material) -> Learner:
    return make_learner(Start(find_base(str(tiny_base))), material.recipe.train, "fp32", "cpu", seed=7)


def teach(learner: Learner) -> None:
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for _, p in trainable(learner.model):
            p.add_(0.1 * torch.randn(p.shape, generator=generator))


def save(session: Session, learner: Learner, material: Material, folder: Path) -> None:
    rows = [rows_of(material, learner.tokenizer, "train", 0)]
    save_and_check(session, learner, material.recipe, "a/base", material, rows, STATE, folder)


def test_a_saved_voice_has_a_card_and_an_event_with_its_hash(
    session: Session, learner: Learner, material: Material
) -> None:
    teach(learner)
    folder = session.folder.stages / "01-train" / "part-02"
    save(session, learner, material, folder)
    (event,) = [e for e in read_events(session.folder.events_file) if e.kind == "saved"]
    assert event.values == {
        "voice": "stages/01-train/part-02",
        "sha256": hash_file(folder / "adapter_model.safetensors"),
    }
    card = (folder / "README.md").read_text()
    assert "# River" in card
    assert "The River" in card
    assert "1,234" in card


def test_a_voice_that_learned_nothing_is_neither_kept_nor_told_of(
    session: Session, learner: Learner, material: Material
) -> None:
    with pytest.raises(GuardError, match="the voice in voice answers exactly as its base does"):
        save(session, learner, material, session.folder.voice)
    assert not session.folder.voice.exists()
    assert [event.kind for event in read_events(session.folder.events_file)] == ["start"]


def test_samples_go_to_events_and_file_with_the_step(session: Session, learner: Learner, material: Material) -> None:
    recipe = material.recipe.model_copy(
        update={"write": material.recipe.write.model_copy(update={"num_return_sequences": 3})}
    )
    write_samples(session, learner, recipe, fixed_prompts(recipe, material), STATE)
    events = [event for event in read_events(session.folder.events_file) if event.kind == "sample"]
    assert [event.values["prompt"] for event in events] == fixed_prompts(recipe, material)
    text = session.folder.samples.read_text()
    assert text.count("after step 5") == len(events)
    assert "part" not in text.splitlines()[0]


def test_samples_are_drawn_by_the_seed_of_writing_where_there_is_one(
    session: Session, learner: Learner, tmp_path: Path
) -> None:
    material = material_of(toy_book(tmp_path / "river.md"), write__seed=31)
    write_samples(session, learner, material.recipe, fixed_prompts(material.recipe, material), STATE)
    samples = [e for e in read_events(session.folder.events_file) if e.kind == "sample"]
    assert {event.values["seed"] for event in samples} == {31}
    assert "31" in session.folder.samples.read_text()


def test_samples_draw_nothing_and_leave_the_model_training(
    session: Session, learner: Learner, material: Material
) -> None:
    learner.model.train()
    torch.manual_seed(1)
    expected = torch.rand(2)
    torch.manual_seed(1)
    write_samples(session, learner, material.recipe, fixed_prompts(material.recipe, material), STATE)
    assert torch.equal(torch.rand(2), expected)
    assert learner.model.training


def prompts(material: Material, **changes: object) -> list[str]:
    recipe = material.recipe
    judge = recipe.judge.model_copy(update=changes)
    given: Recipe = recipe.model_copy(update={"judge": judge})
    return fixed_prompts(given, material)


def test_prompts_open_held_out_passages_and_the_recipe_may_name_its_own(material: Material) -> None:
    found = prompts(material)
    assert 1 <= len(found) <= 2
    assert all(any(sentence.startswith(prompt[:20]) for sentence in SENTENCES) for prompt in found)
    assert prompts(material) == found, "the same every time"
    assert prompts(material, prompts=["K. opened the door."]) == ["K. opened the door."]


def test_a_prompt_of_verse_is_its_first_line(tmp_path: Path) -> None:
    lines = ["The river went away at night", "and took the boats along,", "and nobody put on a light"]
    stanza = "  \n".join(lines)  # two spaces: a line that ends
    poems = "\n\n".join([f"# Poem {n}\n\n{stanza}\n\n{stanza}" for n in range(12)])
    (tmp_path / "poems.md").write_text(poems + "\n", encoding="utf-8")
    assert fixed_prompts(*_both(material_of(tmp_path / "poems.md"))) == ["The river went away at night\n"]


def test_a_long_sentence_is_cut_between_words(tmp_path: Path) -> None:
    sentence = "We went " + "on and on along the water " * 20 + "for ever."
    text = "\n\n".join([f"# {n}\n\n{sentence}\n\n{sentence}" for n in range(12)])
    (tmp_path / "long.md").write_text(text + "\n", encoding="utf-8")
    (prompt,) = fixed_prompts(*_both(material_of(tmp_path / "long.md")))
    assert 100 < len(prompt) <= 160
    assert sentence.startswith(prompt + " ")


def test_a_prompt_of_conversations_is_a_first_question_that_waits_for_its_answer(tmp_path: Path) -> None:
    rows = [
        {"messages": [{"role": "system", "content": "You row."}, {"role": "user", "content": f"Who is {n}?"},
                      {"role": "assistant", "content": f"Nobody of that name, whatever {n} may say of it."}]}
        for n in range(40)
    ]  # fmt: skip
    path = tmp_path / "chats.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    found = fixed_prompts(*_both(material_of(path)))
    assert len(found) == 2
    assert all(re.fullmatch(r"\[persona\] You row\.\n\n\[user\] Who is \d+\?\n\n\[character\] ", one) for one in found)


def _both(material: Material) -> tuple[Recipe, Material]:
    return material.recipe, material
