"""What fuzzing begins with is healthy: each seed is read, with its words."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz.seeds import FAMILY, PROSE, WORDS, seeds

from quire.books.limits import PLAIN
from quire.books.readers import KINDS
from quire.books.readers import load as load_reader


def test_every_target_has_seeds_and_words() -> None:
    assert seeds().keys() == FAMILY.keys()
    assert set(FAMILY.values()) == set(WORDS)
    assert set(KINDS) <= set(FAMILY)


@pytest.mark.parametrize("kind", KINDS)
def test_seeds_are_books(tmp_path: Path, kind: str) -> None:
    path = tmp_path / ("a.xml" if kind == "tei" else f"a.{kind}")
    path.write_bytes(seeds()[kind][0])
    read = load_reader(next(known for known in KINDS if known == kind))
    text = " ".join(" ".join(book.text.split()) for book in read(path, PLAIN))
    assert PROSE[0][:60] in text
