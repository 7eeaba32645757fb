from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from quire.errors import RecipeError, RunError, VoiceError
from quire.model.adapters import attach, save_adapter
from quire.model.base import load_base
from quire.planner.bases import find_base
from quire.recipe.load import load_recipe
from quire.recipe.method import Lora
from quire.recipe.resolved import Decided, ResolvedRecipe
from quire.run.folder import RunFolder
from quire.verbs.write import write, write_all

PROMPT = "The ferryman opened the door"


def make_voice(base: Path, folder: Path) -> None:
    """A LoRA voice that differs from its base by random weights."""
    loaded = load_base(find_base(str(base)), "fp32")
    adapted = attach(loaded.model, Lora(rank=4), seed=1)
    generator = torch.Generator().manual_seed(2)
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.copy_(torch.randn(weight.shape, generator=generator) * 0.3)
    folder.mkdir(parents=True, exist_ok=True)
    save_adapter(adapted, loaded.tokenizer, str(base), folder)


def make_run(base: Path, path: Path, recipe: dict[str, object]) -> RunFolder:
    """What training leaves: recipe and voice."""
    folder = RunFolder.create(path)
    loaded = load_recipe(recipe)
    resolved = ResolvedRecipe(recipe=loaded.recipe, decided=Decided(base=str(base)))
    folder.recipe_file.write_text(resolved.to_yaml(), encoding="utf-8")
    make_voice(base, folder.voice)
    return folder


@pytest.fixture(scope="module")
def run(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    home = tmp_path_factory.mktemp("runs")
    (home / "book.txt").write_text("One.\n\nTwo.\n", encoding="utf-8")
    recipe = {"shelf": [str(home / "book.txt")], "write": {"max_new_tokens": 12, "temperature": 0.9, "prompt": "Once"}}
    return make_run(tiny_base, home / "castle", recipe)


@pytest.fixture(autouse=True)
def no_samples(run: RunFolder) -> None:
    run.samples.unlink(missing_ok=True)


def test_the_streamed_text_is_kept_with_prompt_seed_and_settings(run: RunFolder) -> None:
    text = "".join(write(run.path, PROMPT, seed=3))
    kept = run.samples.read_text(encoding="utf-8")
    assert text
    assert f"> {PROMPT}\n" in kept
    assert "· seed 3\n" in kept
    assert "temperature 0.9" in kept


def test_the_same_seed_writes_the_same_and_hand_settings_win(run: RunFolder) -> None:
    assert list(write(run.path, PROMPT, seed=3)) == list(write(run.path, PROMPT, seed=3))
    longer = "".join(write(run.path, PROMPT, seed=3, settings={"write.max_new_tokens": 20}))
    assert longer.startswith("".join(write(run.path, PROMPT, seed=3)))


def test_the_voice_writes_and_not_its_base(run: RunFolder, tiny_base: Path) -> None:
    greedy = {"write.temperature": 0, "write.max_new_tokens": 30}
    voice = "".join(write(run.path, PROMPT, settings=greedy))
    base = "".join(write(tiny_base, PROMPT, settings=greedy))
    assert voice != base


def test_without_a_prompt_the_recipe_has_one(run: RunFolder) -> None:
    assert write_all(run.path, seed=1).prompt == "Once"


def test_without_a_seed_each_text_has_a_new_one_that_brings_it_back(run: RunFolder) -> None:
    first, second = write_all(run.path, PROMPT), write_all(run.path, PROMPT)
    assert first.seed != second.seed
    assert write_all(run.path, PROMPT, seed=first.seed).texts == first.texts


def test_candidates_are_written_and_kept_together(run: RunFolder) -> None:
    written = write_all(run.path, PROMPT, settings={"write.num_return_sequences": 2}, seed=5)
    assert len(set(written.texts)) == 2
    assert "### 2\n" in run.samples.read_text(encoding="utf-8")
    shown = json.loads(json.dumps(written.to_json()))
    assert shown["texts"] == list(written.texts)
    assert (shown["prompt"], shown["seed"], shown["settings"]["num_return_sequences"]) == (PROMPT, 5, 2)


def test_what_was_written_is_kept_when_nobody_listens_any_more(run: RunFolder) -> None:
    pieces = write(run.path, PROMPT, seed=3)
    first = next(pieces)
    pieces.close()
    assert first.strip() in run.samples.read_text(encoding="utf-8")


def test_a_voice_folder_writes_by_its_own_defaults_and_keeps_nothing_beside_it(tiny_base: Path, tmp_path: Path) -> None:
    voice = tmp_path / "voice"
    make_voice(tiny_base, voice)
    defaults = {"do_sample": False, "max_new_tokens": 5, "num_beams": 1, "eos_token_id": 0}
    (voice / "generation_config.json").write_text(json.dumps(defaults), encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    written = write_all(voice, PROMPT)
    assert (written.settings.temperature, written.settings.max_new_tokens) == (0, 5)
    assert sorted(tmp_path.rglob("*")) == before


def test_mistakes_show_before_the_first_piece_is_asked_for(run: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no run named nowhere"):
        write("nowhere")
    with pytest.raises(RecipeError, match="temperature"):
        write(run.path, settings={"write.temperature": -1})
    with pytest.raises(RecipeError, match=r"train\.epochs says nothing here"):
        write(run.path, settings={"train.epochs": 3})
    with pytest.raises(RecipeError, match="a stream holds one"):
        write(run.path, settings={"write.num_return_sequences": 2})
    with pytest.raises(RecipeError, match=r"write\.num_beams 2 .* write\.temperature 0\.9"):
        write(run.path, settings={"write.num_beams": 2})


@pytest.mark.parametrize(
    ("asked", "seed"),
    [({"write.temperature": 0.8}, None), ({"write.top_p": 0.95}, None), ({"write.seed": 3}, None), ({}, 3)],
)
def test_beams_refuse_what_is_asked_of_drawing_even_if_it_is_the_default(
    run: RunFolder, asked: dict[str, object], seed: int | None
) -> None:
    beams: dict[str, object] = {"write.num_beams": 2, "write.temperature": 0}
    named = next(iter(asked), "write.seed").replace(".", r"\.")
    with pytest.raises(RecipeError, match=rf"cannot honour {named}"):
        write_all(run.path, PROMPT, settings=beams | asked, seed=seed)


def test_a_run_without_a_voice_is_told_so(tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "half")
    with pytest.raises(VoiceError, match="half has no voice yet"):
        write(tmp_path / "half")
