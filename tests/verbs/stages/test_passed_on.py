"""What an earlier voice says of itself, for whoever goes on with it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from littleruns import little_run
from quire.errors import VoiceError
from quire.recipe.method import Lora, Method
from quire.recipe.resolved import StageDecided, load_resolved
from quire.recipe.schema import Recipe
from quire.verbs.stages.passed_on import base_of_voice, method_of_earlier

# As peft writes it, but for what is of no interest here.
ADAPTER = {
    "peft_type": "LORA",
    "r": 64,
    "lora_alpha": 16,
    "lora_dropout": 0.1,
    "target_modules": ["model.layers.0.self_attn.v_proj", "model.layers.1.self_attn.v_proj", "q_proj"],
    "bias": "none",
    "use_rslora": True,
}


def voice(folder: Path, config: object) -> str:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "adapter_config.json").write_text(json.dumps(config), encoding="utf-8")
    return str(folder)


def of(name: str) -> Method | None:
    return method_of_earlier(Recipe.model_validate({"from": name, "shelf": ["b.txt"], "train": {"method": "inherit"}}))


def adapter_of(name: str) -> Lora:
    method = of(name)
    assert method is not None
    assert method.lora is not None
    return method.lora


def test_an_adapter_is_of_the_rank_and_the_layers_that_it_says(tmp_path: Path) -> None:
    found = adapter_of(voice(tmp_path / "voice", ADAPTER))
    assert found == Lora(rank=64, alpha=16, dropout=0.1, targets=["q_proj", "v_proj"], rslora=True)
    assert adapter_of(voice(tmp_path / "pattern", ADAPTER | {"target_modules": ".*_proj"})).targets == "all-linear"
    assert adapter_of(voice(tmp_path / "other", {"peft_type": "IA3"})) == Lora()


def test_a_whole_model_goes_on_in_all_its_weights(tmp_path: Path) -> None:
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_text("{}", encoding="utf-8")
    assert of(str(tmp_path)) == Method(full=True, lora=None)
    assert method_of_earlier(Recipe.model_validate({"shelf": ["a.txt"]})) is None


def test_the_ratio_of_lora_plus_is_that_of_the_run(tmp_path: Path) -> None:
    run = little_run(tmp_path / "first", settings={"train.method": {"lora": {"rank": 64, "lr_ratio": 16}}})
    voice(run.voice, ADAPTER)
    assert adapter_of(str(run.path)).lr_ratio == adapter_of(str(run.voice)).lr_ratio == 16
    again = little_run(tmp_path / "again", settings={"from": str(run.path), "train.method": "inherit"}, base="auto")
    voice(again.voice, ADAPTER)
    assert adapter_of(str(again.path)).lr_ratio == 1
    resolved = load_resolved(again.recipe_file)
    decided = resolved.decided.with_stage(0, StageDecided(lr_ratio=16))
    again.recipe_file.write_text(resolved.model_copy(update={"decided": decided}).to_yaml(), encoding="utf-8")
    shutil.rmtree(run.path)
    assert adapter_of(str(again.path)).lr_ratio == 16, "whatever has become of the first"


def test_a_voice_that_does_not_say_what_it_is_is_named(tmp_path: Path) -> None:
    with pytest.raises(VoiceError, match="does not say what its adapter is"):
        of(voice(tmp_path / "voice", ADAPTER | {"r": 0}))
    with pytest.raises(VoiceError, match="does not say what its adapter is"):
        of(voice(tmp_path / "list", ["LORA"]))


def test_a_voice_that_lacks_its_base_or_does_not_name_one_is_not_whole(tmp_path: Path) -> None:
    alone = voice(tmp_path / "alone", ADAPTER | {"base_model_name_or_path": "./base"})
    with pytest.raises(VoiceError, match="lacks the folder base"):
        base_of_voice(alone)
    (tmp_path / "alone" / "base").mkdir()
    assert base_of_voice(alone) == str(tmp_path / "alone" / "base")
    with pytest.raises(VoiceError, match="does not say what its base is"):
        base_of_voice(voice(tmp_path / "silent", ADAPTER))
