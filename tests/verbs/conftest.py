"""What the tests of several verbs read."""

from __future__ import annotations

from pathlib import Path

import pytest

from toy import varied_book


@pytest.fixture
def books(tmp_path: Path) -> Path:
    """Two novels that differ: `wide.md` and `book.md`."""
    folder = tmp_path / "books"
    folder.mkdir()
    varied_book(folder / "wide.md", seed=1)
    varied_book(folder / "book.md", seed=2)
    return folder
