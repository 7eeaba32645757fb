"""What is held out is whole, close to its share, and never also trained on."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.books.book import Block, Book, Chapter, Passage, Place, Shelf, count_words
from quire.books.copies.duplicates import describe_leak, find_leaks, find_repeats
from quire.books.split import cut
from quire.errors import BookError

PLACE = Place("made", "line", 1)


def chapter(title: str | None, paragraphs: list[str]) -> Chapter:
    return Chapter(title, tuple(Block("paragraph", text, PLACE) for text in paragraphs))


def paragraph(number: int, words: int) -> str:
    return " ".join([f"p{number}", *(f"w{number}x{i}" for i in range(words - 1))])


def novel(chapters: int, paragraphs: int = 10, words: int = 50, name: str = "a") -> Book:
    numbers = iter(range(10**6))
    return Book(
        path=name,
        title=name,
        chapters=tuple(
            chapter(f"{name} {n}", [paragraph(next(numbers), words) for _ in range(paragraphs)])
            for n in range(chapters)
        ),
    )


def poem(number: int) -> Book:
    lines = "\n".join(f"line {number} {i} of the poem" for i in range(14))
    return Book("poems", f"poem {number}", (Chapter(f"poem {number}", (Block("verse", lines, PLACE),)),), kind="poems")


def words_by_split(passages: list[Passage]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for passage in passages:
        counts[passage.split] += count_words(passage.text)
    return counts


def assert_whole(shelf: Shelf, passages: list[Passage]) -> None:
    """Every character but white space is in exactly one passage, offsets are true, the order is the reader's."""
    seen: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for p in passages:
        assert shelf.books[p.book].chapters[p.chapter].text[p.start : p.stop] == p.text
        seen.setdefault((p.book, p.chapter), []).append((p.start, p.stop))
    assert [(p.book, p.chapter, p.start) for p in passages] == sorted((p.book, p.chapter, p.start) for p in passages)
    for number, book in enumerate(shelf.books):
        for index, one in enumerate(book.chapters):
            position = 0
            for start, stop in seen.get((number, index), []):
                assert one.text[position:start].strip() == ""
                assert start >= position
                position = stop
            assert one.text[position:].strip() == ""


def test_eight_chapters_are_held_out_whole() -> None:
    shelf = Shelf((novel(12),))
    passages = cut(shelf, validation=0.1, test=0.1)
    assert len(passages) == 12
    assert {p.split for p in passages} == {"train", "validation", "test"}
    assert_whole(shelf, passages)


def test_fewer_chapters_give_blocks_of_whole_paragraphs() -> None:
    shelf = Shelf((novel(3, paragraphs=60),))
    passages = cut(shelf, validation=0.05, test=0.10)
    counts = words_by_split(passages)
    assert counts["test"] / counts.total() == pytest.approx(0.10, abs=0.03)
    assert counts["validation"] / counts.total() == pytest.approx(0.05, abs=0.03)
    blocks = [p for p in passages if p.split == "test"]
    assert len(blocks) >= 2, "spread over the text"
    assert all(150 <= count_words(p.text) <= 800 for p in blocks)
    assert_whole(shelf, passages)


def test_no_paragraph_stands_in_two_splits() -> None:
    shelf = Shelf((novel(4, paragraphs=40),))
    passages = cut(shelf, validation=0.1, test=0.2)
    owners = {}
    for p in passages:
        for piece in p.text.split("\n\n"):
            assert owners.setdefault(piece, p.split) == p.split


def test_eight_works_are_held_out_whole() -> None:
    shelf = Shelf(tuple(poem(n) for n in range(40)))
    passages = cut(shelf, validation=0.05, test=0.1)
    assert Counter(p.split for p in passages) == {"train": 34, "validation": 2, "test": 4}
    assert all(p.ends_work for p in passages)


def test_the_same_seed_chooses_the_same_and_another_seed_another() -> None:
    shelf = Shelf((novel(30),))
    assert cut(shelf, 0.05, 0.1, seed=7) == cut(shelf, 0.05, 0.1, seed=7)
    assert cut(shelf, 0.05, 0.1, seed=7) != cut(shelf, 0.05, 0.1, seed=8)


def test_the_end_of_the_only_work_is_learned() -> None:
    for seed in range(20):
        passages = cut(Shelf((novel(12),)), 0.1, 0.2, seed=seed)
        assert [p.split for p in passages if p.ends_work] == ["train"]


def test_the_title_of_a_part_goes_with_its_first_chapter() -> None:
    book = novel(10)
    shelf = Shelf(
        (Book("b", "b", (Chapter("PART ONE", ()), *book.chapters[:5], Chapter("PART TWO", ()), *book.chapters[5:])),)
    )
    for seed in range(10):
        by_chapter = {p.chapter: p.split for p in cut(shelf, 0.1, 0.2, seed=seed)}
        assert by_chapter[0] == by_chapter[1]
        assert by_chapter[6] == by_chapter[7]


def test_a_data_sets_own_splits_are_kept() -> None:
    books = [
        Book("d", f"r{n}", (chapter(None, [paragraph(n, 80)]),), split=s)
        for n, s in enumerate(["train"] * 8 + ["validation", "test"])
    ]
    passages = cut(Shelf(tuple(books)), validation=0.3, test=0.3)
    assert [p.split for p in passages] == ["train"] * 8 + ["validation", "test"]


def test_what_a_data_set_does_not_hold_out_is_cut_from_its_training_text() -> None:
    books = [Book("d", f"r{n}", (chapter(None, [paragraph(n, 80)]),), split="train") for n in range(20)]
    books.append(Book("d", "v", (chapter(None, [paragraph(99, 80)]),), split="validation"))
    counts = Counter(p.split for p in cut(Shelf(tuple(books)), validation=0.1, test=0.1))
    assert counts["validation"] == 1
    assert counts["test"] == 2


def test_copies_of_a_work_follow_the_first() -> None:
    works = [poem(n) for n in range(20)]
    shelf = Shelf((*works, *works))
    for seed in range(5):
        splits = [p.split for p in cut(shelf, 0.1, 0.2, seed=seed)]
        assert splits[:20] == splits[20:]


@pytest.mark.parametrize("parts", [2, 3, 10])
def test_each_part_brings_its_own_validation_text(parts: int) -> None:
    shelf = Shelf((novel(5, paragraphs=80),))
    passages = cut(shelf, validation=0.1, test=0.1, parts=parts)
    assert_whole(shelf, passages)
    sizes = Counter()
    for p in passages:
        if p.split != "test":
            sizes[p.part] += count_words(p.text)
    assert set(sizes) == set(range(parts))
    assert max(sizes.values()) < 1.3 * min(sizes.values())
    assert {p.part for p in passages if p.split == "validation"} == set(range(parts))
    order = [p.part for p in passages if p.split != "test"]
    assert order == sorted(order), "slices are contiguous"


def test_a_text_too_short_says_so() -> None:
    with pytest.raises(BookError, match="too short to hold anything out") as caught:
        cut(Shelf((novel(1, paragraphs=2),)), 0.05, 0.1)
    assert "add more text" in caught.value.then
    assert "0%" not in caught.value.then, "training refuses that"
    with pytest.raises(BookError, match="too short for 50 parts"):
        cut(Shelf((novel(2),)), 0.05, 0.0, parts=50)


def test_nothing_is_held_out_when_nothing_is_asked() -> None:
    passages = cut(Shelf((novel(2),)), 0.0, 0.0)
    assert {p.split for p in passages} == {"train"}


def test_a_text_without_paragraphs_is_cut_between_sentences() -> None:
    text = " ".join(f"This is sentence number {n} of a very long one." for n in range(900))
    shelf = Shelf((Book("b", "b", (chapter(None, [text]),), language="en"),))
    passages = cut(shelf, 0.1, 0.1)
    assert {p.split for p in passages} == {"train", "validation", "test"}
    assert all(p.text.startswith("This") and p.text.endswith("one.") for p in passages)
    assert_whole(shelf, passages)


@settings(max_examples=60)
@given(
    chapters=st.lists(st.lists(st.integers(1, 160), min_size=0, max_size=25), min_size=1, max_size=12),
    validation=st.sampled_from([0.0, 0.05, 0.2]),
    test=st.sampled_from([0.0, 0.1, 0.3]),
    parts=st.sampled_from([1, 1, 2, 4]),
    seed=st.integers(0, 3),
)
def test_every_character_goes_to_exactly_one_passage(
    chapters: list[list[int]], validation: float, test: float, parts: int, seed: int
) -> None:
    numbers = iter(range(10**6))
    book = Book(
        "b", "b", tuple(chapter(f"C{n}", [paragraph(next(numbers), w) for w in ws]) for n, ws in enumerate(chapters))
    )
    shelf = Shelf((book,))
    try:
        passages = cut(shelf, validation, test, parts, seed)
    except BookError:
        assert book.words < 400 * (3 + 2 * parts)
        return
    assert_whole(shelf, passages)
    counts = words_by_split(passages)
    assert (counts["validation"] > 0) == (validation > 0)
    assert (counts["test"] > 0) == (test > 0)
    assert counts["train"] > 0
    assert sum(p.ends_work for p in passages) == 1


def own_words(book: Book) -> Book:
    """The same shape in words that no other book has."""

    def rename(one: Chapter) -> Chapter:
        return chapter(one.title, [block.text.replace("w", book.title) for block in one.blocks])

    return replace(book, chapters=tuple(rename(one) for one in book.chapters))


def respelt(book: Book) -> Book:
    """Another edition: every ninth word is another."""

    def edit(text: str) -> str:
        return " ".join("other" if number % 9 == 5 else word for number, word in enumerate(text.split(" ")))

    chapters = tuple(
        Chapter(None, tuple(Block(block.kind, edit(block.text), PLACE) for block in one.blocks))
        for one in book.chapters
    )
    return Book("edition", "Another edition", chapters)


@pytest.mark.parametrize("works", [1, 9], ids=["a novel", "a shelf"])
@pytest.mark.parametrize("parts", [1, 2])
def test_two_editions_of_a_work_are_held_out_in_the_same_places(works: int, parts: int) -> None:
    books = [own_words(novel(12, name=chr(97 + n))) for n in range(works)]
    shelf = Shelf((*books, respelt(books[0])))
    passages = cut(shelf, validation=0.1, test=0.1, parts=parts)
    assert_whole(shelf, passages)
    assert find_leaks(find_repeats(shelf), passages) == ()
    side = {(p.book, p.chapter): p.split for p in passages}
    assert all(side[0, n] == side[works, n] for n in range(12))
    assert {"train", "validation", "test"} <= {p.split for p in passages}


def test_a_paragraph_that_comes_again_follows_the_first() -> None:
    story = novel(30)
    again = story.chapters[2].blocks[4]
    chapters = tuple(Chapter(c.title, (*c.blocks, again)) for c in story.chapters)
    shelf = Shelf((Book("a", "a", chapters),))
    passages = cut(shelf, validation=0.1, test=0.2)
    assert find_leaks(find_repeats(shelf), passages) == ()
    assert len({p.split for p in passages if again.text in p.text}) == 1


def test_a_data_sets_own_splits_are_kept_and_what_they_share_is_named() -> None:
    story = novel(6)
    shelf = Shelf(
        (
            replace(story, split="train"),
            replace(own_words(novel(6, name="b")), split="validation"),
            replace(respelt(story), split="test"),
        )
    )
    passages = cut(shelf, validation=0.1, test=0.1)
    assert {p.book: p.split for p in passages} == {0: "train", 1: "validation", 2: "test"}
    repeats = find_repeats(shelf)
    leaks = find_leaks(repeats, passages)
    assert sum(leak.words for leak in leaks) > 0.8 * story.words
    assert all((leak.trained.book, leak.held_out.book) == (0, 2) for leak in leaks)
    assert "Another edition" in describe_leak(shelf, leaks[0])


def test_a_text_that_only_repeats_itself_is_cut_all_the_same() -> None:
    story = Book("a", "a", tuple(chapter(f"{n}", [paragraph(1, 60)] * 5) for n in range(12)))
    assert {p.split for p in cut(Shelf((story,)), 0.1, 0.1)} == {"train", "validation", "test"}


def own_novel(chapters: int, name: str) -> Book:
    """One whose words no other has."""
    book = novel(chapters, name=name)
    return replace(
        book,
        chapters=tuple(
            replace(c, blocks=tuple(replace(b, text=b.text.replace("w", f"{name}w")) for b in c.blocks))
            for c in book.chapters
        ),
    )


def share_of(shelf: Shelf, passages: list[Passage], book: int, split: str) -> float:
    held = sum(count_words(p.text) for p in passages if p.book == book and p.split == split)
    return held / shelf.books[book].words


@pytest.mark.parametrize("parts", [1, 3])
def test_books_may_hold_out_different_shares(parts: int) -> None:
    shelf = Shelf(tuple(own_novel(20, name) for name in "abc"))
    shares = [(0.05, 0.05), (0.1, 0.3), (0.05, 0.05)]
    passages = cut(shelf, 0, 0, parts, shares=shares)
    assert_whole(shelf, passages)
    assert share_of(shelf, passages, 1, "test") == pytest.approx(0.3, abs=0.03)
    room = 0.04 if parts == 1 else 0.06  # of a slice, whole chapters of what test text has left
    assert share_of(shelf, passages, 1, "validation") == pytest.approx(0.1, abs=room)
    both = (share_of(shelf, passages, 0, "test") + share_of(shelf, passages, 2, "test")) / 2
    assert both == pytest.approx(0.05, abs=0.02)
    assert {p.part for p in passages} == set(range(parts))


def test_a_source_with_a_share_of_nothing_is_all_trained_on() -> None:
    shelf = Shelf((own_novel(12, "a"), own_novel(12, "b")))
    passages = cut(shelf, 0, 0, shares=[(0.0, 0.0), (0.1, 0.1)])
    assert {p.split for p in passages if p.book == 0} == {"train"}
    assert {p.split for p in passages if p.book == 1} == {"train", "validation", "test"}


def test_equal_shares_given_for_each_book_are_the_shares_given_for_all() -> None:
    shelf = Shelf((own_novel(12, "a"), own_novel(9, "b")))
    for parts in (1, 2):
        assert cut(shelf, 0.05, 0.1, parts) == cut(shelf, 0, 0, parts, shares=[(0.05, 0.1)] * 2)


def talk(number: int, answers: int = 3, words: int = 30) -> Book:
    persona = "You are the ferrywoman of the river and you answer every traveller who comes to the landing " * 2
    turns = [Block("speech", persona.strip(), PLACE, "system")]
    for n in range(answers):
        turns.append(
            Block("speech", "Will you please tell me something about the river and its ways now?", PLACE, "user")
        )
        turns.append(Block("speech", paragraph(1000 * number + n, words), PLACE, "character"))
    return Book("chats", f"talk {number}", (Chapter(None, tuple(turns)),), kind="conversations")


@pytest.mark.parametrize(("count", "parts"), [(6, 1), (40, 1), (40, 3)])
def test_a_conversation_is_never_cut_and_knows_its_turns(count: int, parts: int) -> None:
    shelf = Shelf(tuple(talk(n, answers=1 + n % 4) for n in range(count)))
    passages = cut(shelf, validation=0.1, test=0.1, parts=parts)
    assert len(passages) == count
    assert_whole(shelf, passages)
    for passage in passages:
        blocks = shelf.books[passage.book].chapters[0].blocks
        assert passage.kind == "conversations"
        assert passage.ends_work
        said = [(turn.role, passage.text[turn.start : turn.stop]) for turn in passage.turns]
        assert said == [(block.speaker, block.text) for block in blocks]
    held = {p.split for p in passages}
    assert held == {"train", "validation", "test"}
    assert {p.part for p in passages if p.split == "train"} == set(range(parts))


def test_conversations_follow_what_they_repeat_by_their_answers_alone() -> None:
    """The persona and the questions are the same everywhere; whoever gives the same answer is on the same side."""
    books = [talk(n) for n in range(40)]
    copies = [replace(talk(n), title=f"again {n}") for n in range(10, 20)]
    passages = cut(Shelf((*books, *copies)), validation=0.1, test=0.2)
    sides = {p.book: p.split for p in passages}
    assert all(sides[40 + n] == sides[10 + n] for n in range(10))
    assert {sides[n] for n in range(40)} == {"train", "validation", "test"}
    shelf = Shelf((*books, *copies))
    assert find_leaks(find_repeats(shelf), passages) == ()


def test_prose_beside_conversations_is_cut_as_ever() -> None:
    shelf = Shelf((novel(12), *(talk(n) for n in range(4))))
    passages = cut(shelf, validation=0.1, test=0.1)
    assert_whole(shelf, passages)
    assert {bool(p.turns) for p in passages if p.book == 0} == {False}
    assert [p.book for p in passages if p.turns] == [1, 2, 3, 4]
