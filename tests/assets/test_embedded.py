"""The base that ships inside Quire: small and plain."""

from __future__ import annotations

import subprocess
import sys
from importlib.resources import as_file, files
from pathlib import Path

import pytest
from safetensors import safe_open

from quire.planner.bases import find_base

MOST_BYTES = 20 * 2**20

PLAIN = """
import sys, warnings
warnings.simplefilter("error")
from transformers import AutoModelForCausalLM, AutoTokenizer
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
text = "The sea — « là-bas » — said nothing."
assert tokenizer.decode(tokenizer(text, add_special_tokens=False).input_ids) == text
ids = tokenizer(text, return_tensors="pt").input_ids
out = model.generate(ids, attention_mask=ids * 0 + 1, max_new_tokens=4, do_sample=False)
print(sum(p.numel() for p in model.parameters()), out.shape[1] - ids.shape[1])
"""


@pytest.fixture(scope="module")
def embedded() -> Path:
    with as_file(files("quire") / "assets" / "embedded") as folder:
        return folder


def test_the_weights_are_small_enough_to_ship(embedded: Path) -> None:
    assert (embedded / "model.safetensors").stat().st_size <= MOST_BYTES
    assert sum(file.stat().st_size for file in embedded.iterdir()) <= MOST_BYTES


def test_no_weight_is_broken(embedded: Path) -> None:
    with safe_open(embedded / "model.safetensors", "pt") as weights:
        names = list(weights.keys())
        assert len(names) > 10
        for name in names:
            tensor = weights.get_tensor(name).float()
            assert tensor.isfinite().all(), name
            assert tensor.std() > 0, name


def test_plain_transformers_loads_it_in_silence(embedded: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PLAIN, str(embedded)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    parameters, written = map(int, done.stdout.split())
    assert 5_000_000 <= parameters <= 8_000_000
    assert 1 <= written <= 4
    told = [line for line in done.stderr.splitlines() if "Loading weights" not in line and line.strip()]
    assert told == []


def test_quire_finds_it_by_its_name(embedded: Path) -> None:
    found = find_base("embedded")
    assert found.kind == "embedded"
    assert found.path == embedded
