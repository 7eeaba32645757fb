"""What the reading bench says of a book that is right, and of each thing that may be wrong with it."""

from __future__ import annotations

from benchmarks.measure import measure
from benchmarks.truth import Measured, Truth

from quire.books.book import Block, BlockKind, Book, Chapter, Dropped, Place

BODY = (
    "The ferry left at six, and nobody had told the ferryman.",
    "She gave him the coin that her mother had sewn into the hem.",
    "Sparrow on the gutter,\nsparrow on the tree.",
    "They went out under a sky the colour of pewter.",
)
TRUTH = Truth(BODY, headings=("I", "The Ferry"), notes=("So in the first printing only.",), furniture=("The Ferry",))


def book(*texts: str, notes: tuple[str, ...] = TRUTH.notes or (), title: str | None = "I\nThe Ferry") -> Book:
    def block(kind: BlockKind, text: str) -> Block:
        return Block(kind, text, Place("x.pdf", "page", 1))

    blocks = tuple(block("verse" if "\n" in text else "paragraph", text) for text in texts)
    return Book(
        "x.pdf", "The Ferry", (Chapter(title, blocks),), notes=tuple(block("paragraph", note) for note in notes)
    )


def figures(found: Book, truth: Truth = TRUTH, pages: tuple[str, ...] = ()) -> Measured:
    return measure(Measured("x.pdf", "pdf", truth.language), found, truth, pages)


def test_a_book_that_is_right_is_all_right() -> None:
    result = figures(book(*BODY))
    assert (result.f1, result.letters, result.edges, result.paragraphs) == (1, 1, 1, 1)
    assert (str(result.verse), str(result.headings), str(result.notes)) == ("2/2", "2/2", "1/1")
    assert (result.furniture, result.notes_leaked, result.moved, result.verse_made_up) == (0, 0, 0, 0)


def test_two_paragraphs_run_together_cost_one_boundary_of_three() -> None:
    result = figures(book(f"{BODY[0]} {BODY[1]}", *BODY[2:]))
    assert result.f1 == 1
    assert result.edges == 2 * 2 / (3 + 2)


def test_a_running_head_in_the_text_is_told() -> None:
    result = figures(book(BODY[0], f"{BODY[1][:30]} 12 The Ferry {BODY[1][30:]}", *BODY[2:]))
    assert result.furniture == 1
    assert figures(book(BODY[0], "12", *BODY[1:]), pages=("12",)).furniture == 1


def test_a_note_in_the_text_is_told_and_a_note_that_is_gone() -> None:
    result = figures(book(*BODY, "So in the first printing only.", notes=()))
    assert (result.notes_leaked, str(result.notes)) == (1, "0/1")


def test_a_note_is_looked_for_on_its_page() -> None:
    assert str(figures(book(*BODY), pages=("1 So in the first printing only.",)).notes_on_page) == "1/1"
    assert str(figures(book(*BODY), pages=("Nothing here.",)).notes_on_page) == "0/1"
    assert str(figures(book(*BODY), pages=("1So in the first printing only.",)).notes_on_page) == "1/1"


def test_verse_that_became_prose_and_prose_that_became_verse() -> None:
    result = figures(book(BODY[0].replace(", ", ",\n"), BODY[1], BODY[2].replace("\n", " "), BODY[3]))
    assert str(result.verse) == "0/2"
    assert result.verse_made_up == 2


def test_a_lost_heading_and_one_made_up() -> None:
    result = figures(book(*BODY, title="II\nThe Ferry"))
    assert str(result.headings) == "1/2"
    assert result.headings_made_up == 1


def test_a_heading_of_the_title_page_may_be_left_out_with_it() -> None:
    found = book(*BODY)
    dropped = (Dropped("title page", "A Tale of the Water", Place("x.pdf", "page", 1)),)
    truth = Truth(BODY, headings=("A Tale of the Water", "I", "The Ferry"))
    assert str(figures(Book(**{**_fields(found), "dropped": dropped}), truth).headings) == "3/3"


def test_hyphens_at_line_ends_are_counted_from_the_raw_text() -> None:
    first = "The ferry left at six, and no\ufffebody had told the ferryman.\n"
    pages = (first + "She gave him the coin that her mo-\r\nther had",)
    truth = Truth(BODY[:2])
    assert str(figures(book(*BODY[:2]), truth, pages).hyphens) == "2/2"
    wrong = book(BODY[0].replace("nobody", "no-body"), BODY[1])
    assert str(figures(wrong, truth, pages).hyphens) == "1/2"


def test_a_passage_out_of_order_is_told() -> None:
    long = tuple(" ".join(f"w{n}" for n in range(start, start + 30)) for start in (0, 30, 60))
    assert figures(book(long[0], long[2], long[1]), Truth(long)).moved > 0


def test_of_a_book_of_which_a_part_is_known_only_recall_is_told() -> None:
    result = figures(book(*BODY), Truth(BODY[:1], part=True))
    assert (result.recall, result.f1, result.edges) == (1, None, None)


def _fields(found: Book) -> dict[str, object]:
    return {"path": found.path, "title": found.title, "chapters": found.chapters, "notes": found.notes}
