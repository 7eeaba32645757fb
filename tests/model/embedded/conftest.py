"""The base that ships inside Quire, as other programs find it: a folder.  No test here knows its size."""

from __future__ import annotations

import json
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast


@pytest.fixture(scope="session")
def embedded() -> Path:
    with as_file(files("quire") / "assets" / "embedded") as folder:
        return folder


@pytest.fixture(scope="session")
def config(embedded: Path) -> dict[str, Any]:
    return dict(json.loads((embedded / "config.json").read_text(encoding="utf-8")))


@pytest.fixture(scope="session")
def theirs(embedded: Path) -> PreTrainedTokenizerFast:
    """transformers' tokenizer."""
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(embedded)


@pytest.fixture(scope="session")
def model(embedded: Path) -> PreTrainedModel:
    """transformers' model, as the folder says it is.  Not to be changed."""
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(embedded).eval()
