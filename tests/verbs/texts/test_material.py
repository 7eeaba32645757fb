from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

import quire
from quire.books.book import Shelf
from quire.errors import BookError, RecipeError
from quire.planner.schedule import BatchChoice
from quire.recipe.load import load_recipe
from quire.recipe.schema import Recipe
from quire.run.atomic import hash_file
from quire.tokens.stream import Stream
from quire.tokens.stretches import encode
from quire.tokens.tokenizer import Tokenizer, load_tokenizer
from quire.verbs.texts.material import account, cut_shelf, gather, main_language, rows_of
from toy import toy_book

CHOICE = BatchChoice(1, 2, "for tests")


@pytest.fixture(scope="module")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_book(tmp_path_factory.mktemp("books") / "river.md", chapters=12)


@pytest.fixture(scope="module")
def tokenizer(tiny_base: Path) -> Tokenizer:
    return load_tokenizer(tiny_base)


def recipe_for(*paths: Path, **settings: object) -> Recipe:
    given = {"train.window": 64} | {key.replace("__", "."): value for key, value in settings.items()}
    return load_recipe({"shelf": [{"path": str(path)} for path in paths]}, given).recipe


WAYS = [
    {},
    {"train__pack": False},
    {"train__stride": 40},
    {"train__stride": 16, "train__overlap": "context"},
    {"train__parts": 3},
    {"train__steps": 2},
    {"train__epochs": 0.3},
]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_every_word_and_token_of_the_book_is_accounted_for(
    way: dict[str, object], book: Path, tokenizer: Tokenizer
) -> None:
    material = gather(recipe_for(book, **way))
    parts = range(material.recipe.train.parts)
    rows = [rows_of(material, tokenizer, "train", part) for part in parts]
    ledger = account(material, tokenizer, rows, CHOICE)
    dropped = sum(len(drop.text.split()) for one in material.shelf for drop in one.dropped)
    assert ledger.read_words == material.shelf.words + dropped == len(book.read_text().split()) - ledger_marks(book)
    text = [stretch for part in parts for stretch in encode(material.passages, tokenizer, "train", part)]
    held_out = [s for split in ("validation", "test") for s in encode(material.passages, tokenizer, split)]
    whole = sum(len(stretch.ids) for stretch in (*text, *held_out))
    assert ledger.read_tokens - ledger.tokens["dropped"] == whole
    assert all(count >= 0 for count in ledger.tokens.values())
    short = "train__steps" in way or "train__epochs" in way
    assert (ledger.tokens["not reached"] > 0) == short
    assert all(count >= 0 for count in ledger.words.values())
    for name in ("trained", "context only", "not reached"):
        share = ledger.words[name] / material.words("train")
        assert share == pytest.approx(ledger.tokens[name] / sum(len(s.ids) for s in text), abs=0.03)


def test_a_word_goes_where_its_first_token_goes(book: Path, tokenizer: Tokenizer) -> None:
    material = gather(recipe_for(book, train__steps=2))
    rows = rows_of(material, tokenizer, "train", 0)
    choice = BatchChoice(1, 2, "for tests")
    reached = rows.learned(set(Stream(len(rows), material.recipe.seed, 0).take(4)))
    begun = 0
    for stretch, seen in zip(rows.stretches, reached, strict=True):
        before = ""
        for at, token in enumerate(stretch.ids):
            text = tokenizer.decode([int(token)])
            starts = [n for n, sign in enumerate(text) if not sign.isspace() and (before + text[:n])[-1:].strip() == ""]
            begun += len(starts) * int(seen[at])
            before += text
    assert account(material, tokenizer, [rows], choice).words["trained"] == begun > 0


def ledger_marks(book: Path) -> int:
    """Markdown's signs, which are no words of the book."""
    return sum(word in ("#", "##") for word in book.read_text().split())


def test_a_held_out_token_is_measured_once_whatever_the_stride(book: Path, tokenizer: Tokenizer) -> None:
    material = gather(recipe_for(book, train__stride=16))
    rows = rows_of(material, tokenizer, "validation", 0)
    count = rows.count()
    assert count.targets == count.trained
    held_out = sum(len(s.ids) - 1 for s in rows.stretches)
    assert count.trained == held_out, "all but the first token of a stretch, which has nothing before it"


def test_parts_share_the_training_text_without_overlap(book: Path, tokenizer: Tokenizer) -> None:
    whole = gather(recipe_for(book, train__parts=3))
    words = [
        sum(len(p.text.split()) for p in whole.passages if p.part == part and p.split == "train") for part in range(3)
    ]
    assert sum(words) == whole.words("train")
    assert min(words) > 0
    assert all(len(rows_of(whole, tokenizer, "validation", part)) > 0 for part in range(3))


def test_chunks_are_so_many_sentences(book: Path, tokenizer: Tokenizer) -> None:
    material = gather(recipe_for(book, train__chunk__sentences=2))
    rows = rows_of(material, tokenizer, "train", 0)
    first = tokenizer.decode([int(i) for i in rows.stretches[1].ids])
    assert 1 <= first.count(".") <= 3


def test_hashes_are_of_the_files_that_were_read(book: Path, tmp_path: Path) -> None:
    other = toy_book(tmp_path / "other.md", chapters=9)
    assert gather(recipe_for(book, other)).hashes() == {str(book): hash_file(book), str(other): hash_file(other)}


def test_works_that_have_been_read_are_not_read_again(book: Path) -> None:
    read = quire.read(book)
    assert cut_shelf(recipe_for(book), read) == gather(recipe_for(book))


def test_the_language_is_that_of_most_words_unless_said(book: Path) -> None:
    assert gather(recipe_for(book)).language == main_language(quire.read(book)) == "en"
    assert gather(recipe_for(book, language="fr")).language == "fr"


def test_nothing_to_read_is_refused_and_sources_hold_out_their_own_shares(book: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(BookError, match="empty"):
        gather(recipe_for(tmp_path / "empty"))
    other = toy_book(tmp_path / "other.md", chapters=12)
    other.write_text(other.read_text().replace("the ", "a ").replace("we ", "they ").replace("river", "road"))
    shelf = [{"path": str(book), "test": 0.0}, {"path": str(other), "test": 0.4}]
    material = gather(load_recipe({"shelf": shelf}).recipe)
    tested = {
        number: sum(len(p.text.split()) for p in material.passages if p.book == number and p.split == "test")
        for number in (0, 1)
    }
    assert tested[0] == 0
    assert tested[1] > 0.25 * material.shelf.books[1].words


def test_without_validation_text_there_is_no_training(book: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"no text is held out for validation \(validation: 0%\)") as caught:
        gather(recipe_for(book, shelf__0__validation=0))
    assert gather(recipe_for(book, shelf__0__validation="5%")).words("validation") > 0
    assert "--set shelf.0.validation=5%" in caught.value.then


def test_validation_text_of_the_data_set_itself_is_enough(book: Path, tmp_path: Path) -> None:
    held_out = quire.read(toy_book(tmp_path / "held-out.md", chapters=9)).books[0]
    shelf = Shelf((*quire.read(book).books, replace(held_out, split="validation")))
    material = cut_shelf(recipe_for(book, shelf__0__validation=0, shelf__0__test=0), shelf)
    assert material.words("validation") == held_out.words
