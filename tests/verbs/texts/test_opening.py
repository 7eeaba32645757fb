"""What an earlier run has read: it is had, or it is said why not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

import quire
from quire.errors import RecipeError
from quire.recipe.load import load_recipe
from quire.verbs.texts.opening import open_texts
from toy import TINY_TRAINING, unheard, varied_book


def test_the_text_of_an_earlier_run_is_there_or_it_is_said_why_not(
    books: Path, tiny_base: Path, tmp_path: Path
) -> None:
    run = quire.train(books / "wide.md", base=str(tiny_base), run=tmp_path / "first", settings=TINY_TRAINING)

    def texts_of(earlier: Path, **train: object) -> str:
        given = {"from": str(earlier), "shelf": [str(books / "book.md")], "train": {"method": "inherit", **train}}
        return open_texts(load_recipe(given).recipe, tmp_path / "prepared", None, unheard).unwatched

    assert texts_of(run.path) == ""
    assert "without its run" in texts_of(Path(shutil.copytree(run.voice, tmp_path / "voice")))
    varied_book(books / "wide.md", seed=7)
    assert "is not what" in texts_of(run.path)
    (books / "wide.md").unlink()
    assert "cannot be read any more" in texts_of(run.path)
    with pytest.raises(RecipeError, match="replay: the text of"):
        texts_of(run.path, replay="10%")
