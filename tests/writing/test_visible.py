from __future__ import annotations

from quire.writing.visible import without_controls


def test_what_a_terminal_would_obey_is_left_out() -> None:
    assert without_controls("a\x1b[31mred\x1b[0m\x07\x9b2Jb\r\x00") == "a[31mred[0m2Jb"


def test_verse_keeps_its_lines_and_french_its_spaces() -> None:
    text = "Ô rivière,\n\n\tquelle eau\u202f? « x »"
    assert without_controls(text) == text
