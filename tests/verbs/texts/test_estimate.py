from __future__ import annotations

from pathlib import Path

import pytest

from corpora import works, write_novel, write_tables
from quire.recipe.load import load_recipe
from quire.recipe.schema import Recipe
from quire.tokens.tokenizer import Tokenizer, load_tokenizer
from quire.verbs.texts.estimate import estimate_stage, reckon_books
from quire.verbs.texts.library import open_library
from quire.verbs.texts.prepare import prepare_stage


@pytest.fixture(scope="module")
def tokenizer(tiny_base: Path) -> Tokenizer:
    return load_tokenizer(tiny_base)


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    folder = tmp_path_factory.mktemp("sources")
    return write_tables(folder / "corpus", works(5, 120), tables=2), write_novel(folder / "novel.md", seed=1)


def recipe_of(sources: tuple[str, Path], **settings: object) -> Recipe:
    corpus, novel = sources
    stream = {"path": corpus, "stream": True, "validation": 0.1, "test": 0.1}
    stages = [
        {"name": "wide", "shelf": [stream], "window": 64, **settings},
        {"name": "book", "window": 64, "stride": 32},
    ]
    return load_recipe({"base": "embedded", "shelf": [{"path": str(novel)}], "stages": stages}).recipe


def test_a_stream_that_is_seen_whole_is_reckoned_as_it_is_prepared(
    sources: tuple[str, Path], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    recipe = recipe_of(sources)
    _, facts = estimate_stage(recipe, 0, tokenizer, seconds=20)
    made = prepare_stage(recipe, 0, tokenizer, tmp_path).facts
    assert not facts.counted
    assert facts.words == pytest.approx(made.words, rel=0.15)
    assert facts.tokens_per_epoch[0] == pytest.approx(made.tokens_per_epoch[0], rel=0.15)
    assert facts.rows_per_epoch[0] == pytest.approx(made.rows_per_epoch[0], rel=0.15)
    assert facts.computed_per_epoch[0] == pytest.approx(made.computed_per_epoch[0], rel=0.15)


def test_windows_that_are_asked_for_are_known_without_reading(sources: tuple[str, Path], tokenizer: Tokenizer) -> None:
    recipe = recipe_of(sources, samples=50, parts=2)
    _, facts = estimate_stage(recipe, 0, tokenizer, seconds=2)
    assert facts.rows_per_epoch == (50, 50)
    assert facts.tokens_per_epoch == (50 * 64, 50 * 64)


def test_books_are_counted_exactly_and_without_a_tokenizer_reckoned(
    sources: tuple[str, Path], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    recipe = recipe_of(sources)
    material, facts = estimate_stage(recipe, 1, tokenizer, seconds=1)
    assert facts == prepare_stage(recipe, 1, tokenizer, tmp_path).facts
    assert facts.counted
    reckoned = reckon_books(material)
    assert not reckoned.counted
    assert reckoned.words == facts.words
    assert reckoned.works == facts.works == 1
    assert estimate_stage(recipe, 1, None, seconds=1)[1] == reckoned


def test_what_is_replayed_makes_an_epoch_longer_as_it_does_when_it_is_prepared(
    sources: tuple[str, Path], tokenizer: Tokenizer, tmp_path: Path
) -> None:
    other = write_novel(tmp_path / "other.md", seed=2, chapters=10)
    earlier = load_recipe({"shelf": [{"path": str(other)}]}, {"train.window": 64}).recipe
    given = {"shelf": [{"path": str(sources[1])}], "from": "runs/first"}
    now = load_recipe(given, {"train.window": 64, "train.replay": "50%"}).recipe
    _, facts = estimate_stage(now, 0, tokenizer, open_library(now, earlier=open_library(earlier)))
    made = prepare_stage(now, 0, tokenizer, tmp_path / "home", earlier=earlier).facts
    assert facts.rows_per_epoch == pytest.approx(made.rows_per_epoch, abs=1)
    assert facts.tokens_per_epoch == pytest.approx(made.tokens_per_epoch, rel=0.02)
    assert facts.computed_per_epoch == pytest.approx(made.computed_per_epoch, rel=0.02)
