from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

from loopback_hub import LoopbackHub, point_client, serve_hub
from quire.errors import BaseModelError
from quire.model.base import count_parameters, load_base, load_model, window_limit
from quire.planner.bases import find_base
from tiny import FAMILIES, WINDOW, build_model
from toy import random_ids

NAME = "someone/a-base"


@pytest.fixture
def base(tiny_base: Path, tmp_path: Path) -> Path:
    """A copy of the tiny base that may be damaged."""
    return Path(shutil.copytree(tiny_base, tmp_path / "base"))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_base_is_loaded_as_its_files_say(
    family: str, tiny_bases: dict[str, Path], tiny_tokenizer: PreTrainedTokenizerFast
) -> None:
    loaded = load_base(find_base(str(tiny_bases[family])), "fp32")
    ids = random_ids(20)
    with torch.no_grad():
        expected = build_model(family, tiny_tokenizer)(ids).logits
        assert torch.equal(loaded.model(ids).logits, expected)
    assert loaded.tokenizer.end_of_text == tiny_tokenizer.eos_token_id
    assert window_limit(loaded.model) == WINDOW
    assert not loaded.model.training


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_weights_come_in_the_precision_asked_for(tiny_base: Path, precision: str, dtype: torch.dtype) -> None:
    model = load_model(tiny_base, precision)
    assert {p.dtype for p in model.parameters()} == {dtype}


def test_shared_weights_count_once(tiny_model: PreTrainedModel) -> None:
    """Tied embeddings 384 × 32; two layers of q, o 32², k, v 32·16, three of 32·64, two norms; one norm at the end."""
    layer = 2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 64 + 2 * 32
    total = 384 * 32 + 2 * layer + 32
    assert count_parameters(tiny_model) == (total, total)
    tiny_model.requires_grad_(False)
    assert count_parameters(tiny_model) == (0, total)


def test_a_base_with_code_of_its_own_is_refused(base: Path) -> None:
    config = json.loads((base / "config.json").read_text())
    (base / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModelForCausalLM": "evil.Model"}}))
    (base / "evil.py").write_text("raise SystemExit('run')")
    with pytest.raises(BaseModelError, match="code of its own"):
        load_model(base, "fp32")


def test_a_pickle_beside_nothing_is_not_opened(base: Path) -> None:
    (base / "model.safetensors").rename(base / "pytorch_model.bin")
    with pytest.raises(BaseModelError, match="cannot be loaded"):
        load_model(base, "fp32")


@pytest.mark.parametrize("damage", ["torn", "empty", "unknown kind", "no config", "config no json", "no tensor"])
def test_a_damaged_base_is_named(base: Path, damage: str) -> None:
    weights, config = base / "model.safetensors", base / "config.json"
    match damage:
        case "torn":
            weights.write_bytes(weights.read_bytes()[:-50])
        case "empty":
            weights.write_bytes(b"")
        case "unknown kind":
            config.write_text(json.dumps({"model_type": "perceptron"}))
        case "no config":
            config.unlink()
        case "config no json":
            config.write_text("{")
        case "no tensor":
            from safetensors.torch import load_file, save_file

            tensors = load_file(weights)
            tensors.pop("model.norm.weight")
            save_file(tensors, weights, metadata={"format": "pt"})
    with pytest.raises(BaseModelError, match=str(base)) as caught:
        load_model(base, "fp32")
    assert caught.value.then


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackHub]:
    with serve_hub() as served:
        point_client(monkeypatch, served.url, tmp_path / "cache")
        yield served


def test_a_hub_base_is_fetched_loaded_and_loaded_again_without_the_hub(hub: LoopbackHub, tiny_base: Path) -> None:
    hub.repos[NAME] = tiny_base
    first = load_base(find_base(NAME, download=True), "fp32")
    hub.repos.clear()
    hub.fetched.clear()
    again = load_base(find_base(NAME), "fp32")
    assert hub.fetched == []
    assert first.files == again.files
    by_hand = AutoModelForCausalLM.from_pretrained(tiny_base)
    with torch.no_grad():
        assert torch.equal(again.model(random_ids(9)).logits, by_hand(random_ids(9)).logits)
