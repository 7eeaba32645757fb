from __future__ import annotations

import json
import math
import shutil
from pathlib import Path

import pytest
import torch
from peft import AutoPeftModelForCausalLM, PeftModel
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel

from quire.errors import RecipeError, VoiceError
from quire.model.adapters import (
    ADAPTER_CONFIG,
    ADAPTER_FILE,
    attach,
    base_name_of,
    detach,
    load_voice,
    merge,
    put_on,
    save_adapter,
    save_full,
)
from quire.model.base import count_parameters, load_base
from quire.model.quick import quicken
from quire.planner.bases import find_base
from quire.recipe.method import Lora
from tiny import FAMILIES, build_config
from toy import random_ids

IDS = random_ids(40)


@torch.no_grad()
def logits(model: torch.nn.Module) -> Tensor:
    return model.eval()(input_ids=IDS, use_cache=False).logits


def train_a_little(model: torch.nn.Module, steps: int = 4) -> None:
    """A few plain steps on the ids, enough to move every kind of weight visibly."""
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=2e-2)
    model.train()
    for _ in range(steps):
        model(input_ids=IDS, labels=IDS, use_cache=False).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def make_voice(base: Path, folder: Path, lora: Lora) -> tuple[PeftModel, Tensor]:
    """A trained adapter on `base`, saved to `folder`; the model, and the base's logits before it learned."""
    loaded = load_base(find_base(str(base)), "fp32")
    before = logits(loaded.model)
    adapted = attach(loaded.model, lora, seed=3)
    assert torch.equal(logits(adapted), before), "a fresh adapter says nothing yet"
    train_a_little(adapted)
    folder.mkdir(parents=True, exist_ok=True)
    save_adapter(adapted, loaded.tokenizer, str(base), folder)
    return adapted, before


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_is_adapted_trained_saved_reloaded_detached_and_merged(
    family: str, tiny_bases: dict[str, Path], tmp_path: Path
) -> None:
    adapted, before = make_voice(tiny_bases[family], tmp_path, Lora(rank=4))
    trained = logits(adapted)
    assert (trained - before).abs().max() > 0.05

    voice = load_voice(tmp_path, "fp32")
    assert torch.equal(logits(voice.model), trained)
    with voice.without_adapter() as base:
        assert torch.equal(logits(base), before)
    assert torch.equal(logits(voice.model), trained)

    by_hand = AutoPeftModelForCausalLM.from_pretrained(str(tmp_path), dtype=torch.float32)
    assert torch.equal(logits(by_hand), trained)

    melted, _ = merge(tmp_path)
    assert not isinstance(melted, PeftModel)
    torch.testing.assert_close(logits(melted), trained, atol=1e-4, rtol=0)

    assert torch.equal(logits(detach(adapted)), before)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_fully_trained_model_is_a_voice_that_plain_transformers_loads(
    family: str, tiny_bases: dict[str, Path], tmp_path: Path
) -> None:
    loaded = load_base(find_base(str(tiny_bases[family])), "fp32")
    before = logits(loaded.model)
    train_a_little(loaded.model)
    trained = logits(loaded.model)
    save_full(loaded.model, loaded.tokenizer, tmp_path)
    assert torch.equal(logits(load_voice(tmp_path, "fp32").model), trained)
    assert torch.equal(logits(merge(tmp_path)[0]), trained)
    by_hand = AutoModelForCausalLM.from_pretrained(tmp_path, dtype=torch.float32)
    assert torch.equal(logits(by_hand), trained)
    assert not torch.equal(trained, before)
    assert AutoTokenizer.from_pretrained(tmp_path).decode(loaded.tokenizer.encode("Où donc ?")) == "Où donc ?"
    assert not list(tmp_path.glob("*.bin"))


ATTENTION = {
    "llama": ["q_proj", "v_proj"],
    "mistral": ["q_proj", "v_proj"],
    "qwen": ["q_proj", "v_proj"],
    "gemma": ["q_proj", "v_proj"],
    "gpt2": ["c_attn"],
    "gpt-neo": ["q_proj", "v_proj"],
    "gpt-neox": ["query_key_value"],
}
# Rank 8 on a width of 32: q is 32 → 32, v is 32 → 16 with two of four heads, c_attn and query_key_value are 32 → 96.
BY_HAND = {
    "llama": 2 * 8 * ((32 + 32) + (32 + 16)),
    "mistral": 2 * 8 * ((32 + 32) + (32 + 16)),
    "qwen": 2 * 8 * ((32 + 32) + (32 + 16)),
    "gemma": 2 * 8 * ((32 + 32) + (32 + 16)),
    "gpt2": 2 * 8 * (32 + 96),
    "gpt-neo": 2 * 8 * ((32 + 32) + (32 + 32)),
    "gpt-neox": 2 * 8 * (32 + 96),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_targets_by_name_have_as_many_parameters_as_arithmetic_says(
    family: str, tiny_bases: dict[str, Path], tmp_path: Path
) -> None:
    model = load_base(find_base(str(tiny_bases[family])), "fp32").model
    whole = count_parameters(model)[1]
    adapted = attach(model, Lora(rank=8, targets=ATTENTION[family]), seed=1)
    assert count_parameters(adapted) == (BY_HAND[family], whole + BY_HAND[family])
    learning = [name for name, p in adapted.named_parameters() if p.requires_grad]
    assert all(any(f".{target}.lora_" in name for target in ATTENTION[family]) for name in learning)


def test_all_linear_is_every_linear_layer_but_the_output(tiny_base: Path) -> None:
    adapted = attach(load_base(find_base(str(tiny_base)), "fp32").model, Lora(rank=2), seed=1)
    shapes = [(32, 32), (32, 16), (32, 16), (32, 32), (32, 64), (32, 64), (64, 32)]
    assert count_parameters(adapted)[0] == 2 * sum(2 * (a + b) for a, b in shapes)


def test_the_same_seed_gives_the_same_adapter_and_leaves_other_draws_alone(tiny_base: Path) -> None:
    def fresh(seed: int) -> dict[str, Tensor]:
        adapted = attach(load_base(find_base(str(tiny_base)), "fp32").model, Lora(rank=2), seed)
        return {name: p for name, p in adapted.named_parameters() if "lora_A" in name}

    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = fresh(1), fresh(1), fresh(2)
    assert torch.equal(torch.rand(3), expected)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[name], other[name]) for name in first)


def test_adapter_weights_are_float32_on_a_base_in_half_precision(tiny_base: Path, tmp_path: Path) -> None:
    loaded = load_base(find_base(str(tiny_base)), "bf16")
    adapted = attach(loaded.model, Lora(rank=2), seed=1)
    assert {p.dtype for p in adapted.parameters() if p.requires_grad} == {torch.float32}
    assert {p.dtype for p in adapted.parameters() if not p.requires_grad} == {torch.bfloat16}
    train_a_little(adapted)
    save_adapter(adapted, loaded.tokenizer, str(tiny_base), tmp_path)
    quicken(adapted)  # as every loaded voice is
    assert torch.equal(logits(load_voice(tmp_path, "bf16").model), logits(adapted))


def layer(model: PreTrainedModel | PeftModel, name: str) -> torch.nn.Module:
    return next(module for path, module in model.named_modules() if path.endswith(f"layers.0.self_attn.{name}"))


def test_alpha_over_rank_scales_and_rslora_divides_by_its_root(tiny_base: Path, tmp_path: Path) -> None:
    """Against the definitions: W + alpha / r · BA and W + alpha / sqrt(r) · BA."""
    for rslora, scale in ((False, 12 / 4), (True, 12 / math.sqrt(4))):
        folder = tmp_path / str(rslora)
        adapted, _ = make_voice(tiny_base, folder, Lora(rank=4, alpha=12, rslora=rslora, targets=["q_proj"]))
        q = layer(adapted, "q_proj")
        weight = q.base_layer.weight + scale * q.lora_B["default"].weight @ q.lora_A["default"].weight
        melted, _ = merge(folder)
        torch.testing.assert_close(layer(melted, "q_proj").weight, weight, atol=1e-6, rtol=1e-5)


def test_dora_learns_magnitude_and_direction_apart(tiny_base: Path, tmp_path: Path) -> None:
    """m · (W + s·BA) / |W + s·BA|, row by row."""
    adapted, _ = make_voice(tiny_base, tmp_path, Lora(rank=4, alpha=8, dora=True, targets=["q_proj"]))
    q = layer(adapted, "q_proj")
    turned = q.base_layer.weight + 2 * q.lora_B["default"].weight @ q.lora_A["default"].weight
    magnitude = q.lora_magnitude_vector["default"].weight
    assert not torch.allclose(magnitude, q.base_layer.weight.norm(dim=1)), "the magnitude has learned"
    expected = magnitude[:, None] * turned / turned.norm(dim=1, keepdim=True)
    melted, _ = merge(tmp_path)
    torch.testing.assert_close(layer(melted, "q_proj").weight, expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(logits(melted), logits(adapted), atol=1e-4, rtol=0)


@pytest.mark.parametrize("bias", ["all", "lora_only"])
def test_biases_that_learn_are_saved_and_given_back(bias: str, tiny_bases: dict[str, Path], tmp_path: Path) -> None:
    adapted, before = make_voice(tiny_bases["gpt2"], tmp_path, Lora(rank=2, bias=bias))
    trained = logits(adapted)
    learned = load_file(tmp_path / ADAPTER_FILE)
    assert any(name.endswith(".bias") for name in learned)
    voice = load_voice(tmp_path, "fp32")
    assert torch.equal(logits(voice.model), trained)
    with voice.without_adapter() as base:
        assert torch.equal(logits(base), before), "the base must be judged with its own biases"
    assert torch.equal(logits(voice.model), trained)
    torch.testing.assert_close(logits(merge(tmp_path)[0]), trained, atol=1e-4, rtol=0)
    assert torch.equal(logits(detach(adapted)), before)


def test_names_that_no_layer_bears_are_refused_with_those_there_are(tiny_base: Path) -> None:
    model = load_base(find_base(str(tiny_base)), "fp32").model
    for targets in (["q_proj", "query"], "query"):
        with pytest.raises(RecipeError, match="no layer named query") as caught:
            attach(model, Lora(targets=targets), seed=1)
        assert "q_proj" in caught.value.then
    assert not isinstance(model, PeftModel)


def test_one_layer_may_be_named_without_a_list(tiny_base: Path, tmp_path: Path) -> None:
    make_voice(tiny_base, tmp_path, Lora(rank=2, targets="q_proj"))
    assert json.loads((tmp_path / ADAPTER_CONFIG).read_text())["target_modules"] == ["q_proj"]


@pytest.fixture(scope="module")
def saved(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved")
    make_voice(tiny_base, folder, Lora(rank=2))
    return folder


@pytest.fixture
def voice(saved: Path, tmp_path: Path) -> Path:
    """A saved voice that may be damaged."""
    return Path(shutil.copytree(saved, tmp_path / "voice"))


def test_a_voice_names_its_base_and_is_written_the_same_each_time(voice: Path, tiny_base: Path) -> None:
    assert base_name_of(voice) == str(tiny_base)
    config = json.loads((voice / ADAPTER_CONFIG).read_text())
    assert list(config) == sorted(config)
    assert config["target_modules"] == sorted(config["target_modules"])
    assert not list(voice.glob("*.bin"))


def test_an_adapter_can_be_put_on_to_learn_on(voice: Path, tiny_base: Path) -> None:
    model = load_base(find_base(str(tiny_base)), "fp32").model
    assert count_parameters(put_on(model, voice, trainable=True))[0] > 0
    assert count_parameters(load_voice(voice, "fp32").model)[0] == 0


def test_tensors_under_other_names_are_no_voice(voice: Path) -> None:
    """Published tools have loaded such a file without a word and answered as the base does."""
    tensors = load_file(voice / ADAPTER_FILE)
    save_file({name.replace("base_model.", ""): tensor for name, tensor in tensors.items()}, voice / ADAPTER_FILE)
    with pytest.raises(VoiceError, match="does not fit its base"):
        load_voice(voice, "fp32")


def test_a_tensor_too_few_or_too_many_is_no_voice(voice: Path) -> None:
    tensors = load_file(voice / ADAPTER_FILE)
    first = sorted(tensors)[0]
    save_file({name: tensor for name, tensor in tensors.items() if name != first}, voice / ADAPTER_FILE)
    with pytest.raises(VoiceError, match="does not fit its base"):
        load_voice(voice, "fp32")
    save_file(tensors | {first.replace("layers.0", "layers.9"): tensors[first].clone()}, voice / ADAPTER_FILE)
    with pytest.raises(VoiceError, match="does not fit its base"):
        load_voice(voice, "fp32")


def test_a_voice_on_another_base_is_refused(voice: Path, tiny_bases: dict[str, Path]) -> None:
    config = json.loads((voice / ADAPTER_CONFIG).read_text())
    config["base_model_name_or_path"] = str(tiny_bases["gpt2"])
    (voice / ADAPTER_CONFIG).write_text(json.dumps(config))
    with pytest.raises(VoiceError, match="on its base"):
        load_voice(voice, "fp32")


def test_weights_of_another_shape_are_refused(voice: Path) -> None:
    tensors = {name: t[:, :1].clone() if "lora_B" in name else t for name, t in load_file(voice / ADAPTER_FILE).items()}
    save_file(tensors, voice / ADAPTER_FILE)
    with pytest.raises(VoiceError, match="cannot be put on its base"):
        load_voice(voice, "fp32")


@pytest.mark.parametrize("damage", ["torn", "empty", "no base", "no weights", "code", "no json"])
def test_a_damaged_voice_is_named(voice: Path, damage: str) -> None:
    config_file, weights = voice / ADAPTER_CONFIG, voice / ADAPTER_FILE
    config = json.loads(config_file.read_text())
    match damage:
        case "torn":
            weights.write_bytes(weights.read_bytes()[:-100])
        case "empty":
            weights.write_bytes(b"")
        case "no base":
            config_file.write_text(json.dumps(config | {"base_model_name_or_path": ""}))
        case "no weights":
            weights.rename(voice / "adapter_model.bin")
        case "code":
            config_file.write_text(json.dumps(config | {"auto_mapping": {"base_model_class": "Evil"}}))
        case "no json":
            config_file.write_text(config_file.read_text()[:-20])
    with pytest.raises(VoiceError, match=str(voice)) as caught:
        load_voice(voice, "fp32")
    assert caught.value.then


def test_a_folder_without_a_voice_says_so(tmp_path: Path) -> None:
    with pytest.raises(VoiceError, match="holds no voice"):
        load_voice(tmp_path, "fp32")


def test_the_families_have_the_shape_that_the_arithmetic_assumes() -> None:
    config = build_config("llama", 384, 0)
    assert (config.hidden_size, config.num_attention_heads, config.num_key_value_heads) == (32, 4, 2)
