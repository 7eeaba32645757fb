from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from quire.model.base import count_parameters, load_base
from quire.model.fresh import make_base
from quire.planner.bases import find_base
from quire.recipe.fresh import Fresh
from quire.run.atomic import hash_file

SHAPE = Fresh(hidden=16, layers=2, heads=4, key_value_heads=2, intermediate=24, positions=64, vocabulary=300)
TEXTS = ["The ferryman opened the door and looked at the water.", "— Eh bien, dit-il, où donc est la rivière ?"]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fresh")
    make_base(SHAPE, TEXTS, folder, seed=7)
    return folder


def test_it_has_the_shape_that_was_asked_for(made: Path) -> None:
    base = load_base(find_base(str(made)), "fp32")
    layer = 2 * 16 * 16 + 2 * 16 * 8 + 3 * 16 * 24 + 2 * 16
    assert count_parameters(base.model) == (300 * 16 + 2 * layer + 16,) * 2
    config = json.loads((made / "config.json").read_text())
    assert config["model_type"] == "llama"
    assert config["max_position_embeddings"] == 64
    assert config["eos_token_id"] == base.tokenizer.end_of_text
    assert config["bos_token_id"] == base.tokenizer.start


def test_it_begins_by_knowing_nothing(made: Path) -> None:
    """Every token equally likely, nearly: the loss of a text is the logarithm of the vocabulary."""
    base = load_base(find_base(str(made)), "fp32")
    ids = torch.tensor([base.tokenizer.encode(TEXTS[0] * 3)[:60]])
    with torch.no_grad():
        assert float(base.model(ids, labels=ids).loss) == pytest.approx(math.log(300), abs=0.05)


def test_it_reads_and_gives_back_every_text(made: Path) -> None:
    tokenizer = load_base(find_base(str(made)), "fp32").tokenizer
    for text in (*TEXTS, "雪 \t🦉\n\n<|end|>"):
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_the_same_seed_makes_the_same_files_and_leaves_other_draws_alone(made: Path, tmp_path: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    for name, seed in (("again", 7), ("other", 8)):
        (tmp_path / name).mkdir()
        make_base(SHAPE, TEXTS, tmp_path / name, seed)
    assert torch.equal(torch.rand(2), expected)
    for file in ("model.safetensors", "tokenizer.json", "config.json"):
        assert hash_file(tmp_path / "again" / file) == hash_file(made / file)
    assert hash_file(tmp_path / "other" / "model.safetensors") != hash_file(made / "model.safetensors")


def test_layers_start_smaller_the_more_there_are(tmp_path: Path) -> None:
    for layers in (2, 8):
        (tmp_path / str(layers)).mkdir()
        make_base(SHAPE.model_copy(update={"layers": layers, "hidden": 64}), TEXTS, tmp_path / str(layers), seed=7)
    few, many = (load_base(find_base(str(tmp_path / str(n))), "fp32").model for n in (2, 8))
    ratio = few.model.layers[0].mlp.down_proj.weight.std() / many.model.layers[0].mlp.down_proj.weight.std()
    assert ratio.item() == pytest.approx(2, rel=0.1)
    assert many.model.layers[0].mlp.up_proj.weight.std().item() == pytest.approx(0.02, rel=0.1)


def test_plain_transformers_loads_it(made: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(made)
    tokenizer = AutoTokenizer.from_pretrained(made)
    ids = tokenizer("The door", return_tensors="pt").input_ids
    assert ids[0, 0] == model.config.bos_token_id
    assert model.generate(ids, max_new_tokens=3, do_sample=False).shape[1] > ids.shape[1]
