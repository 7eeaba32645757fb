"""The page on which kept and dropped text stand side by side."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from quire.books import proof
from quire.books.book import Block, Book, Chapter, Dropped, Place, Shelf, Unreadable
from quire.books.proof import NOTE, proof_of, reasons_of, sheet_of
from quire.errors import BookError

PAGES = "printed.pdf"


def page(number: int) -> Place:
    return Place(PAGES, "page", number)


def line(number: int) -> Place:
    return Place("plain.txt", "line", number)


def paragraph(text: str, place: Place) -> Block:
    return Block("paragraph", text, place)


def printed() -> Book:
    return Book(
        path=PAGES,
        title="The Weir",
        author="N. N.",
        language="en",
        chapters=(
            Chapter("I", (paragraph("The sluice stood open.", page(3)), paragraph("Nobody came.", page(3)))),
            Chapter("II", (paragraph("At noon it rained.", page(4)), paragraph("It went on raining.", page(5)))),
        ),
        dropped=(
            Dropped("title page", "THE WEIR", page(1)),
            Dropped("running head", "THE WEIR 4", page(4)),
            Dropped("running head", "5 THE WEIR", page(5)),
            Dropped("running head", "6 THE WEIR", page(6)),
        ),
        notes=(paragraph("A gate for water.", page(3)),),
        warnings=("2 control characters removed",),
    )


def test_a_row_holds_one_page_with_what_was_dropped_on_it() -> None:
    rows = sheet_of(printed()).rows
    assert [row.label for row in rows] == ["page 3", "page 4", "page 5", "page 6"]
    assert [[aside.text for aside in row.asides] for row in rows] == [
        ["THE WEIR", "A gate for water."],
        ["THE WEIR 4"],
        ["5 THE WEIR"],
        ["6 THE WEIR"],
    ]
    assert [row.opens.title if row.opens else None for row in rows] == ["I", "II", None, None]


def test_between_lines_a_new_row_begins_where_something_was_dropped() -> None:
    blocks = tuple(paragraph(f"Line {number}.", line(number)) for number in (10, 12, 20, 22))
    book = Book("plain.txt", "Plain", (Chapter(None, blocks),), dropped=(Dropped("folio", "17", line(15)),))
    first, second = sheet_of(book).rows
    assert [block.place.number for block in first.blocks] == [10, 12]
    assert [block.place.number for block in second.blocks] == [20, 22]
    assert [aside.text for aside in second.asides] == ["17"]


def test_what_was_dropped_where_nothing_was_kept_stands_by_itself() -> None:
    whole = Dropped("imprint", "Printed at home.", Place("b.epub", "spine item", 1, "imprint.xhtml"))
    kept = paragraph("Kept.", Place("b.epub", "paragraph", 1, "one.xhtml"))
    sheet = sheet_of(Book("b.epub", "B", (Chapter(None, (kept,)),), dropped=(whole,)))
    assert [aside.reason for aside in sheet.elsewhere] == ["imprint"]
    assert all(not row.asides for row in sheet.rows)


def test_everything_kept_and_dropped_is_on_the_page_once() -> None:
    text = visible_text(proof_of(Shelf((printed(),))))
    for words in ("The sluice stood open.", "It went on raining.", "THE WEIR 4", "6 THE WEIR", "A gate for water."):
        assert text.count(words) == 1
    assert "2 control characters removed" in text


def test_reasons_are_counted_the_most_frequent_first() -> None:
    assert [(reason.name, reason.count) for reason in reasons_of(Shelf((printed(),)))] == [
        ("running head", 3),
        (NOTE, 1),
        ("title page", 1),
    ]


def test_nothing_of_a_book_is_understood_as_markup_or_loaded_from_elsewhere() -> None:
    nasty = "<script>alert(1)</script><img src=//far.example/x> &amp; \x1b[31m \u202e"
    book = Book(
        path=nasty,
        title=nasty,
        author=nasty,
        language='en" onload="x',
        chapters=(Chapter(nasty, (paragraph(nasty, line(1)),)),),
        dropped=(Dropped(nasty, nasty, line(1)),),
        warnings=(nasty,),
        columns=((nasty, nasty),),
    )
    html = proof_of(Shelf((book,), (Unreadable(nasty, nasty),)))
    seen = Tags()
    seen.feed(html)
    assert not {"script", "img", "link", "iframe"} & seen.names
    assert not any(name.startswith("on") or name in ("src", "style") for name in seen.attributes)
    assert all(target.startswith("#") for target in seen.links)
    assert "default-src 'none'" in html
    assert not re.search(r"[\x00-\x08\x0b-\x1f\u202e]", html)


def test_each_unreadable_file_is_named_with_its_reason() -> None:
    text = visible_text(proof_of(Shelf((printed(),), (Unreadable("bad.pdf", "is empty"),))))
    assert "bad.pdf" in text
    assert "is empty" in text


def test_a_shelf_that_no_browser_can_show_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "MOST_CHARACTERS", 10)
    with pytest.raises(BookError, match="too many for one page"):
        proof_of(Shelf((printed(),)))


class Tags(HTMLParser):
    """Names of the elements and attributes of a page, and where its links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links += [value or "" for name, value in attrs if name == "href"]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def visible_text(html: str) -> str:
    parser = Tags()
    parser.feed(html)
    return " ".join(" ".join(parser.text).split())
