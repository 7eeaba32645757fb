from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import PeftModel

from quire.errors import RecipeError
from quire.planner.bases import find_base
from quire.training.learner import make_learner
from quire.training.optimizer import trainable
from quire.training.start import Start
from toy import digest, toy_settings


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
