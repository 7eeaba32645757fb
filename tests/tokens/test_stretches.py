from __future__ import annotations

import pytest

from quire.books.book import Passage, Split
from quire.tokens.make import make_tokenizer
from quire.tokens.stretches import encode, join_passages, text_of
from quire.tokens.tokenizer import Tokenizer, load_tokenizer


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    folder = tmp_path_factory.mktemp("tokenizer")
    make_tokenizer(["a small text to learn from. " * 40], 300, folder)
    return load_tokenizer(folder)


def passage(
    text: str, book: int = 0, chapter: int = 0, split: Split = "train", part: int = 0, ends_work: bool = False
) -> Passage:
    return Passage(text, book, chapter, 0, len(text), split, part, ends_work)


CUT = [
    passage("One."),
    passage("Two."),
    passage("Three.", chapter=1),
    passage("Held.", chapter=1, split="test"),
    passage("Four.", chapter=1, ends_work=True),
    passage("Poem.", book=1, ends_work=True),
]


def test_neighbours_are_joined_as_they_stand_in_the_book() -> None:
    joined = [text_of(group) for group in join_passages(CUT, "train")]
    assert joined == ["One.\n\nTwo.\n\n\nThree.", "Four.", "Poem."]


def test_only_the_end_of_a_work_gets_the_end_of_text(tokenizer: Tokenizer) -> None:
    ends = [bool((s.ids == tokenizer.end_of_text).any()) for s in encode(CUT, tokenizer, "train")]
    assert ends == [False, True, True]
    assert [s.ids[-1] == tokenizer.end_of_text for s in encode(CUT, tokenizer, "train")] == ends


def test_held_out_text_is_in_no_training_stretch(tokenizer: Tokenizer) -> None:
    trained = "".join(tokenizer.decode(s.ids.tolist()) for s in encode(CUT, tokenizer, "train"))
    assert "Held" not in trained
    assert [tokenizer.decode(s.ids.tolist()) for s in encode(CUT, tokenizer, "test")] == ["Held."]


def test_parts_are_kept_apart(tokenizer: Tokenizer) -> None:
    cut = [passage("One."), passage("Two.", part=1)]
    assert [text_of(g) for g in join_passages(cut, "train", 0)] == ["One."]
    assert [text_of(g) for g in join_passages(cut, "train", 1)] == ["Two."]


def test_chunks_of_sentences_hold_the_whole_text(tokenizer: Tokenizer) -> None:
    cut = [passage("One is here. Two is there. Three is far. Four is near. Five ends.", ends_work=True)]
    chunks = [tokenizer.decode(s.ids.tolist()) for s in encode(cut, tokenizer, "train", sentences=2, language="en")]
    assert chunks == ["One is here. Two is there.", "Three is far. Four is near.", "Five ends."]
    assert [s.ends_work for s in encode(cut, tokenizer, "train", sentences=2)] == [False, False, True]
