from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from peft import AutoPeftModelForCausalLM, LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from torch import Tensor, nn

from quire.errors import RecipeError
from quire.model.adapters import ADAPTER_CONFIG, ADAPTER_FILE, attach, load_voice, merge, save_adapter, stack_on
from quire.model.base import Base, load_base, load_model
from quire.model.stacking import EARLIER, LEARNING, START, joined, lora_layers, require_stackable, use_together
from quire.planner.bases import find_base
from quire.recipe.method import Lora
from toy import random_ids

IDS = random_ids(40)


@torch.no_grad()
def logits(model: nn.Module) -> Tensor:
    return model.eval()(input_ids=IDS, use_cache=False).logits


def train_a_little(model: nn.Module, steps: int = 4, rate: float = 1e-2) -> None:
    learning = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learning, lr=rate)
    model.train()
    for _ in range(steps):
        model(input_ids=IDS, labels=IDS, use_cache=False).loss.backward()
        optimizer.step()
        optimizer.zero_grad()


def base_of(folder: Path) -> Base:
    return load_base(find_base(str(folder)), "fp32")


def first_voice(base: Path, folder: Path, **lora: object) -> Tensor:
    """A trained adapter in `folder`; what it answers."""
    loaded = base_of(base)
    model = attach(loaded.model, Lora(**({"rank": 4, "alpha": 8} | lora)), seed=1)
    train_a_little(model)
    folder.mkdir(parents=True, exist_ok=True)
    save_adapter(model, loaded.tokenizer, str(base), folder)
    return logits(model)


def learning_tensors(model: PeftModel) -> dict[str, Tensor]:
    return {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("family", ["llama", "gpt2", "gpt-neox"])
def test_a_new_adapter_over_an_earlier_one_is_saved_as_one_plain_adapter(
    family: str, tiny_bases: dict[str, Path], tmp_path: Path
) -> None:
    base = tiny_bases[family]
    said = first_voice(base, tmp_path / "first", dropout=0.3)
    loaded = base_of(base)
    untouched = logits(loaded.model)
    model = stack_on(loaded.model, tmp_path / "first", Lora(rank=2, alpha=6, dropout=0.0), seed=2)
    torch.testing.assert_close(logits(model), said, atol=1e-5, rtol=0)

    others = {name: p.detach().clone() for name, p in model.named_parameters() if not p.requires_grad}
    assert {name.split(".")[-2] for name in learning_tensors(model)} == {LEARNING}
    train_a_little(model)
    now = dict(model.named_parameters())
    assert all(torch.equal(now[name], before) for name, before in others.items()), "base and earlier adapter are frozen"
    trained = logits(model)
    assert (trained - said).abs().max() > 0.05

    save_adapter(model, loaded.tokenizer, str(base), tmp_path / "second")
    config = json.loads((tmp_path / "second" / ADAPTER_CONFIG).read_text())
    assert (config["r"], config["lora_alpha"], config["use_rslora"]) == (6, 6, False)
    assert not config["rank_pattern"]
    assert not config["alpha_pattern"]
    voice = load_voice(tmp_path / "second", "fp32")
    torch.testing.assert_close(logits(voice.model), trained, atol=2e-5, rtol=0)
    with voice.without_adapter() as plain:
        assert torch.equal(logits(plain), untouched)
    by_hand = AutoPeftModelForCausalLM.from_pretrained(str(tmp_path / "second"), dtype=torch.float32)
    assert torch.equal(logits(by_hand), logits(voice.model))
    torch.testing.assert_close(logits(merge(tmp_path / "second")[0]), trained, atol=1e-4, rtol=0)


def test_an_earlier_adapter_is_read_without_dropout(tiny_base: Path, tmp_path: Path) -> None:
    """What is frozen is part of the base: noise on it would not be learned away but trained against."""
    said = first_voice(tiny_base, tmp_path, dropout=0.5)
    model = stack_on(base_of(tiny_base).model, tmp_path, Lora(rank=2, dropout=0.0), seed=2)
    model.train()
    with torch.no_grad():
        torch.testing.assert_close(model(input_ids=IDS, use_cache=False).logits, said, atol=1e-5, rtol=0)


def test_joined_is_the_sum_of_all_by_definition(tiny_base: Path, tmp_path: Path) -> None:
    """s₁B₁A₁ + s₂B₂A₂ in every layer, with zeros where a layer bears one of them alone; rsLoRA's strength as well."""
    first_voice(tiny_base, tmp_path, rank=4, alpha=8, rslora=True, targets=["q_proj", "v_proj"])
    lora = Lora(rank=3, alpha=12, dropout=0.0, targets=["q_proj", "down_proj"])
    model = stack_on(base_of(tiny_base).model, tmp_path, lora, seed=2)
    train_a_little(model)
    tensors, config = joined(model)
    assert (config.r, config.lora_alpha) == (7, 7)
    assert set(config.target_modules) == {"q_proj", "v_proj", "down_proj"}
    early = load_file(tmp_path / ADAPTER_FILE)
    late = {name.replace(".default", ""): t for name, t in learning_tensors(model).items()}
    for layer, _ in lora_layers(model):
        whole = tensors[f"{layer}.lora_B.weight"].double() @ tensors[f"{layer}.lora_A.weight"].double()
        parts = torch.zeros_like(whole)
        for scale, found in ((8 / math.sqrt(4), early), (12 / 3, late)):
            if f"{layer}.lora_A.weight" in found:
                parts += scale * (found[f"{layer}.lora_B.weight"].double() @ found[f"{layer}.lora_A.weight"].double())
        torch.testing.assert_close(whole, parts, rtol=1e-6, atol=1e-9)


def test_three_storeys_are_as_good_as_one(tiny_base: Path, tmp_path: Path) -> None:
    """Stacked on what was stacked: the ranks go on adding up."""
    first_voice(tiny_base, tmp_path / "1", targets=["q_proj"])
    for number, targets in ((2, ["v_proj"]), (3, ["q_proj", "embed_tokens"])):
        loaded = base_of(tiny_base)
        below = tmp_path / str(number - 1)
        model = stack_on(loaded.model, below, Lora(rank=2, dropout=0.0, targets=targets), seed=number)
        torch.testing.assert_close(logits(model), logits(load_voice(below, "fp32").model), atol=1e-5, rtol=0)
        train_a_little(model)
        (tmp_path / str(number)).mkdir()
        save_adapter(model, loaded.tokenizer, str(tiny_base), tmp_path / str(number))
    torch.testing.assert_close(logits(load_voice(tmp_path / "3", "fp32").model), logits(model), atol=2e-5, rtol=0)
    assert json.loads((tmp_path / "3" / ADAPTER_CONFIG).read_text())["r"] == 4 + 2


def test_names_are_short_unless_other_layers_share_them(tiny_base: Path, tmp_path: Path) -> None:
    """An adapter of elsewhere may lie on some layers alone: its names must not draw in the others."""
    loaded = base_of(tiny_base)
    some = LoraConfig(
        r=2, target_modules=["q_proj"], layers_to_transform=[1], init_lora_weights=False, task_type="CAUSAL_LM"
    )
    foreign = get_peft_model(loaded.model, some)
    foreign.save_pretrained(str(tmp_path))
    said = logits(foreign)
    config = json.loads((tmp_path / ADAPTER_CONFIG).read_text())
    (tmp_path / ADAPTER_CONFIG).write_text(json.dumps(config | {"base_model_name_or_path": str(tiny_base)}))
    model = stack_on(base_of(tiny_base).model, tmp_path, Lora(rank=2, targets=["v_proj"]), seed=2)
    torch.testing.assert_close(logits(model), said, atol=1e-5, rtol=0)
    _, one = joined(model)
    assert set(one.target_modules) == {
        "model.layers.1.self_attn.q_proj",
        "model.layers.0.self_attn.v_proj",
        "model.layers.1.self_attn.v_proj",
    }


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"use_dora": True}, "is a DoRA adapter"),
        ({"bias": "all"}, "has changed the base's biases"),
        ({"modules_to_save": ["lm_head"]}, "holds whole layers"),
        ({"peft_type": "IA3"}, "is of the kind IA3"),
    ],
)
def test_what_does_not_add_up_is_refused_by_its_settings_alone(
    change: dict[str, object], said: str, tmp_path: Path
) -> None:
    (tmp_path / ADAPTER_CONFIG).write_text(json.dumps({"peft_type": "LORA", "bias": "none"} | change))
    with pytest.raises(RecipeError, match=said) as caught:
        require_stackable(tmp_path)
    assert "onto: merge" in caught.value.then


PISSA = Lora(rank=4, alpha=8, dropout=0.0, init="pissa", targets=["q_proj", "down_proj"])


def test_pissa_leaves_the_base_and_what_it_says_as_they_were(tiny_base: Path) -> None:
    model = load_model(tiny_base, "fp32")
    before, weights = logits(model), {name: p.detach().clone() for name, p in model.named_parameters()}
    adapted = attach(model, PISSA, seed=1)
    torch.testing.assert_close(logits(adapted), before, atol=1e-5, rtol=0)
    now = {
        name.replace("base_model.model.", "").replace(".base_layer", ""): p for name, p in adapted.named_parameters()
    }
    assert all(torch.equal(now[name], weight) for name, weight in weights.items())
    assert {name.split(".")[-2] for name in learning_tensors(adapted)} == {LEARNING}


def test_pissa_learns_as_peft_s_own_does(tiny_base: Path, tmp_path: Path) -> None:
    """peft takes the strongest directions out of the base's weights; the function and its gradients are the same."""
    plain = LoraConfig(r=4, lora_alpha=8, target_modules=["q_proj", "down_proj"], init_lora_weights="pissa")
    theirs = get_peft_model(load_model(tiny_base, "fp32"), plain)
    loaded = base_of(tiny_base)
    ours = attach(loaded.model, PISSA, seed=1)
    by_name = dict(theirs.named_modules())
    for name, layer in lora_layers(ours):
        products = [found.lora_B[LEARNING].weight @ found.lora_A[LEARNING].weight for found in (layer, by_name[name])]
        torch.testing.assert_close(*products, atol=1e-5, rtol=1e-4)
    for model in (ours, theirs):
        train_a_little(model, rate=1e-3)
    torch.testing.assert_close(logits(ours), logits(theirs), atol=2e-3, rtol=0)

    save_adapter(ours, loaded.tokenizer, str(tiny_base), tmp_path)
    by_hand = AutoPeftModelForCausalLM.from_pretrained(str(tmp_path), dtype=torch.float32)
    torch.testing.assert_close(logits(by_hand), logits(ours), atol=2e-5, rtol=0)
    assert json.loads((tmp_path / ADAPTER_CONFIG).read_text())["init_lora_weights"] is True


def test_a_saved_pissa_adapter_is_as_small_as_what_was_learned(tiny_base: Path) -> None:
    """Its beginning and its end nearly cancel: as two halves a program in 16 bits would be left with their rounding."""
    model = attach(load_model(tiny_base, "fp32"), PISSA, seed=1)
    train_a_little(model, rate=1e-4)
    tensors, _ = joined(model)
    for name, layer in lora_layers(model):
        first, second = tensors[f"{name}.lora_A.weight"], tensors[f"{name}.lora_B.weight"]
        learned = second @ first
        rounded = second.bfloat16().float() @ first.bfloat16().float()
        assert float((rounded - learned).norm() / learned.norm()) < 0.01
        began = layer.lora_B[START].weight @ layer.lora_A[START].weight
        assert float(learned.norm() / began.norm()) < 0.1, "otherwise this would prove nothing"


def test_pissa_over_an_earlier_adapter(tiny_base: Path, tmp_path: Path) -> None:
    said = first_voice(tiny_base, tmp_path / "first")
    loaded = base_of(tiny_base)
    model = stack_on(loaded.model, tmp_path / "first", PISSA, seed=2)
    torch.testing.assert_close(logits(model), said, atol=1e-5, rtol=0)
    assert set(model.active_adapters) == {EARLIER, START, LEARNING}
    train_a_little(model)
    (tmp_path / "second").mkdir()
    save_adapter(model, loaded.tokenizer, str(tiny_base), tmp_path / "second")
    voice = load_voice(tmp_path / "second", "fp32")
    torch.testing.assert_close(logits(voice.model), logits(model), atol=5e-5, rtol=0)


def test_pissa_is_refused_on_what_is_no_linear_layer(tiny_base: Path) -> None:
    with pytest.raises(RecipeError, match="no linear layer"):
        attach(load_model(tiny_base, "fp32"), PISSA.model_copy(update={"targets": ["embed_tokens"]}), seed=1)


def test_a_rank_above_the_matrix_takes_all_directions_there_are(tiny_base: Path) -> None:
    wide = PISSA.model_copy(update={"rank": 40, "alpha": 40, "targets": ["v_proj"]})
    model = attach(load_model(tiny_base, "fp32"), wide, seed=1)
    for _, layer in lora_layers(model):
        whole = layer.lora_B[LEARNING].weight @ layer.lora_A[LEARNING].weight
        torch.testing.assert_close(whole, layer.get_base_layer().weight, atol=1e-5, rtol=1e-4)


def test_which_adapters_learn_can_be_set_again(tiny_base: Path, tmp_path: Path) -> None:
    """peft lets all active adapters learn when they are switched off and on."""
    first_voice(tiny_base, tmp_path)
    model = stack_on(base_of(tiny_base).model, tmp_path, Lora(rank=2), seed=2)
    learning = set(learning_tensors(model))
    with model.disable_adapter():
        pass
    use_together(model, [EARLIER])
    assert set(learning_tensors(model)) == learning


def test_a_pissa_voice_of_more_ranks_than_a_layer_is_wide_is_saved_as_what_it_is(
    tiny_base: Path, tmp_path: Path
) -> None:
    """The keys and values of this base have 16 outputs, its layers 32 and 64: both halves together have 24 ranks."""
    loaded = base_of(tiny_base)
    model = attach(loaded.model, Lora(rank=12, alpha=12, init="pissa", dropout=0.0), seed=1)
    train_a_little(model)
    trained = logits(model)
    save_adapter(model, loaded.tokenizer, str(tiny_base), tmp_path / "voice")
    torch.testing.assert_close(logits(load_voice(tmp_path / "voice", "fp32").model), trained, atol=2e-5, rtol=0)
