"""RTF: groups, letters in every spelling, notes, depth."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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


def _text(tmp_path: Path, body: bytes) -> str:
    path = tmp_path / "b.rtf"
    path.write_bytes(rb"{\rtf1\ansi " + body + b"}")
    return rtf.read(path)[0].text


def test_the_bytes_of_a_picture_are_no_text(tmp_path: Path) -> None:
    picture = b"\xff\xd8{{{\\par }\\'41\x00"
    body = rb"Before {\pict\jpegblip\bin%d " % len(picture) + picture + rb"} and after.\par Then {\pict\bin999 x} this."
    assert _text(tmp_path, body) == "Before  and after.\n\nThen  this.".replace("  ", " ")


def test_a_file_that_ends_within_its_groups_says_so(tmp_path: Path) -> None:
    path = tmp_path / "b.rtf"
    path.write_bytes(rb"{\rtf1\ansi " + P[0].encode() + rb"\par {\b and then")
    (book,) = rtf.read(path)
    assert book.text == f"{P[0]}\n\nand then"
    assert any("cut off" in warning for warning in book.warnings)


def test_headings_by_style_by_rank_and_by_look(tmp_path: Path) -> None:
    styles = rb"{\stylesheet{\s0 Normal;}{\s1 heading 1;}{\s2\sbasedon1 My opening;}}"
    inner = rb"\pard\s1 One\par\pard %b\par\pard\s2 Two\par\pard %b\par{\pard\outlinelevel0 Three\par}\pard %b\par"
    text = tuple(part.encode("ascii") for part in (P[0], P[2], P[3]))
    path = tmp_path / "b.rtf"
    path.write_bytes(rb"{\rtf1\ansi" + styles + inner % text + b"}")
    assert [chapter.title for chapter in rtf.read(path)[0].chapters] == ["One", "Two", "Three"]
    body = b"".join(
        rb"\pard\qc\b\fs32 %b\b0\fs24\par\pard %b\par " % (t, x * 2)
        for t, x in zip((b"One", b"Two"), text, strict=False)
    )
    path.write_bytes(rb"{\rtf1\ansi " + body + b"}")
    assert [chapter.title for chapter in rtf.read(path)[0].chapters] == ["One", "Two"]


def test_hidden_deleted_and_annotated_text_goes_aside(tmp_path: Path) -> None:
    path = tmp_path / "b.rtf"
    inner = rb"Seen {\v hidden}{\deleted old}{\revised new}{\*\annotation Too long?} text.\par"
    path.write_bytes(rb"{\rtf1\ansi " + inner + b"}")
    (book,) = rtf.read(path)
    assert book.text == "Seen new text."
    assert sorted(drop.text for drop in book.dropped) == ["Too long?", "hidden", "old"]


def test_letters_are_read_by_the_code_page_of_their_font(tmp_path: Path) -> None:
    fonts = rb"{\fonttbl{\f0\fcharset0 Times;}{\f1\fcharset204 Times Cyr;}{\f2\fcharset2 Symbol;}{\f3\fcharset128 MS;}}"
    body = fonts + rb"{\f0 \'e9}{\f1 \'e9}{\f2 a}{\f3 \'82\'a0} all of them here\par"
    assert _text(tmp_path, body) == "éйαあ all of them here"


def test_lists_of_contents_and_page_numbers_are_no_text(tmp_path: Path) -> None:
    contents = rb"{\field{\*\fldinst TOC \\o}{\fldrslt One\tab 3\par Two\tab 9\par}}"
    link = rb"{\field{\*\fldinst HYPERLINK \"x\"}{\fldrslt the pier}}"
    page = rb"{\field{\*\fldinst PAGE}{\fldrslt 7}}"
    assert _text(tmp_path, contents + rb"\pard See " + link + b"." + page + rb"\par") == "See the pier."


@settings(max_examples=60)
@given(body=st.text(alphabet="{}\\\\par ubin'e9-12*~;sf\n", max_size=80))
def test_any_run_of_control_words_is_read_or_refused(tmp_path: Path, body: str) -> None:
    path = tmp_path / "b.rtf"
    path.write_text("{\\rtf1\\ansi " + body, encoding="ascii")
    with suppress(BookError):
        assert rtf.read(path)
