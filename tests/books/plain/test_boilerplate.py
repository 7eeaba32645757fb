"""What libraries and scanners add to plain text."""

from __future__ import annotations

import pytest

from quire.books.plain.boilerplate import strip_boilerplate
from quire.books.plain.lines import group_lines

BOOK = "The ferry left at six.\n\nNobody had seen the boy.\n\n" * 12


def stripped(text: str) -> tuple[str, set[str], dict[str, str]]:
    kept, gone, fields = strip_boilerplate(group_lines(text))
    return "\n\n".join(group.text for group in kept), {one.reason for one in gone}, fields


def test_stamps_of_scanners_go_wherever_they_stand() -> None:
    body, reasons, _ = stripped(
        f"{BOOK}Digitized by the Lamp Project\n\n{BOOK}Source gallica.bnf.fr / Bibliothèque\n\n{BOOK}"
    )
    assert body == (BOOK * 3).strip()
    assert reasons == {"library's stamp"}


def test_fields_at_the_head_name_the_work() -> None:
    body, _, fields = stripped(f"Title: The Ferry\nAuthor: A. Writer\nDate first posted: May 2004\n\n{BOOK}")
    assert body == BOOK.strip()
    assert fields == {"title": "The Ferry", "author": "A. Writer"}


def test_a_transcribers_note_goes_with_its_paragraphs() -> None:
    body, reasons, _ = stripped(f"Transcriber's Notes:\n\nSpelling was kept.\n\nSo were commas.\n\n\n\n\n{BOOK}")
    assert body == BOOK.strip()
    assert reasons == {"transcriber's note"}


def test_a_library_says_its_word_after_the_book() -> None:
    text = f"{BOOK * 30}À propos de cette édition électronique\n\nCorrections par le groupe."
    assert stripped(text)[0] == (BOOK * 30).strip()


def test_a_letter_in_a_story_keeps_its_head() -> None:
    story = f"{'A long paragraph before the letter. ' * 20}\n\nTo: the harbour master\nFrom: his wife\n\n{BOOK}"
    assert "harbour master" in stripped(story)[0]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "BeQ\n\nLa Bibliothèque électronique du Québec\nVolume 1 : version 1.0",
            "Cet ouvrage est le 12e publié\npar des amis.",
        ),
        ("See other formats\n\nCopyright, 1901, by A. Writer", ""),
        ("Usage guidelines\n\nWe also ask that you:\n\n+ Keep it legal. Whatever you do.", ""),
        ("1/ Les contenus accessibles sur le site Gallica sont libres.\n\n2/ Les contenus de Gallica sont là.", ""),
        (
            "Title: The Ferry\nAuthor: A. Writer\n\nDate first posted: May 2004\n\nFaded Page eBook #1",
            "[End of The Ferry, by A. Writer]",
        ),
        ("Smashwords Edition\n\nThis ebook is licensed for your personal use.", "Connect with A. Writer online: here."),
        ("", "Ce livre numérique\n\na été fait par des amis.\n\n— Qualité :\n\nBonne."),
    ],
)
def test_what_other_libraries_put_around_a_book_goes(before: str, after: str) -> None:
    body, reasons, _ = stripped(f"{before}\n\n{BOOK * 30}{after}")
    assert body == (BOOK * 30).strip()
    assert reasons <= {"library's note", "copyright page"}
