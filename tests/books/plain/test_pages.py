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


def test_heads_with_their_number_in_one_line_go_though_no_feed_parts_the_pages() -> None:
    text = "".join(
        f"{f'{number} THE FERRY.' if number % 2 else f'THE FAR BANK. {number}'}\n\n{page}\n\n"
        for number, page in enumerate(pages(12), start=3)
    )
    groups, gone = group_pages(text)
    assert " ".join(group.text for group in groups) == " ".join(pages(12))
    assert {one.reason for one in gone} == {"running head"}
    assert len(gone) == 12


def test_chapters_that_open_pages_are_no_furniture_unless_they_say_the_same_again() -> None:
    heads = [
        "CHAPTER I",
        "CHAPTER I",
        "CHAPTER I",
        "CHAPTER I",
        "CHAPTER II",
        "CHAPTER II",
        "CHAPTER II",
        "CHAPTER III",
    ]
    text = "\x0c".join(f"{head}\n\n{page}" for head, page in zip(heads, pages(8), strict=True))
    groups, gone = group_pages(text)
    assert [group.text for group in groups if group.text.isupper()] == ["CHAPTER I", "CHAPTER II", "CHAPTER III"]
    assert [one.text for one in gone] == ["CHAPTER I"] * 3 + ["CHAPTER II"] * 2
    beside = "".join(
        f"CHAPTER {'I' * (number % 3 + 1)}\n\n{number} THE FERRY\n\n{page}\n\n"
        for number, page in enumerate(pages(12), 3)
    )
    assert not any(one.text.startswith("CHAPTER") for one in group_pages(beside)[1])


def test_marks_of_pages_amid_the_words_and_on_lines_of_their_own_go() -> None:
    text = "The ferry [Pg 4]left at six, and nobody\n\n[Pg 5]\n\non the pier had seen the boy."
    text += "\n\nHe slept.[Pg 6]\n\n[Page 7]"
    groups, gone = group_pages(text)
    assert [group.text for group in groups] == [
        "The ferry left at six, and nobody on the pier had seen the boy.",
        "He slept.",
    ]
    assert [one.text for one in gone] == ["[Pg 4]", "[Pg 5]", "[Pg 6]", "[Page 7]"]
    assert [one.number for one in gone] == [1, 3, 7, 9]
