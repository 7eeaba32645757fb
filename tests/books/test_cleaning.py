"""What cleaning takes away, and what it leaves."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from quire.books.cleaning import Cleaner, line_ends, repair_mojibake


@given(st.text(max_size=60))
def test_cleaning_twice_changes_nothing_more(text: str) -> None:
    once = Cleaner().clean(text)
    assert Cleaner().clean(once) == once
    assert unicodedata.is_normalized("NFC", once)
    assert not any(unicodedata.category(char) == "Cc" and char != "\n" for char in once)


def test_no_break_spaces_and_joiners_of_other_scripts_stay() -> None:
    assert Cleaner().clean("Où\u202f? « Ici\u00a0»") == "Où\u202f? « Ici\u00a0»"
    assert Cleaner().clean("می\u200cخواهم") == "می\u200cخواهم"
    assert Cleaner().clean("soft\u00adhyphen zero\u200bwidth") == "softhyphen zerowidth"


def test_mojibake_is_left_alone_when_it_may_be_meant() -> None:
    assert repair_mojibake("Ã© is what é becomes; à, è and ù too.") == ("Ã© is what é becomes; à, è and ù too.", 0)
    meant = "déjà l’été, là où l’on s’ennuie"
    assert repair_mojibake(meant.encode("utf-8").decode("cp1252")) == (meant, 9)


def test_what_was_taken_away_is_counted_and_told() -> None:
    cleaner = Cleaner()
    assert cleaner.clean("a\x1b[31mb\x00c \u202ed\u202c") == "abc d"
    assert cleaner.clean("a\ud800b") == "a\ufffdb"
    assert cleaner.warnings() == [
        "2 bidirectional controls removed",
        "1 broken characters replaced",
        "2 control characters removed",
    ]


def test_marks_of_direction_stay_where_something_is_written_from_the_right() -> None:
    assert Cleaner().clean("שלום\u200f!") == "שלום\u200f!"
    assert Cleaner().clean("plain\u200f!") == "plain!"


def test_ligatures_and_decomposed_letters_become_plain_ones() -> None:
    assert Cleaner().clean("\ufb01nal e\ufb03cace e\u0301te\u0301") == "final efficace été"


def test_spaces_run_together_and_lines_keep_their_ends() -> None:
    assert Cleaner().clean("  one \t two\u2003three \r\n  four  \n") == "one two three\nfour"


def test_every_line_end_is_the_same_line_end() -> None:
    assert line_ends("a\r\nb\rc\x0cd\u2028e\x85f") == "a\nb\nc\nd\ne\nf"
