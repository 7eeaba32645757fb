"""The base that ships inside Quire: small, plain, and with a card that says where it comes from."""

from __future__ import annotations

import re
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


@pytest.fixture(scope="module")
def card(embedded: Path) -> str:
    return (embedded / "README.md").read_text(encoding="utf-8")


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


def test_the_card_says_what_it_was_made_from(card: str) -> None:
    for source in ("ELTeC", "CC BY 4.0"):
        assert source in card
    assert re.search(r"licen[cs]e", card, re.IGNORECASE)


def test_the_card_counts_its_weights_rightly(card: str, embedded: Path) -> None:
    with safe_open(embedded / "model.safetensors", "pt") as weights:
        names = list(weights.keys())
        count = sum(weights.get_tensor(name).numel() for name in names)
    assert f"{count:,}" in card


def test_the_card_says_how_long_it_learned(card: str) -> None:
    seen = re.search(r"text seen \| ([\d,]+) tokens", card)
    course = re.search(r"([\d,]+) steps of (\d+) × ([\d,]+) tokens", card)
    assert seen is not None
    assert course is not None
    steps, rows, window = (number(text) for text in course.groups())
    assert number(seen[1]) == steps * rows * window


def test_the_card_says_how_good_it_is_beside_a_compressor(card: str) -> None:
    assert "Bits per byte" in card
    for language in ("English", "French"):
        row = re.search(rf"\*\*{language}\*\* \| \**([\d.]+)\** \| ([\d.]+) \|", card)
        assert row is not None, language
        assert 1 < float(row[1]) < float(row[2]) < 3


def number(text: str) -> int:
    return int(text.replace(",", ""))
