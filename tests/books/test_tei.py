"""TEI: chapters, verse, speeches, editors' choices."""

from __future__ import annotations

from pathlib import Path

from bookfiles import PARAGRAPHS as P
from bookfiles import VERSE, blocks
from quire.books import tei


def test_tei(tmp_path: Path) -> None:
    path = tmp_path / "b.xml"
    path.write_text(
        '<TEI xmlns="http://www.tei-c.org/ns/1.0"><teiHeader>'
        "<fileDesc><titleStmt><title>The Ferry : ELTeC edition</title>"
        "<author>Writer, A. (1801-1880)</author></titleStmt></fileDesc></teiHeader><text><body>"
        f'<div type="chapter"><head>I. The Boat</head><p>{P[0]}<note>A '
        f'note.</note></p><pb n="2"/><p>{P[1][:30]}\n   {P[1][30:].lstrip()}</p>'
        f"<lg><l>{VERSE.split(chr(10))[0]}</l><l>{VERSE.split(chr(10))[1]}</l>"
        f'</lg></div><div type="chapter"><head>II. The Bank</head>'
        f"<p>{P[2]}</p><p>{P[3]}</p></div></body></text></TEI>",
        encoding="utf-8",
    )
    (book,) = tei.read(path)
    assert [note.text for note in book.notes] == ["A note."]
    text = P[1][:30] + " " + P[1][30:].lstrip()
    assert blocks(book)[1] == ("paragraph", " ".join(text.split()))
    assert (book.title, book.author) == ("The Ferry", "A. Writer")
    assert blocks(book)[2] == ("verse", VERSE)
    assert [chapter.title for chapter in book.chapters] == ["I. The Boat", "II. The Bank"]


def test_tei_speeches_choices_and_cut_words(tmp_path: Path) -> None:
    path = tmp_path / "b.xml"
    path.write_text(
        '<TEI xmlns="http://www.tei-c.org/ns/1.0"><text><body><div '
        'type="act"><head>Act I</head><stage>Enter a fool.</stage>'
        "<sp><speaker>Fool.</speaker><l>A <choice><sic>worde</sic><corr>word</corr></choice>,</l><l>then none.</l></sp>"
        '<p>Hy<lb break="no"/>phen and <lb/>line.</p></div></body></text></TEI>'
    )
    (book,) = tei.read(path)
    assert blocks(book) == [
        ("direction", "(Enter a fool.)"),
        ("speech", "Fool.\nA word,\nthen none."),
        ("paragraph", "Hyphen and line."),
    ]
