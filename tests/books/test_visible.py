"""Characters that nobody sees are named."""

from __future__ import annotations

import pytest

from quire.books.visible import show_unseen


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", "‹U+001B›[2J"),
        ("a\u202eb", "a‹U+202E›b"),
        ("\x00\x9b\ufeff", "‹U+0000›‹U+009B›‹U+FEFF›"),
        ("\ud800", "‹U+D800›"),
    ],
)
def test_controls_are_shown_by_their_numbers(text: str, shown: str) -> None:
    assert show_unseen(text) == shown


@pytest.mark.parametrize("text", ["two\nlines\tand a tab", "« Ça va ? » — “Yes”", "می‌خواهم", "שלום", "👩‍🚀"])
def test_what_people_write_stays(text: str) -> None:
    assert show_unseen(text) == text
