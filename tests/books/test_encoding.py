"""From bytes to text, and which encoding was found."""

from __future__ import annotations

import pytest

from quire.books.encoding import decode, utf16_without_mark

TEXT = "« Où va-t-elle ? » — L’été, déjà…\n" * 3


@pytest.mark.parametrize(
    ("written", "found"),
    [
        ("utf-8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("utf-16-le", "utf-16-le"),
        ("utf-16-be", "utf-16-be"),
        ("cp1252", "cp1252"),
        ("mac-roman", "mac-roman"),
    ],
)
def test_the_encoding_is_found_without_being_told(written: str, found: str) -> None:
    assert decode(TEXT.encode(written)) == (TEXT, found, [])


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_byte_order_mark_decides(encoding: str) -> None:
    assert decode("\ufeffé".encode(encoding)) == ("é", encoding, [])


def test_a_declaration_is_believed_unless_the_bytes_deny_it() -> None:
    head = b"Project Gutenberg\nCharacter set encoding: ISO-8859-1\n\n"
    assert decode(head + "déjà".encode("latin-1"))[0].endswith("déjà")
    assert decode(head + "“déjà”".encode("cp1252"))[0].endswith("“déjà”")
    assert decode(head + "déjà".encode())[0].endswith("déjà")
    assert decode(head.replace(b"ISO-8859-1", b"Klingon") + "déjà".encode())[1] == "utf-8"


def test_lines_of_another_encoding_amid_utf8_are_counted() -> None:
    good = "C’était l’été, déjà.\n".encode() * 4
    text, encoding, warnings = decode(good + "Élevé à Nîmes\n".encode("cp1252") + "\xe9té d’".encode("cp1252") + good)
    assert encoding == "utf-8"
    assert "Élevé à Nîmes\n" in text
    assert warnings == [
        "1 lines were in Windows-1252 in a file that is otherwise UTF-8",
        "1 lines hold bytes that are no text; they were replaced by U+FFFD",
    ]


def test_two_bytes_a_letter_are_told_by_their_zeros() -> None:
    assert utf16_without_mark("plain words".encode("utf-16-le")) == "utf-16-le"
    assert utf16_without_mark("plain words!".encode("utf-16-be")) == "utf-16-be"
    assert utf16_without_mark(b"plain words, one byte each.") == ""


@pytest.mark.parametrize("encoding", ["cp1252", "mac-roman"])
@pytest.mark.parametrize(
    "text",
    [
        "“There’s one thing,” he said — “nothing, ma’am.” She didn’t know…",
        "‘It’s late.’",
        "« À quoi bon ? » dit-elle. L’été était déjà passé, là-bas ; où est-il allé ?",
        "Où ça ?",
        "ÉTÉ — L’ÂME",
        "Das Mädchen führte über die Brücke – „schön“, sagte er, größer.",
        "El niño no podía más: ¿dónde está? ¡Allí!",
    ],
)
def test_windows_and_mac_are_told_apart_by_where_capitals_stand(text: str, encoding: str) -> None:
    assert decode(text.encode(encoding))[0] == text
