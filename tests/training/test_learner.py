from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from peft import AutoPeftModelForCausalLM, PeftModel
from safetensors.torch import load_file
from torch import Tensor

from quire.errors import RecipeError, VoiceError
from quire.model.adapters import ADAPTER_CONFIG, ADAPTER_FILE, load_voice, merge_onto
from quire.model.lowbit import Int8Linear, lasting_dtype
from quire.planner.bases import BaseFiles, find_base
from quire.recipe.schema import WriteSettings
from quire.training.learner import Learner, Start, make_learner, merged_base, precision_of_weights
from quire.training.optimizers.optimizer import trainable
from quire.training.voice import answer, save_voice
from toy import digest, random_ids, toy_settings

PROBE = random_ids(40)


def test_an_adapter_learns_in_float32_on_weights_of_the_precision(tiny_base: Path) -> None:
    files = find_base(str(tiny_base))
    learner = make_learner(Start(files), toy_settings(), "bf16", "cpu", seed=7)
    assert isinstance(learner.model, PeftModel)
    assert {p.dtype for _, p in trainable(learner.model)} == {torch.float32}
    assert {p.dtype for p in learner.model.parameters() if not p.requires_grad} == {torch.bfloat16}
    assert learner.computation.autocast is None
    assert learner.precision == "bf16"


def test_full_training_keeps_float32_weights_and_computes_in_the_precision(tiny_base: Path) -> None:
    files = find_base(str(tiny_base))
    learner = make_learner(Start(files), toy_settings(method="full"), "bf16", "cpu", seed=7)
    assert {p.dtype for p in learner.model.parameters()} == {torch.float32}
    assert learner.computation.autocast is torch.bfloat16
    assert learner.precision == "fp32"
    assert learner.trainable == learner.parameters
    assert make_learner(Start(files), toy_settings(method="full"), "fp32", "cpu", seed=7).computation.autocast is None


def test_its_facts_are_counted(tiny_base: Path) -> None:
    settings = toy_settings(method={"lora": {"rank": 8, "targets": ["q_proj", "v_proj"]}})
    learner = make_learner(Start(find_base(str(tiny_base))), settings, "fp32", "cpu", seed=7)
    assert learner.trainable == 2 * 8 * ((32 + 32) + (32 + 16))
    shown = learner.facts()
    assert shown["parameters"] == f"{learner.trainable:,} of {learner.parameters:,} learn (5.48%)"
    assert shown["packed texts"] == "computed in one pass"


def test_the_seed_decides_where_it_starts(tiny_base: Path) -> None:
    files = find_base(str(tiny_base))
    first, again, other = (make_learner(Start(files), toy_settings(), "fp32", "cpu", seed) for seed in (1, 1, 2))
    assert digest(first.model) == digest(again.model) != digest(other.model)


def test_a_window_longer_than_the_base_holds_is_refused_with_the_one_it_holds(tiny_base: Path) -> None:
    with pytest.raises(RecipeError, match="at most 256 tokens, the window has 257") as caught:
        make_learner(Start(find_base(str(tiny_base))), toy_settings(window=257), "fp32", "cpu", seed=1)
    assert "train.window=256" in caught.value.then
    make_learner(Start(find_base(str(tiny_base))), toy_settings(window=256), "fp32", "cpu", seed=1)


def test_activations_are_recomputed_only_when_asked_for(tiny_base: Path) -> None:
    files = find_base(str(tiny_base))
    for given in (False, True):
        learner = make_learner(Start(files), toy_settings(), "fp32", "cpu", seed=1, checkpointing=given)
        layers = [m for m in learner.model.modules() if type(m).__name__ == "LlamaDecoderLayer"]
        assert all(layer.gradient_checkpointing == given for layer in layers)


def test_how_texts_are_packed_is_found_out_once(tiny_base: Path) -> None:
    files = find_base(str(tiny_base))
    assert make_learner(Start(files), toy_settings(), "fp32", "cpu", seed=1).computation.packs
    assert not make_learner(Start(files), toy_settings(), "fp32", "cpu", seed=1, packs=False).computation.packs


@pytest.mark.parametrize(
    ("method", "precision", "optimizer", "expected"),
    [
        ("lora", "bf16", "adamw", "bf16"),
        ("lora", "fp16", "adafactor", "fp16"),
        ("qlora", "int8", "adamw_8bit", "int8"),
        ("qlora", "nf4", "adamw", "nf4"),
        ("full", "bf16", "adamw", "fp32"),
        ("full", "bf16", "adamw_8bit", "bf16"),
        ("full", "bf16", "adafactor", "bf16"),
        ("full", "fp16", "adamw_8bit", "fp32"),
        ("full", "fp32", "adafactor", "fp32"),
    ],
)
def test_the_format_of_the_weights_follows_method_and_optimiser(
    method: str, precision: str, optimizer: str, expected: str
) -> None:
    settings = toy_settings(method=method, optimizer=optimizer, precision="auto")
    assert precision_of_weights(settings, precision) == expected


def test_an_inherited_adapter_lies_on_weights_of_the_precision_and_inherited_weights_learn() -> None:
    settings = toy_settings(method="inherit", precision="auto")
    assert precision_of_weights(settings, "int8", earlier_adapter=True) == "int8"
    assert precision_of_weights(settings, "bf16", earlier_adapter=False) == "fp32"


def test_a_base_in_few_bits_bears_an_adapter_in_full(tiny_base: Path) -> None:
    settings = toy_settings(method="qlora", precision="auto")
    learner = make_learner(Start(find_base(str(tiny_base))), settings, "int8", "cpu", seed=7)
    layers = [m for m in learner.model.modules() if isinstance(m, Int8Linear)]
    assert len(layers) == 14 + 1
    assert {p.dtype for _, p in trainable(learner.model)} == {torch.float32}
    assert learner.model.get_input_embeddings().weight.dtype == lasting_dtype("cpu")
    assert learner.computation.autocast is None
    assert learner.precision == "int8"


def test_with_little_memory_all_weights_learn_in_bf16(tiny_base: Path) -> None:
    settings = toy_settings(method="full", optimizer="adamw_8bit", precision="bf16")
    learner = make_learner(Start(find_base(str(tiny_base))), settings, "bf16", "cpu", seed=7)
    assert {p.dtype for p in learner.model.parameters()} == {torch.bfloat16}
    assert learner.computation.autocast is None


def moved(learner: Learner, seed: int = 1) -> Learner:
    """The same with all that learns somewhere else."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for _, p in trainable(learner.model):
            p.add_(0.1 * torch.randn(p.shape, generator=generator))
    return learner


def voice_of(learner: Learner, folder: Path) -> Path:
    save_voice(
        learner.model, learner.tokenizer, learner.files, WriteSettings(), folder, "# card", prove=lambda target: None
    )
    return folder


@pytest.fixture(scope="module")
def earlier(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A voice: an adapter of rank 4 on the tiny base."""
    learner = make_learner(Start(find_base(str(tiny_base))), toy_settings(), "fp32", "cpu", seed=7)
    return voice_of(moved(learner), tmp_path_factory.mktemp("earlier") / "voice")


@pytest.fixture
def start(tiny_base: Path, earlier: Path) -> Start:
    return Start(find_base(str(tiny_base)), earlier)


def said_by(voice: Path) -> Tensor:
    return answer(load_voice(voice, "fp32").model, PROBE)


def test_an_inherited_adapter_goes_on_where_it_was(start: Start, earlier: Path) -> None:
    learner = make_learner(start, toy_settings(method="inherit", precision="auto"), "fp32", "cpu", seed=9)
    assert torch.equal(answer(learner.model, PROBE), said_by(earlier))
    learning = {name.replace(".default", ""): p for name, p in trainable(learner.model)}
    kept = load_file(earlier / ADAPTER_FILE)
    assert set(learning) == set(kept)
    assert all(torch.equal(learning[name], kept[name]) for name in kept)
    dropout = [m.p for m in learner.model.modules() if isinstance(m, torch.nn.Dropout) and m.p > 0]
    assert set(dropout) == {0.1}, "it learns under the dropout that it was made with"


def test_inherited_weights_go_on_learning(tiny_base: Path, tmp_path: Path) -> None:
    full = make_learner(Start(find_base(str(tiny_base))), toy_settings(method="full"), "fp32", "cpu", seed=7)
    voice = voice_of(moved(full), tmp_path / "voice")
    base = BaseFiles(str(voice), voice, "", "run")
    settings = toy_settings(method="inherit", precision="auto")
    learner = make_learner(Start(base), settings, "fp32", "cpu", seed=7)
    assert torch.equal(answer(learner.model, PROBE), said_by(voice))
    assert learner.trainable == learner.parameters


def test_a_new_adapter_over_a_melted_one(
    start: Start, earlier: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The changed base is made once, in float32, and goes along with the voice, which names it by its place there."""
    settings = toy_settings(onto="merge", method={"lora": {"rank": 2, "targets": ["q_proj"]}})
    learner = make_learner(start, settings, "fp32", "cpu", seed=9, bases=tmp_path / "bases")
    torch.testing.assert_close(answer(learner.model, PROBE), said_by(earlier), atol=1e-4, rtol=0)
    assert (learner.files.path, learner.files.kind) == (tmp_path / "bases", "run")
    assert {t.dtype for t in load_file(tmp_path / "bases" / "model.safetensors").values()} == {torch.float32}
    voice = voice_of(moved(learner), tmp_path / "voice")
    config = json.loads((voice / ADAPTER_CONFIG).read_text())
    assert (config["r"], config["base_model_name_or_path"]) == (2, "./base")
    assert torch.equal(said_by(voice), answer(learner.model, PROBE))
    there = (voice / "base" / "model.safetensors").stat()
    assert there.st_ino == (tmp_path / "bases" / "model.safetensors").stat().st_ino, "linked, not copied"

    with pytest.raises(OSError, match="base"):  # elsewhere peft fails rather than taking some other base
        AutoPeftModelForCausalLM.from_pretrained(str(voice))
    monkeypatch.chdir(voice)
    by_hand = AutoPeftModelForCausalLM.from_pretrained(str(voice), dtype=torch.float32)
    assert torch.equal(answer(by_hand, PROBE), answer(learner.model, PROBE))
    (voice / "base").rename(tmp_path / "elsewhere")
    with pytest.raises(VoiceError, match="lacks the folder base"):
        load_voice(voice, "fp32")


def test_a_melted_base_is_made_once_and_again_where_it_is_damaged_or_of_another_adapter(
    start: Start, tmp_path: Path
) -> None:
    folder = tmp_path / "bases"
    weights = folder / "model.safetensors"
    files = merged_base(start, folder)
    first, whole = weights.stat().st_ino, weights.read_bytes()
    assert merged_base(start, folder) == files
    assert weights.stat().st_ino == first
    weights.write_bytes(whole[:-9] + b"?" * 9)
    merged_base(start, folder)
    assert weights.read_bytes() == whole
    other = make_learner(start, toy_settings(method="inherit"), "fp32", "cpu", seed=9)
    voice = voice_of(moved(other, seed=2), tmp_path / "voice")
    merged_base(Start(start.base, voice), folder)
    assert weights.read_bytes() != whole


def test_a_light_adapter_survives_melting(tiny_base: Path, tmp_path: Path) -> None:
    """In bf16 a change of a thousandth would be rounded away (peft#2321); the base is read and kept in float32."""
    base = find_base(str(tiny_base))
    learner = make_learner(Start(base), toy_settings(), "bf16", "cpu", seed=7)
    with torch.no_grad():
        for name, p in trainable(learner.model):
            if "lora_B" in name:
                p.add_(1e-5)
    voice = voice_of(learner, tmp_path / "voice")
    melted, _ = merge_onto(base, voice)
    plain = load_voice(voice, "fp32")
    torch.testing.assert_close(answer(melted, PROBE), answer(plain.model, PROBE), atol=1e-6, rtol=0)
    with plain.without_adapter() as untouched:
        change = answer(melted, PROBE) - answer(untouched, PROBE)
    assert float(change.abs().max()) > 1e-5


def test_a_new_adapter_stacked_on_an_earlier_one(start: Start, earlier: Path, tmp_path: Path) -> None:
    settings = toy_settings(onto="stack", method={"lora": {"rank": 2, "dropout": 0.0}})
    learner = make_learner(start, settings, "fp32", "cpu", seed=9)
    torch.testing.assert_close(answer(learner.model, PROBE), said_by(earlier), atol=1e-5, rtol=0)
    voice = voice_of(moved(learner), tmp_path / "voice")
    config = json.loads((voice / ADAPTER_CONFIG).read_text())
    assert (config["r"], config["base_model_name_or_path"]) == (6, start.base.name)
    assert not (voice / "base").exists()
    torch.testing.assert_close(said_by(voice), answer(learner.model, PROBE), atol=1e-4, rtol=0)


def test_all_weights_learn_after_an_adapter_was_melted_in(start: Start, earlier: Path, tmp_path: Path) -> None:
    learner = make_learner(start, toy_settings(method="full"), "fp32", "cpu", seed=9, bases=tmp_path / "bases")
    assert not isinstance(learner.model, PeftModel)
    assert learner.trainable == learner.parameters
    torch.testing.assert_close(answer(learner.model, PROBE), said_by(earlier), atol=1e-4, rtol=0)


@pytest.mark.parametrize("precision", ["int8", "nf4"])
def test_weights_in_few_bits_cannot_learn(precision: str, tmp_path: Path) -> None:
    nowhere = BaseFiles("nowhere", tmp_path, "", "folder")
    for method in ("full", "inherit"):
        with pytest.raises(RecipeError, match=f"weights in {precision} cannot learn"):
            make_learner(Start(nowhere), toy_settings(method=method, precision="auto"), precision, "cpu", seed=7)


def test_what_cannot_be_stacked_on_is_refused_before_anything_is_loaded(tmp_path: Path) -> None:
    (tmp_path / ADAPTER_CONFIG).write_text(json.dumps({"peft_type": "LORA", "use_dora": True}))
    nowhere = Start(BaseFiles("nowhere", tmp_path, "", "folder"), tmp_path)
    with pytest.raises(RecipeError, match="onto: stack: the earlier adapter is a DoRA adapter"):
        make_learner(nowhere, toy_settings(onto="stack"), "fp32", "cpu", seed=7)
