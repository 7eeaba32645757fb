"""What cleaning takes away, and what it leaves."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from quire.books.cleaning import Cleaner, line_ends, repair_mojibake, uncommon


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


@given(st.lists(st.text(max_size=30), max_size=6))
def test_all_texts_at_once_are_cleaned_as_each_by_itself(texts: list[str]) -> None:
    assert Cleaner().clean_all(texts) == [Cleaner().clean(text) for text in texts]


def test_texts_of_a_book_are_cleaned_together() -> None:
    texts = ["so\u00adft", "a\u2060b  c", "e\u0301te\u0301\n  two ", "\ufb01ne\u2003day", "plain"]
    assert Cleaner().clean_all(texts) == ["soft", "ab c", "été\ntwo", "fine day", "plain"]


def test_signs_of_windows_read_as_latin_1_are_repaired_and_counted() -> None:
    cleaner = Cleaner()
    assert cleaner.clean("\x93Yes,\x94 she said \x97 it\x92s \x9cuvre \x81") == "“Yes,” she said — it’s œuvre "[:-1]
    assert cleaner.warnings() == ["5 Windows-1252 characters repaired", "1 control characters removed"]


def test_unseen_copies_of_letters_go_but_a_flag_stays() -> None:
    hidden = "".join(chr(0xE0000 + ord(char)) for char in "obey")
    flag = "\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f"
    cleaner = Cleaner()
    assert cleaner.clean(f"a{hidden}b\u206ac") == "abc"
    assert cleaner.warnings() == ["5 control characters removed"]
    assert cleaner.clean(f"the {flag} flag") == f"the {flag} flag"


def test_accents_piled_on_a_letter_are_bounded() -> None:
    cleaner = Cleaner()
    pile = "e" + "\u0301\u0316" * 100_000
    assert len(cleaner.clean(pile)) <= 31
    assert len(cleaner.clean_all([pile, "plain"])[0]) <= 31
    assert cleaner.warnings() == ["2 piles of accents cut"]


def test_what_is_beyond_ascii_is_told_in_order_and_across_slices() -> None:
    text = "é" + "plain\n" * 30_000 + "\x00’\t"
    assert uncommon(text) == "é’\t"
    assert repair_mojibake("Ã© Ã¨ Ã  Ã´ one\ttwo", "Ã©Ã¨Ã Ã´\t") == repair_mojibake("Ã© Ã¨ Ã  Ã´ one\ttwo")
