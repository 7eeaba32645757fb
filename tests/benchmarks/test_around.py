"""Headings, running lines, notes: what the scorer forgives and what it does not."""

from __future__ import annotations

import pytest
from benchmarks.measure import measure
from benchmarks.truth import Measured, Truth
from hypothesis import given
from hypothesis import strategies as st

from quire.books.book import Block, Book, Chapter, Place

PLACE = Place("x.pdf", "page", 1)
BODY = ("The ferry left at six.", "I gave him the coin.", "They went out under a sky the colour of pewter.")


def book(texts: tuple[str, ...] = BODY, titles: tuple[str, ...] = ("I\nThe Ferry",), title: str = "Salt") -> Book:
    """All the text in the first chapter; the other chapters have their titles alone."""
    first = Chapter(titles[0], tuple(Block("paragraph", text, PLACE) for text in texts))
    return Book("x.pdf", title, (first, *(Chapter(one, ()) for one in titles[1:])))


def figures(found: Book, truth: Truth, pages: tuple[str, ...] = ("a page",)) -> Measured:
    return measure(Measured("x.pdf", "pdf", "en"), found, truth, pages)


@pytest.mark.parametrize(
    ("titles", "wanted", "right", "made_up"),
    [
        (("I\nThe Ferry",), ("I", "The Ferry"), 2, 0),
        (("I The Ferry",), ("I", "The Ferry"), 2, 0),
        (("I\nThe Ferry",), ("I. The Ferry",), 1, 0),
        (("The Ferry", "The Weir"), ("The Ferry", "The Weir"), 2, 0),
        (("The Ferry", "The Ferry", "The Weir"), ("The Ferry", "The Weir"), 2, 1),
        (("In which I learn of the weir",), ("I",), 0, 1),
        (("The Weir", "The Ferry"), ("The Ferry", "The Weir"), 1, 1),
        (("Salt", "The Ferry"), ("The Ferry",), 1, 0),
    ],
)
def test_headings_are_whole_and_in_order(
    titles: tuple[str, ...], wanted: tuple[str, ...], right: int, made_up: int
) -> None:
    result = figures(book(titles=titles), Truth(BODY, headings=wanted))
    assert (result.headings and result.headings.right, result.headings_made_up) == (right, made_up)


def test_a_running_head_that_became_a_heading_is_furniture() -> None:
    truth = Truth(BODY, headings=("The Ferry",), furniture=("The Ferry", "E. Marl"))
    assert figures(book(titles=("The Ferry", "E. Marl")), truth).furniture == 1
    assert figures(book(titles=("The Ferry", "14 E. Marl")), truth).furniture == 1
    assert figures(book(titles=("The Ferry",)), truth).furniture == 0


def test_a_heading_that_became_a_paragraph_is_a_lost_heading_and_no_furniture() -> None:
    truth = Truth(BODY, headings=("I", "The Ferry"), furniture=("I", "The Ferry"))
    result = figures(book(("I", *BODY), titles=("The Ferry",)), truth)
    assert (str(result.headings), result.furniture) == ("1/2", 0)


def test_a_note_is_found_on_its_page_though_a_line_end_cuts_it() -> None:
    held = Block("paragraph", "A flat-bottomed boat of the estuary.", PLACE)
    found = Book("x.pdf", "Salt", book().chapters, notes=(held,))
    result = figures(found, Truth(BODY, notes=(held.text,)), ("1 A flat-\r\nbottomed boat of the est\ufffeuary.",))
    assert str(result.notes_on_page) == "1/1"


@pytest.mark.parametrize("folio", ["12", "xii", "Page 12 of 96", "— 12 —", "[12]"])
def test_folios_of_every_form_are_furniture(folio: str) -> None:
    truth = Truth(BODY)
    assert figures(book((*BODY[:1], folio, *BODY[1:])), truth).furniture == 1


def test_a_word_in_other_letters_is_no_folio() -> None:
    result = figures(book((BODY[0], BODY[1].replace("I ", "i "), BODY[2])), Truth(BODY))
    assert result.furniture == 0
    assert result.f1 is not None
    assert result.f1 < 1


def test_one_line_of_a_note_in_the_text_is_a_leak() -> None:
    note = "A flat-bottomed boat of the estuary, which the men of both shores row standing, as their fathers did."
    held = Block("paragraph", note, PLACE)
    found = book((*BODY, "as their fathers did."))
    found = Book("x.pdf", "Salt", found.chapters, notes=(held,))
    result = figures(found, Truth(BODY, notes=(note,)))
    assert (str(result.notes), result.notes_leaked) == ("1/1", 0)  # four words may be anybody's
    found = Book("x.pdf", "Salt", book((*BODY, "row standing, as their fathers did.")).chapters, notes=(held,))
    assert figures(found, Truth(BODY, notes=(note,))).notes_leaked == 1


def test_marks_of_notes_left_in_the_text_are_counted() -> None:
    found = book(("The ferry† left at six.", *BODY[1:]))
    assert figures(found, Truth(BODY, notes=("A boat.",))).marks_left == 1
    assert figures(book(), Truth(BODY, notes=("A boat.",))).marks_left == 0
    numbered = book(("The ferry left at six. 1", *BODY[1:]))
    result = figures(numbered, Truth(BODY, notes=("A boat.",)))
    assert (result.marks_left, result.furniture) == (1, 0)
    folio = figures(book((BODY[0], "1", *BODY[1:])), Truth(BODY, notes=("A boat.",)))
    assert (folio.marks_left, folio.furniture) == (0, 1)


def test_two_notes_in_one_count_once() -> None:
    notes = ("A flat boat of the estuary.", "See the table of tides there.")
    found = Book("x.pdf", "Salt", book().chapters, notes=(Block("paragraph", " ".join(notes), PLACE),))
    assert str(figures(found, Truth(BODY, notes=notes)).notes) == "1/2"


def test_what_may_stand_or_not_costs_nothing_as_a_paragraph_and_something_inside_one() -> None:
    truth = Truth(BODY, either=("Fig. 1. The weir",))
    apart = figures(book((BODY[0], "Fig. 1. The weir", *BODY[1:])), truth)
    assert (apart.f1, apart.edges, apart.letters) == (1, 1, 1)
    inside = figures(book((f"{BODY[0]} Fig. 1. The weir", *BODY[1:])), truth)
    assert inside.f1 is not None
    assert inside.f1 < 1


WORDS = st.integers(3, 9)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[str, ...]:
    """Paragraphs of words that all differ."""
    lengths = draw(st.lists(WORDS, min_size=3, max_size=8))
    number = 0
    texts = []
    for length in lengths:
        texts.append(" ".join(f"w{number + n}" for n in range(length)))
        number += length
    return tuple(texts)


@given(bodies())
def test_a_text_that_is_right_is_all_right(body: tuple[str, ...]) -> None:
    result = figures(book(body), Truth(body))
    assert (result.f1, result.letters, result.edges, result.paragraphs) == (1, 1, 1, 1)
    assert (result.furniture, result.moved) == (0, 0)


@given(bodies(), st.data())
def test_every_word_lost_or_put_in_costs_its_share(body: tuple[str, ...], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(body) - 1))
    count = sum(len(text.split()) for text in body)
    less = (*body[:at], body[at].split(" ", 1)[1], *body[at + 1 :])
    assert figures(book(less), Truth(body)).recall == (count - 1) / count
    more = (*body[:at], f"{body[at]} other", *body[at + 1 :])
    assert figures(book(more), Truth(body)).precision == count / (count + 1)


@given(bodies(), st.data())
def test_every_boundary_lost_or_made_up_costs_one(body: tuple[str, ...], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(body) - 2))
    ends = len(body) - 1
    joined = (*body[:at], f"{body[at]} {body[at + 1]}", *body[at + 2 :])
    result = figures(book(joined), Truth(body))
    assert (result.f1, result.edges) == (1, pytest.approx(2 * (ends - 1) / (2 * ends - 1)))
    first, rest = body[at].split(" ", 1)
    parted = (*body[:at], first, rest, *body[at + 1 :])
    result = figures(book(parted), Truth(body))
    assert (result.f1, result.edges) == (1, pytest.approx(2 * ends / (2 * ends + 1)))


@given(bodies(), st.data())
def test_a_head_is_found_wherever_it_stands(body: tuple[str, ...], data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(body) - 1))
    words = body[at].split()
    cut = data.draw(st.integers(0, len(words)))
    spoilt = (*body[:at], " ".join([*words[:cut], "The Ferry", *words[cut:]]), *body[at + 1 :])
    assert figures(book(spoilt), Truth(body, furniture=("The Ferry",))).furniture == 1
