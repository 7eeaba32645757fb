"""No end of a work is lost, by whatever road its text comes and wherever windows happen to be cut."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import chats
from corpora import works, write_tables
from quire.books.book import Block, Book, BookKind, Chapter, Passage, Place, Shelf
from quire.books.copies.held_out import RunIndex
from quire.books.split import cut
from quire.books.streams.corpus import open_corpus
from quire.prompts.conversation import Conversation, Turn
from quire.recipe.schema import ShelfItem, TrainSettings
from quire.tokens.make import make_tokenizer
from quire.tokens.rows import IGNORED, Rows, join_rows, make_rows
from quire.tokens.shards import Job, load_corpus, prepare_corpus
from quire.tokens.stretches import encode
from quire.tokens.tokenizer import Tokenizer, load_tokenizer

AROUND = {"just before the end": -1, "at the end": 0, "one after the end": 1}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    """The embedded base's kind: a begin token before every text, end-of-text that ends answers too."""
    folder = tmp_path_factory.mktemp("tokenizer")
    make_tokenizer(["The ferryman looked at the water.\n\nHe said nothing.\n" * 30], 330, folder)
    return load_tokenizer(folder)


def block(text: str, number: int, kind: str = "paragraph") -> Block:
    return Block(kind, text, Place("a.md", "line", number))  # type: ignore[arg-type]


def book(name: str, chapters: Sequence[Sequence[str]], kind: BookKind = "prose") -> Book:
    verse = "verse" if kind == "poems" else "paragraph"
    said = [
        Chapter(f"Chapter {n}", tuple(block(text, at, verse) for at, text in enumerate(texts)))
        for n, texts in enumerate(chapters)
    ]
    return Book(path=f"{name}.md", title=name, author="", language="en", chapters=tuple(said), kind=kind)


def passage(text: str, number: int) -> Passage:
    return Passage(text, number, 0, 0, len(text), "train", 0, ends_work=True)


def ends_learned(rows: Rows, end: int) -> list[tuple[int, int]]:
    """For every target that is end-of-text: the token before it, and its place in its segment."""
    found = []
    for index in range(len(rows)):
        row = rows.arrays(index)
        for at, target in enumerate(row.targets.tolist()):
            if target == end:
                found.append((int(row.inputs[at]), int(row.positions[at])))
    return found


@pytest.mark.parametrize("started", [True, False], ids=["begin token", "none"])
@pytest.mark.parametrize("pack", [True, False], ids=["packed", "apart"])
@pytest.mark.parametrize("place", AROUND)
def test_a_window_that_is_cut_around_the_end_of_a_work_keeps_it(
    tokenizer: Tokenizer, place: str, pack: bool, started: bool
) -> None:
    """Two works of pretraining, rows cut by the first one's length: its end-of-text is the last target of the first
    row, alone at the head of the second, or followed by the next work's beginning."""
    first, second = (passage(text, n) for n, text in enumerate(("The ferryman looked. " * 4, "He said nothing. " * 9)))
    stretches = encode([first, second], tokenizer, "train")
    start = tokenizer.start if started else None
    targets = len(stretches[0].ids) - (0 if started else 1)
    rows = make_rows(stretches, TrainSettings(window=targets + AROUND[place], pack=pack), start)
    ends = ends_learned(rows, tokenizer.end_of_text)
    assert len(ends) == 2
    assert rows.ends_not_learned().tolist() == []
    row = rows.arrays(0).targets.tolist()
    if place == "just before the end":
        assert tokenizer.end_of_text not in row
        assert ends[0] == (tokenizer.start if started else int(stretches[0].ids[-2]), 0)
    else:
        assert row[targets - 1] == tokenizer.end_of_text
        assert ends[0] == (int(stretches[0].ids[-2]), targets - 1)
        assert len(row) == (targets + 1 if pack and place == "one after the end" else targets)


@settings(max_examples=40)
@given(st.lists(st.integers(1, 40), min_size=1, max_size=8), st.integers(8, 48), st.booleans(), st.data())
def test_every_work_ends_once_whatever_its_length(
    tokenizer: Tokenizer, lengths: list[int], window: int, pack: bool, data: st.DataObject
) -> None:
    """And with overlapping windows of which only what is new is learned."""
    stride = data.draw(st.one_of(st.none(), st.integers(1, window - 1)))
    stretches = encode([passage("a " * length, n) for n, length in enumerate(lengths)], tokenizer, "train")
    overlap = "train" if stride is None else "context"
    wanted = TrainSettings(window=window, pack=pack, stride=stride, overlap=overlap)
    rows = make_rows(stretches, wanted, tokenizer.start)
    assert len(ends_learned(rows, tokenizer.end_of_text)) == len(lengths)
    assert rows.ends_not_learned().tolist() == []


@pytest.mark.parametrize("window", [16, 64, 512])
@pytest.mark.parametrize("kind", ["prose", "poems"])
def test_a_shelf_of_works_teaches_as_many_ends(tokenizer: Tokenizer, kind: BookKind, window: int) -> None:
    """Chapters lead on into one another; the last one ends the work.  What is held out takes its own end along."""
    texts = works(3, 40, paragraphs=1, words=30)
    books = [book(f"work {n}", [texts[4 * n : 4 * n + 2], texts[4 * n + 2 : 4 * n + 4]], kind) for n in range(10)]
    shelf = Shelf(tuple(books))
    passages = cut(shelf, validation=0.1, test=0.1)
    ends = 0
    for split in ("train", "validation", "test"):
        rows = make_rows(encode(passages, tokenizer, split), TrainSettings(window=window), tokenizer.start)
        found = ends_learned(rows, tokenizer.end_of_text)
        assert len(found) == len({p.book for p in passages if p.split == split}) > 0
        assert rows.ends_not_learned().tolist() == []
        ends += len(found)
    assert ends == len(shelf.books)


@pytest.mark.parametrize("window", [48, 96, 512])
def test_conversations_end_with_every_answer(tokenizer: Tokenizer, window: int) -> None:
    """In one piece or in several, and beside prose; where an answer is longer than a window it ends all the same."""
    long = Conversation((*chats.CHAT.turns, Turn("user", "Go on?"), Turn("character", "We walk. " * 40)), chats.PERSONA)
    said = [chats.passage_of(long), chats.passage_of(chats.WITHOUT_PERSONA, book=1)]
    stretches = encode([*said, passage("He said nothing.", 2)], tokenizer, "train", window=window)
    rows = make_rows(stretches, TrainSettings(window=window), tokenizer.start)
    answers = len(long.answers) + len(chats.WITHOUT_PERSONA.answers)
    assert len(ends_learned(rows, tokenizer.end_of_text)) == answers + 1
    assert rows.ends_not_learned().tolist() == []


@pytest.mark.parametrize("place", AROUND)
def test_tables_that_are_streamed_end_every_work(tokenizer: Tokenizer, place: str, tmp_path: Path) -> None:
    """Works of one length, rows cut around their ends, in pieces of a few works each."""
    text = "The ferryman looked at the water. " * 3
    texts = [text.strip() + "." * (n % 2) for n in range(24)]
    name = write_tables(tmp_path / "corpus", texts, tables=2)
    length = len(tokenizer.encode(texts[0])) + 1
    item = ShelfItem(path=name, stream=True, validation=0.0, test=0.0)
    wanted = TrainSettings(window=length + AROUND[place])
    prepare_corpus(
        Job(open_corpus(item), tokenizer, wanted, "", RunIndex([]), piece_tokens=200), tmp_path / "made", None
    )
    rows, facts = load_corpus(tmp_path / "made", 2, None, tokenizer.start)
    works_kept = sum(fact.works for fact in facts)
    assert works_kept > 0
    assert len(ends_learned(rows, tokenizer.end_of_text)) == works_kept
    assert rows.ends_not_learned().tolist() == []


def test_rows_of_several_sources_keep_their_ends(tokenizer: Tokenizer) -> None:
    """Weighted, thinned out for the goldfish loss, spread over what is wanted: ends stay where their rows stay."""
    one = make_rows(
        encode([passage("a " * n, n) for n in range(5, 25)], tokenizer, "train"),
        TrainSettings(window=16),
        tokenizer.start,
    )
    thin = one.masked(lambda ids, _: ids < 0)
    assert len(ends_learned(thin, tokenizer.end_of_text)) == 20
    assert all(
        target in (IGNORED, tokenizer.end_of_text) for n in range(len(thin)) for target in thin.arrays(n).targets
    )
    both = join_rows([one, one], [1.0, 0.5])
    assert len(ends_learned(both, tokenizer.end_of_text)) == 40
