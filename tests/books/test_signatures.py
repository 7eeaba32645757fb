"""What is no book, by its first bytes and by its name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import bookfiles as making
from quire.books.kinds import find_kind
from quire.books.signatures import foreign, foreign_text
from quire.errors import BookError


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"RIFF\x00\x00\x00\x00WAVEfmt ", "sound or video"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "a picture"),
        (b"ID3\x04\x00", "sound"),
        (b"\xff\xfb\x90\x64", "sound"),
        (b"\x00\x00\x00\x20ftypisom", "video, sound or a picture"),
        (b"GIF89a", "a GIF picture"),
        (b"BZh91AY&SY", "a bzip2 archive"),
        (b"Rar!\x1a\x07\x00", "a RAR archive"),
        (b"\x1f\x8b\x08", "a gzip archive"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (bytes(60) + b"BOOKMOBI", "a Kindle book"),
        (bytes(60) + b"PNRdPPrs", "a Palm book"),
        (b"ITOLITLS\x01", "a Microsoft Reader book (.lit)"),
        (b"AT&TFORM\x00", "a DjVu scan"),
        (b"\xca\xfe\xba\xbe", "a program"),
    ],
)
def test_bytes_that_say_what_they_are(head: bytes, what: str) -> None:
    found = foreign(head)
    assert found is not None
    assert found[0] == what
    assert found[1]


@pytest.mark.parametrize(
    "words",
    ["RIFF-RAFF, he said.", "BZhang wrote to her.", "ID3 was the name.", "Rar! cried the lion.", "TPZ", "OggS and fLaC",
     "GIF8 or nothing", "xar!", "LZIP", "8BPS a day"],
)  # fmt: skip
def test_words_that_begin_like_that_are_words(words: str) -> None:
    assert foreign(words.encode()) is None


@pytest.mark.parametrize(
    ("name", "text", "what"),
    [
        (
            "a.py",
            "import os\n\ndef main(names):\n    print(f'{names}')\n",
            "source of a program",
        ),
        ("a.c", "#include <stdio.h>\nint main(void) { return 0; }\n", "source of a program"),
        ("a.css", "body { color: #333; margin: 0 }\n", "source of a program"),
        ("script", "#!/bin/sh\necho hello\n", "source of a program"),
        ("a.yaml", "name: x\nitems:\n  - one: 1\n  - two: [a, b]\n", "a file of settings"),
        ("a.svg", '<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0"/></svg>', "a drawing"),
        ("a.srt", "1\n00:00:01,000 --> 00:00:02,000\n[music]\n", "subtitles"),
        ("a.tex", "\\documentclass{book}\n\\begin{document}\nWords.\n", "a LaTeX source"),
        ("a", "\\documentclass{book}\n\\begin{document}\nWords.\n", "a LaTeX source"),
        ("a.doc", 'MIME-Version: 1.0\nContent-Type: multipart/related; boundary="x"\n\n<html>', "a web archive (.mht)"),
        ("a.log", "2026-01-01 [info] a=1 b=2 (ok)\n", "a log"),
        ("a.fodt", "<?xml version='1.0'?><office:document xmlns:office='x'/>", "a document in one XML file"),
        ("a.dat", "<?xml version='1.0'?><note><to>her</to></note>", "XML, but not TEI"),
    ],
)
def test_texts_for_programs_are_no_books(tmp_path: Path, name: str, text: str, what: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(BookError, match=re.escape(what)) as caught:
        find_kind(path)
    assert caught.value.code == "wrong-kind"
    assert caught.value.then


def test_prose_is_prose_under_any_name(tmp_path: Path) -> None:
    for name in ("a.py", "a.log", "a.cfg", "a.xyz", "a.1", "a.s", "noname"):
        path = tmp_path / name
        path.write_text("\n\n".join(making.PARAGRAPHS))
        assert find_kind(path) == "txt"
    assert foreign_text(Path("a.txt"), b"#!/bin/sh\necho\n") is None


def test_books_under_the_names_of_others_are_books(tmp_path: Path) -> None:
    assert find_kind(making.epub(tmp_path / "a.py", {"a.xhtml": "<p>Words.</p>"})) == "epub"
    assert find_kind(making.docx(tmp_path / "a.svg", "")) == "docx"
    (tmp_path / "a.css").write_text("<!DOCTYPE html><html><p>Words.</p></html>")
    assert find_kind(tmp_path / "a.css") == "html"
