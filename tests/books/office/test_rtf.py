"""RTF: groups, letters in every spelling, notes, depth."""

from __future__ import annotations

from pathlib import Path

import pytest

from bookfiles import PARAGRAPHS as P
from bookfiles import VERSE, assert_small_book, blocks
from quire.books.office import rtf
from quire.errors import BookError


def _rtf(text: str) -> str:
    """Latin-1 letters as \\'hh, the rest as \\uN? with a substitute that has to be skipped."""
    out = []
    for char in text:
        if ord(char) < 128:
            out.append("\\" + char if char in "\\{}" else char)
        else:
            out.append(f"\\u{ord(char)}?" if ord(char) > 255 else f"\\'{ord(char):02x}")
    return "".join(out)


def test_rtf(tmp_path: Path) -> None:
    path = tmp_path / "b.rtf"
    body = (
        r"{\rtf1\ansi\ansicpg1252{\fonttbl{\f0 Times;}}{\stylesheet{\s0 Normal;}{\s1 heading 1;}}"
        r"{\info{\title The Ferry}{\author A. Writer}}{\*\generator Nobody;}{\header Running head\par}"
        rf"\pard\s1 I. The Boat\par\pard {_rtf(P[0])}{{\footnote A note.}}\par {_rtf(P[1])}\par"
        "\n" + _rtf(VERSE).replace("\n", r"\line ") + r"\par\pard\s1 II. The Bank\par\pard "
        rf"{_rtf(P[2])}\par{{\i {_rtf(P[3])}}}\par{{\pict\pngblip 89504e47}}}}"
    )
    path.write_text(body, encoding="ascii")
    (book,) = rtf.read(path)
    assert_small_book(book)
    assert [note.text for note in book.notes] == ["A note."]
    assert {drop.text for drop in book.dropped} == {"Running head"}


def test_rtf_letters_of_every_kind(tmp_path: Path) -> None:
    path = tmp_path / "b.rtf"
    path.write_bytes(
        rb"{\rtf1\ansi\uc1 L'\'e9t\'e9 \u8212- \u-10179?\u-8704? \emdash\~\{ok\}\par Second paragraph.\par}"
    )
    assert blocks(rtf.read(path)[0])[0][1] == "L'été — 😀 —\u00a0{ok}"


def test_deep_rtf_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "b.rtf"
    path.write_bytes(b"{\\rtf1 " + b"{" * 100_000)
    with pytest.raises(BookError, match="nested too deeply"):
        rtf.read(path)
