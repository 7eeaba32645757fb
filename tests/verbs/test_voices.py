"""Finding a run for the verbs that use its voice."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from quire.errors import RecipeError, RunError, VoiceError
from quire.model.machine import choose_precision, device_name, measure_machine
from quire.planner.bases import find_base
from quire.recipe.load import load_recipe
from quire.recipe.resolved import Decided, ResolvedRecipe
from quire.run.folder import RunFolder
from quire.verbs.voices import load_opened, open_run, precision_of, voice_defaults


def make_run(path: Path, method: str = "lora", **decided: str) -> RunFolder:
    """A run's recipe and the sign of a voice, without weights."""
    folder = RunFolder.create(path)
    loaded = load_recipe({"shelf": ["book.txt"], "train": {"method": method}, "write": {"temperature": 0.5}})
    resolved = ResolvedRecipe(recipe=loaded.recipe, decided=Decided.model_validate({"base": "embedded", **decided}))
    folder.recipe_file.write_text(resolved.to_yaml(), encoding="utf-8")
    folder.voice.mkdir()
    of_voice = "model.safetensors" if method == "full" else "adapter_config.json"
    (folder.voice / of_voice).write_text("{}", encoding="utf-8")
    return folder


def test_hand_settings_lie_over_the_runs_recipe(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "ferry")
    assert open_run(folder.path, {}, ("write",)).recipe.write.temperature == 0.5
    opened = open_run(str(folder.path), {"write.temperature": 0.9}, ("write",))
    assert opened.recipe.write.temperature == 0.9
    assert opened.resolved is not None
    assert opened.resolved.recipe.write.temperature == 0.5


def test_the_voice_folder_of_a_run_is_the_run(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "ferry")
    opened = open_run(folder.voice, {}, ("write",))
    assert opened.found.run == folder
    assert opened.found.name == "ferry"


@pytest.mark.parametrize("sections", [("write",), ("judge", "write")])
def test_what_was_carried_out_cannot_be_set_any_more(tmp_path: Path, sections: tuple[str, ...]) -> None:
    folder = make_run(tmp_path / "ferry")
    with pytest.raises(RecipeError, match=r"train\.epochs says nothing here: ferry is trained already") as caught:
        open_run(folder.path, {"write.temperature": 1, "train.epochs": 3}, sections)
    assert sections[0] in caught.value.then


def test_a_run_without_a_voice_is_told_so(tmp_path: Path) -> None:
    RunFolder.create(tmp_path / "half")
    with pytest.raises(VoiceError, match="half has no voice yet"):
        open_run(tmp_path / "half", {}, ("write",))


def test_a_voice_is_computed_as_it_was_trained_where_the_machine_is_of_that_kind(tmp_path: Path) -> None:
    here = device_name()
    elsewhere = "cpu" if here == "cuda" else "cuda"
    same = open_run(make_run(tmp_path / "a", device=here, precision="bf16").path, {}, ("write",))
    assert precision_of(same) == "bf16"
    moved = open_run(make_run(tmp_path / "b", device=elsewhere, precision="fp16").path, {}, ("write",))
    assert precision_of(moved) == choose_precision(measure_machine(), "auto").value
    full = open_run(make_run(tmp_path / "c", "full", device=here, precision="bf16").path, {}, ("write",))
    assert precision_of(full) == "fp32"


def test_the_embedded_base_opens_by_its_name_unless_something_here_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    opened = open_run("embedded", {}, ("write",))
    assert (opened.found.voice, opened.found.run) == (find_base("embedded").path, None)
    run = make_run(tmp_path / "runs" / "embedded")
    assert open_run("embedded", {}, ("write",)).found.run == RunFolder(Path("runs/embedded")) != run
    with pytest.raises(RunError, match="no run named castle"):
        open_run("castle", {}, ("write",))
    (tmp_path / "embedded").mkdir()
    assert open_run("embedded", {}, ("write",)).found.run is not None


@pytest.mark.parametrize(
    ("defaults", "settings"),
    [
        ({"temperature": 0.7, "top_p": None, "eos_token_id": 0}, {"temperature": 0.7}),
        ({"do_sample": False, "temperature": 0.7}, {"temperature": 0}),
        ({"do_sample": False, "num_beams": 4}, {"num_beams": 4}),
        ({}, {}),
    ],
)
def test_a_voices_own_defaults_are_what_quire_knows_of_them(
    tmp_path: Path, defaults: dict[str, object], settings: dict[str, object]
) -> None:
    (tmp_path / "generation_config.json").write_text(json.dumps(defaults), encoding="utf-8")
    assert voice_defaults(tmp_path) == settings


def test_a_folder_without_defaults_has_none_and_a_base_is_a_voice_without_a_run(
    tiny_base: Path, tmp_path: Path
) -> None:
    assert voice_defaults(tmp_path) == {}
    opened = open_run(tiny_base, {"write.max_new_tokens": 5}, ("write",))
    assert (opened.found.run, opened.resolved) == (None, None)
    assert opened.recipe.write.max_new_tokens == 5
    assert load_opened(opened).tokenizer.decode(load_opened(opened).tokenizer.encode("ferry")) == "ferry"
