"""Plain text: encodings, wrapped lines, verse, headings, Gutenberg's frame."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quire.books import pulse
from quire.books.book import Book
from quire.books.plain import txt
from quire.errors import BookError

FRENCH = "« Où va-t-elle ? » demanda l’aîné… Personne n’osa répondre, tant la nuit était noire ; l’œil même se taisait."


def read(tmp_path: Path, data: str | bytes) -> Book:
    path = tmp_path / "book.txt"
    path.write_bytes(data.encode("utf-8") if isinstance(data, str) else data)
    (book,) = txt.read(path)
    return book


def blocks(book: Book) -> list[tuple[str, str]]:
    return [(block.kind, block.text) for chapter in book.chapters for block in chapter.blocks]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_every_usual_encoding_gives_the_same_text(tmp_path: Path, encoding: str) -> None:
    text = f"{FRENCH}\n\n{FRENCH}\n\nLa fin.\n"
    data = text.encode(encoding)
    if encoding == "utf-16-be":
        data = data if len(data) % 2 == 0 else data + b"\x00"
    assert [text for _, text in blocks(read(tmp_path, data))] == [FRENCH, FRENCH, "La fin."]


def test_mac_roman_with_bare_returns_is_recognised(tmp_path: Path) -> None:
    text = "Élève très sérieux, déjà âgé, où étiez-vous ?\r\rÀ l’école, répondit-il ; c’était là."
    assert blocks(read(tmp_path, text.encode("mac-roman")))[1][1] == "À l’école, répondit-il ; c’était là."


def test_what_gutenberg_declares_is_believed_first(tmp_path: Path) -> None:
    head = "The Project Gutenberg EBook of X\n\nTitle: Été\n\nAuthor: Léa Noël\n\nLanguage: French\n\n"
    head += "Character set encoding: ISO-8859-1\n\n*** START OF THIS PROJECT GUTENBERG EBOOK X ***\n\n"
    body = "\n\n".join(f"Voilà déjà l'été numéro {n}, disait-elle ; personne ne l'écoutait." for n in range(8))
    tail = "\n\n*** END OF THIS PROJECT GUTENBERG EBOOK X ***\n\nEnd of licence, do not read.\n"
    book = read(tmp_path, (head + body + tail).encode("latin-1"))
    assert (book.title, book.author, book.language) == ("Été", "Léa Noël", "fr")
    assert "licence" not in book.text
    assert blocks(book)[0][1].startswith("Voilà déjà l'été numéro 0")
    assert {drop.reason for drop in book.dropped} == {"Gutenberg header", "Gutenberg licence"}


def test_wrapped_lines_become_paragraphs_again(tmp_path: Path) -> None:
    paragraphs = [" ".join(f"word{n}{m}" for m in range(40)) + "." for n in range(6)]
    wrapped = "\r\n\r\n".join("\r\n".join(textwrap.wrap(p, 68)) for p in paragraphs)
    assert blocks(read(tmp_path, wrapped)) == [("paragraph", p) for p in paragraphs]


def test_verse_among_wrapped_prose_keeps_its_lines(tmp_path: Path) -> None:
    prose = "\n".join(textwrap.wrap("It was an evening of no great promise and the rain had come to stay. " * 6, 70))
    verse = (
        "  The tide went out, the tide came in,\n  And no one marked the "
        "hour,\n  But she who wept beside the whin\n  That never bore a flower."
    )
    found = blocks(read(tmp_path, f"{prose}\n\n{verse}\n\n{prose}\n"))
    assert [kind for kind, _ in found] == ["paragraph", "verse", "paragraph"]
    assert found[1][1].split("\n")[1] == "And no one marked the hour,"


def test_a_line_a_paragraph_is_kept_as_such(tmp_path: Path) -> None:
    paragraphs = [f"Paragraph {n} " + "goes on for a while without any line end at all " * 6 for n in range(5)]
    assert [text for _, text in blocks(read(tmp_path, "\n".join(paragraphs)))] == [p.strip() for p in paragraphs]


@pytest.mark.parametrize(
    "headings",
    [
        ["CHAPTER I", "CHAPTER II", "CHAPTER III"],
        ["Chapter One", "Chapter Two", "Epilogue"],
        ["CHAPITRE PREMIER", "CHAPITRE II", "ÉPILOGUE"],
        ["I", "II", "III"],
        ["1.", "2.", "3."],
        ["I. The Boat", "II. The Bank", "III. The Return"],
        ["PROLOGUE", "Part the First", "Part the Second"],
    ],
)
def test_headings_open_chapters(tmp_path: Path, headings: list[str]) -> None:
    body = "Nothing happened for a long time, and then it rained on all of them alike.\n\n“Well,” she said."
    book = read(tmp_path, "\n\n\n".join(f"{heading}\n\n{body}" for heading in headings))
    assert [chapter.title for chapter in book.chapters] == headings
    assert all(len(chapter.blocks) == 2 for chapter in book.chapters)


def test_a_list_of_contents_is_dropped_and_named(tmp_path: Path) -> None:
    titles = [f"CHAPTER {n}" for n in ("I", "II", "III", "IV", "V")]
    contents = "CONTENTS\n\n" + "\n".join(titles)
    body = "\n\n\n".join(f"{title}\n\nA day passed, and then another one, and nobody counted." for title in titles)
    book = read(tmp_path, f"{contents}\n\n\n{body}")
    assert [chapter.title for chapter in book.chapters] == titles
    assert {drop.reason for drop in book.dropped} == {"contents"}


def test_a_title_line_joins_the_number_above(tmp_path: Path) -> None:
    body = "It was late. The lamp had gone out twice, and the third time they left it so.\n\nHe slept."
    book = read(tmp_path, f"CHAPTER I\n\nTHE LAMP\n\n{body}\n\n\nCHAPTER II\n\nTHE OIL\n\n{body}")
    assert [chapter.title for chapter in book.chapters] == ["CHAPTER I\nTHE LAMP", "CHAPTER II\nTHE OIL"]


def test_a_sentence_that_begins_with_part_is_no_heading(tmp_path: Path) -> None:
    book = read(
        tmp_path, "Part of it was true.\n\nBook in hand, he left.\n\nI went too.\n\nChapter and verse, she said."
    )
    assert len(book.chapters) == 1
    assert len(book.chapters[0].blocks) == 4


def test_scene_breaks_survive_as_one_sign(tmp_path: Path) -> None:
    text = "One thing was over.\n\n*   *   *\n\nAnother thing began, and it was longer.\n\n#\n\nThe third."
    assert [kind for kind, _ in blocks(read(tmp_path, text))] == [
        "paragraph",
        "break",
        "paragraph",
        "break",
        "paragraph",
    ]


def test_bidi_and_control_characters_go_and_are_counted(tmp_path: Path) -> None:
    book = read(
        tmp_path, "A \u202etrap\u202c for\x00 eyes.\x1b[31m\n\nAnd a second\u200b paragraph of words.\n\nThird."
    )
    assert "trap for eyes." in book.text
    assert "second paragraph" in book.text
    assert any("bidirectional" in warning for warning in book.warnings)


def test_mojibake_is_repaired_when_certain(tmp_path: Path) -> None:
    spoilt = "\n\n".join([FRENCH] * 3).encode("utf-8").decode("cp1252", "ignore")
    assert "demanda l’aîné" in read(tmp_path, spoilt).text


def test_a_frame_without_a_body_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BookError, match="nothing but Gutenberg"):
        read(tmp_path, "The Project Gutenberg EBook of X\n\n*** START OF THE PROJECT GUTENBERG EBOOK X ***\n\nX\n")


@given(
    st.lists(
        st.lists(st.sampled_from("sea rope oar stone gull wind bread night".split()), min_size=30, max_size=60),
        min_size=4,
        max_size=8,
    )
)
def test_no_word_is_lost_by_unwrapping(paragraphs: list[list[str]]) -> None:
    text = "\n\n".join("\n".join(textwrap.wrap(" ".join(words) + ".", 60)) for words in paragraphs)
    book = txt.read_text("memory", text)
    assert book.text.split() == [word for words in paragraphs for word in (" ".join(words) + ".").split()]


def long(number: int) -> str:
    ferries = "the ferry, " * (number % 5)
    return f"Paragraph {number} went on about {ferries}the bank and the weather until nobody listened."


STANZA = ["The ferry is late,", "The candle is low", "And nobody here", "Can tell me so."]


def test_verse_between_indented_paragraphs_keeps_its_lines(tmp_path: Path) -> None:
    parts = []
    for n in range(12):
        parts += textwrap.wrap(long(n), 50, initial_indent="    ")
        if n % 4 == 3:
            parts += ["", *(f"        {'  ' if row % 2 else ''}{line}" for row, line in enumerate(STANZA)), ""]
    found = blocks(read(tmp_path, "\n".join(parts)))
    assert [text for kind, text in found if kind == "verse"] == ["\n".join(STANZA)] * 3
    assert [text for kind, text in found if kind == "paragraph"] == [long(n) for n in range(12)]


@pytest.mark.parametrize("gap", ["\n", "\n\n"])
def test_verse_between_paragraphs_of_one_line_each_keeps_its_lines(tmp_path: Path, gap: str) -> None:
    parts = [f"\n{chr(10).join(STANZA)}\n" if n % 4 == 3 else long(n) for n in range(16)]
    found = blocks(read(tmp_path, gap.join(parts)))
    assert [text for kind, text in found if kind == "verse"] == ["\n".join(STANZA)] * 4
    assert sum(kind == "paragraph" for kind, _ in found) == 12


def test_notes_leave_the_text_with_their_marks(tmp_path: Path) -> None:
    wrapped = [textwrap.fill(long(n) + ("[1]" if n == 3 else ""), 60) for n in range(8)]
    book = read(tmp_path, "\n\n".join([*wrapped, "FOOTNOTES:", "[1] It was a small ferry."]))
    assert [note.text for note in book.notes] == ["It was a small ferry."]
    assert [text for _, text in blocks(book)] == [long(n) for n in range(8)]


def test_titles_under_bare_numerals_belong_to_them(tmp_path: Path) -> None:
    parts = []
    for numeral, title in (("I", "The Boat"), ("II", "The Bank"), ("III", "The Bridge")):
        parts += [f"\n{numeral}\n\n{title}\n", *(long(n) for n in range(6))]
    book = read(tmp_path, "\n".join(parts))
    assert [chapter.title for chapter in book.chapters] == ["I\nThe Boat", "II\nThe Bank", "III\nThe Bridge"]


def test_titles_of_poems_are_told_by_the_space_above(tmp_path: Path) -> None:
    titles = ["Sonnet 1", "Sonnet 2", "To a Ferryman", "Sonnet 3", "The Late Boat", "Sonnet 4"]
    text = "".join(f"\n\n\n\n{title}\n\n{chr(10).join(f'  {line}' for line in STANZA * 3)}\n" for title in titles)
    book = read(tmp_path, f"{textwrap.fill(long(1) * 3, 70)}\n\n{textwrap.fill(long(2) * 4, 70)}\n{text}")
    assert [chapter.title for chapter in book.chapters][-6:] == titles


def test_the_author_under_the_title_is_no_text(tmp_path: Path) -> None:
    text = f"The Ferry\n\nby Ada Writer\n\nChapter I\n\n{long(1)}\n\n{long(2)}\n\nChapter II\n\n{long(3)}\n"
    book = read(tmp_path, text)
    assert book.author == "Ada Writer"
    assert [text for _, text in blocks(book)] == [long(1), long(2), long(3)]


def test_indented_speeches_of_one_line_are_paragraphs(tmp_path: Path) -> None:
    texts = [long(n) if n % 5 == 0 else f"— Did {n} of them come? asked the other." for n in range(40)]
    rows = [row for text in texts for row in textwrap.wrap(text, 60, initial_indent="    ")]
    assert blocks(read(tmp_path, "\n".join(rows))) == [("paragraph", text) for text in texts]


def test_a_long_text_gives_signs_of_life(tmp_path: Path) -> None:
    beats: list[int] = []
    pulse.listen(lambda: beats.append(1))
    try:
        read(tmp_path, "\n\n".join(["A line of it."] * 3000))
    finally:
        pulse.listen(None)
    assert len(beats) >= 8


def test_french_editions_set_the_author_above_the_title(tmp_path: Path) -> None:
    text = "Anne Passeur\n\n\nLE BAC\n\n(1884)\n\n\n" + "\n\n\n".join(
        f"CHAPITRE {number}\n\n" + "\n\n".join(["Le bac partit à six heures, et personne ne le vit."] * 6)
        for number in ("PREMIER", "II", "III")
    )
    book = read(tmp_path, text)
    assert (book.title, book.author) == ("LE BAC", "Anne Passeur")
    assert [chapter.title for chapter in book.chapters] == ["CHAPITRE PREMIER", "CHAPITRE II", "CHAPITRE III"]
