"""What is held out in any stage is learned in none."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from corpora import other_edition, words_of, works, write_novel, write_tables
from quire.books.book import Passage, Shelf
from quire.books.copies.held_out import RunIndex, word_numbers
from quire.recipe.load import load_recipe
from quire.recipe.schema import Recipe
from quire.tokens.tokenizer import Tokenizer
from quire.verbs.texts.library import HASHES, Library, corpus_hash, open_library
from quire.verbs.texts.material import Material, gather
from quire.verbs.texts.prepare import StageData, prepare_stage


def recipe_of(*stages: dict[str, object], **top: object) -> Recipe:
    given = [{"window": 64, "method": "full", **stage} for stage in stages]
    return load_recipe({"base": "embedded", "stages": given, **top}).recipe


def held(material: Material) -> list[Passage]:
    return [p for p in material.passages if p.split in ("validation", "test")]


def text_of(material: Material, split: str) -> str:
    return "\n".join(p.text for p in material.passages if p.split == split)


def learned_text(data: StageData) -> str:
    """Everything that any row of the stage may teach."""
    return "\n".join(data.tokenizer.decode(s.ids.tolist()) for rows in data.rows for s in rows.stretches)


def shares_no_paragraph(learned: str, material: Material) -> bool:
    """Whether no held-out passage has more than a phrase in common with what is learned."""
    index = RunIndex([p.text for p in held(material)])
    return index.find(word_numbers(learned)) == []


def test_stages_that_name_a_book_hold_out_the_same_of_it_whatever_their_parts(novel: Path) -> None:
    shelf = [{"path": str(novel)}]
    recipe = recipe_of(
        {"name": "a", "shelf": shelf, "parts": 3},
        {"name": "b", "shelf": shelf},
        {"name": "c", "shelf": shelf, "parts": 2},
    )
    library = open_library(recipe)
    texts = [sorted(p.text for p in held(library.material(number))) for number in range(3)]
    assert texts[0] == texts[1] == texts[2]
    assert [len({p.part for p in library.material(n).passages}) for n in range(3)] == [3, 1, 2]
    for number, parts in ((0, 3), (2, 2)):
        validated = {p.part for p in library.material(number).passages if p.split == "validation"}
        assert validated == set(range(parts)), "each part has validation text of its own"


def test_a_source_is_looked_through_once_for_all_stages_and_for_another_recipe(
    novel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write_novel(tmp_path / "other.md", 5)
    recipe = recipe_of(
        {"name": "one", "shelf": [{"path": str(novel)}]},
        {"name": "two", "shelf": [{"path": str(novel)}, {"path": str(other)}]},
    )
    looked: list[str] = []

    def looking(shelf: Shelf, passages: Sequence[Passage], held: RunIndex) -> list[Passage]:
        looked.append(shelf.books[0].title)
        return list(passages)

    monkeypatch.setattr("quire.verbs.texts.library._left_out", looking)
    library = open_library(recipe)
    library.material(1)
    library.material(0)
    library.for_recipe(recipe).material(1)
    assert len(looked) == len(set(looked)) == len(library.groups) == 2


def test_one_stage_alone_is_cut_as_ever(novel: Path) -> None:
    recipe = load_recipe({"shelf": [{"path": str(novel)}]}, {"train.window": 64, "train.parts": 2}).recipe
    assert open_library(recipe).material(0).passages == gather(recipe).passages


def test_a_library_that_holds_the_later_book_does_not_learn_what_is_held_out_of_it(novel: Path, tmp_path: Path) -> None:
    """Another file, another edition: every tenth word is spelt otherwise."""
    folder = tmp_path / "library"
    folder.mkdir()
    for number in range(8):
        write_novel(folder / f"other-{number}.md", seed=20 + number, chapters=3)
    text = novel.read_text(encoding="utf-8")
    body = "\n\n".join(line for line in text.split("\n\n") if not line.startswith("#"))
    (folder / "copy.txt").write_text(other_edition(body), encoding="utf-8")
    recipe = recipe_of(
        {"name": "wide", "shelf": [{"path": str(folder)}]}, {"name": "book", "shelf": [{"path": str(novel)}]}
    )
    library = open_library(recipe)
    wide, book = library.material(0), library.material(1)
    assert shares_no_paragraph(text_of(wide, "train"), book)
    assert shares_no_paragraph(text_of(book, "train"), wide)
    left = wide.words("left") / sum(len(p.text.split()) for p in held(book))
    assert 0.8 < left < 1.3, "no more is left out than what is held out"
    assert sum(wide.words(split) for split in ("train", "validation", "test", "left")) == wide.shelf.words


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, novel: Path) -> str:
    """A corpus with the whole novel, a chapter of it, and another edition of half of it."""
    text = novel.read_text(encoding="utf-8")
    chapters = text.split("## ")
    paragraphs = [line for line in text.split("\n\n") if not line.startswith("#")]
    copies = [text, chapters[5], other_edition("\n\n".join(paragraphs[: len(paragraphs) // 2]))]
    every = works(7, 240)
    every[30:30], every[100:100], every[200:200] = [copies[0]], [copies[1]], [copies[2]]
    return write_tables(tmp_path_factory.mktemp("corpus"), every)


def curriculum(corpus: str, novel: Path, **wide: object) -> Recipe:
    stream = [{"path": corpus, "stream": True, "test": 0.1, "validation": 0.1}]
    return recipe_of({"name": "wide", "shelf": stream, **wide}, {"name": "book", "shelf": [{"path": str(novel)}]})


def test_a_stream_that_holds_the_later_book_does_not_learn_what_is_held_out_of_it(
    corpus: str, novel: Path, tokenizer: Tokenizer, tmp_path: Path
) -> None:
    recipe = curriculum(corpus, novel)
    said: list[str] = []
    wide = prepare_stage(recipe, 0, tokenizer, tmp_path, tell=said.append)
    book = prepare_stage(recipe, recipe.curriculum[1], tokenizer, tmp_path)
    assert shares_no_paragraph(learned_text(wide), book.material)
    assert shares_no_paragraph(learned_text(book), wide.material), "nor what is held out of the stream in the book"
    assert shares_no_paragraph(learned_text(wide), wide.material)
    vocabulary = set(words_of(1))
    copied = [word for word in learned_text(wide).lower().split() if word.strip(".") in vocabulary]
    assert len(copied) > 500, "the rest of the book is learned: it is not held out"
    assert any("left out that stand in the held-out text of the recipe" in line for line in said)


def test_two_streams_with_the_same_works_hold_out_the_same_whatever_their_shares(
    tokenizer: Tokenizer, tmp_path: Path
) -> None:
    texts = works(9, 150)
    one = write_tables(tmp_path / "one", texts)
    two = write_tables(tmp_path / "two", list(reversed(texts)), tables=2)
    recipe = recipe_of(
        {"name": "a", "shelf": [{"path": one, "stream": True, "test": 0.3, "validation": 0.1}]},
        {"name": "b", "shelf": [{"path": two, "stream": True, "test": 0.05, "validation": 0.2}]},
    )
    data = [prepare_stage(recipe, number, tokenizer, tmp_path / "home") for number in (1, 0)]
    for one_stage in data:
        for other in data:
            assert shares_no_paragraph(learned_text(one_stage), other.material)


def test_an_earlier_runs_held_out_text_is_not_learned_and_what_it_learned_is_told(novel: Path, tmp_path: Path) -> None:
    earlier = load_recipe({"shelf": [{"path": str(novel), "test": 0.05}]}, {"train.window": 64}).recipe
    now = load_recipe({"shelf": [{"path": str(novel), "test": 0.4}]}, {"train.window": 64}).recipe
    before = open_library(earlier)
    library = open_library(now, earlier=before)
    assert shares_no_paragraph(text_of(library.material(0), "train"), before.material(0))
    assert any("were learned by" in leak for leak in library.material(0).leaks)
    assert open_library(now).material(0).leaks == ()


def test_a_sample_is_taken_once_and_again_where_it_is_damaged(corpus: str, novel: Path, tmp_path: Path) -> None:
    recipe = curriculum(corpus, novel)
    scanned: list[int] = []
    said: list[str] = []

    def opened() -> Library:
        scanned.clear()
        return open_library(recipe, tmp_path, tell=said.append, scan=lambda: scanned.append(1))

    first = opened()
    assert scanned
    assert opened().streams[0].sample == first.streams[0].sample
    assert not scanned
    (folder,) = tmp_path.glob("sample-*/")
    file = folder / "works.jsonl"
    file.write_bytes(file.read_bytes()[:-40])
    assert opened().streams[0].sample == first.streams[0].sample
    assert scanned
    assert any("it is taken again" in line for line in said)


def test_a_plan_looks_into_a_stream_and_keeps_nothing(corpus: str, novel: Path, tmp_path: Path) -> None:
    library = open_library(curriculum(corpus, novel), tmp_path / "none", patience=1.0)
    assert library.material(0).passages
    assert not (tmp_path / "none").exists()


def test_text_for_a_new_tokenizer_comes_out_of_the_stream_and_holds_nothing_held_out(corpus: str, novel: Path) -> None:
    library = open_library(curriculum(corpus, novel))
    texts = "\n".join(library.training_texts(0, most=60_000))
    assert len(texts) > 60_000
    assert shares_no_paragraph(texts, library.material(0))
    assert shares_no_paragraph(texts, library.material(1))


def test_files_that_were_not_touched_are_not_hashed_again(corpus: str, novel: Path, tmp_path: Path) -> None:
    library = open_library(curriculum(corpus, novel), tmp_path)
    source = library.streams[0]
    assert corpus_hash(source.corpus, None) == source.hash
    known = (tmp_path / HASHES).read_text(encoding="utf-8")
    (tmp_path / HASHES).write_text(known.replace('"', '"', 1), encoding="utf-8")
    assert corpus_hash(source.corpus, tmp_path) == source.hash
    table = Path(source.corpus.shards[0].name)
    table.write_text(table.read_text(encoding="utf-8") + '{"text": "One more."}\n', encoding="utf-8")
    assert corpus_hash(source.corpus, tmp_path) != source.hash
