"""What the tests of a stage's texts read."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpora import write_novel
from quire.tokens.tokenizer import Tokenizer, load_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tiny_base: Path) -> Tokenizer:
    return load_tokenizer(tiny_base)


@pytest.fixture(scope="module")
def novel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_novel(tmp_path_factory.mktemp("novel") / "novel.md", seed=1)
