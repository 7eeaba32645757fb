"""Furniture of pages in plain text."""

from __future__ import annotations

from quire.books.plain.pages import group_pages

WORDS = "the ferry left at six and nobody on the pier had seen the boy who sat between two crates of lamps".split()


def pages(count: int) -> list[str]:
    """Pages that end within a sentence."""
    return [" ".join(WORDS[page % 7 :] + WORDS[: page % 7]) for page in range(count)]


def test_heads_and_numbers_beside_page_feeds_go_and_the_sentence_goes_on() -> None:
    text = "\x0c".join(f"THE FERRY {number}\n\n{page}\n{number}" for number, page in enumerate(pages(9), start=11))
    groups, gone = group_pages(text)
    assert " ".join(group.text for group in groups) == " ".join(pages(9))
    assert len(groups) == 1
    assert {one.reason for one in gone} == {"running head", "folio"}


def test_lone_numbers_that_cut_sentences_are_pages() -> None:
    text = "".join(f"{page}\n\n{number}\n\nTHE FERRY\n\n" for number, page in enumerate(pages(12), start=3))
    groups, gone = group_pages(text)
    assert [one.text for one in gone if one.reason == "folio"] == [str(number) for number in range(3, 15)]
    assert "FERRY" not in " ".join(group.text for group in groups)


def test_numbers_of_chapters_stay() -> None:
    text = "".join(f"{number}\n\n{page.capitalize()}.\n\n" for number, page in enumerate(pages(12), start=1))
    groups, gone = group_pages(text)
    assert not gone
    assert len(groups) == 24


def test_a_feed_or_two_is_only_a_line_end() -> None:
    groups, gone = group_pages("One.\x0c\nTwo.")
    assert [group.text for group in groups] == ["One.", "Two."]
    assert not gone
