"""Collections of poems: each poem a work with its title, its author, its lines and stanzas."""

from __future__ import annotations

from pathlib import Path

from docx import Document

from quire.books.book import Block, Book, Chapter, Place
from quire.books.limits import ReadOptions
from quire.books.poems import as_poems
from quire.books.readers import Kind, read_kind

POEMS = ReadOptions(format="poems")
EVENING = """The river goes where rivers go,
And takes the evening down,
A lamp or two, a little snow,
The bells of half a town."""
STANZAS = (
    EVENING,
    "And I who had a boat to mend\nSat idle on the stone,\nAs if the river were a friend\nAnd would not go alone.",
)


def verse(text: str, number: int = 1) -> Block:
    return Block("verse", text, Place("p", "line", number))


def line(text: str, number: int = 1) -> Block:
    return Block("paragraph", text, Place("p", "paragraph", number))


def heading(text: str) -> Block:
    return Block("heading", text, Place("p", "line", 1))


def book(*chapters: Chapter) -> Book:
    return Book(path="p", title="Songs of the Bank", author="A. Writer", chapters=chapters, columns=(("age", "old"),))


def read(path: Path, kind: Kind) -> list[Book]:
    return [poem for found in read_kind(kind, path, POEMS) for poem in as_poems(found)]


def test_each_titled_chapter_is_a_poem_and_columns_stay() -> None:
    dusk, dawn = Chapter("Dusk", (verse(STANZAS[0]), verse(STANZAS[1]))), Chapter("Dawn", (verse(STANZAS[1]),))
    poems = as_poems(book(dusk, dawn))
    assert [(poem.title, poem.author, poem.kind) for poem in poems] == [
        ("Dusk", "A. Writer", "poems"),
        ("Dawn", "A. Writer", "poems"),
    ]
    assert poems[1].columns == (("age", "old"),)
    assert poems[0].text == f"Dusk\n\n{STANZAS[0]}\n\n{STANZAS[1]}"


def test_numbers_under_a_title_are_parts_and_under_a_cycle_poems() -> None:
    blocks = (heading("I"), verse(STANZAS[0]), heading("II"), verse(STANZAS[1]))
    (poem,) = as_poems(book(Chapter("The Flood", blocks)))
    assert [block.kind for block in poem.chapters[0].blocks] == ["heading", "verse", "heading", "verse"]
    assert [poem.title for poem in as_poems(book(Chapter("Sonnets", blocks)))] == ["Sonnets I", "Sonnets II"]


def test_numbers_under_a_poem_inside_a_section_are_its_parts() -> None:
    blocks = (heading("The Flood"), heading("I"), verse(STANZAS[0]), heading("II"), verse(STANZAS[1]), heading("Dawn"),
              verse(STANZAS[1]))  # fmt: skip
    poems = as_poems(book(Chapter("Water", blocks)))
    assert [poem.title for poem in poems] == ["The Flood", "Dawn"]


def test_numbers_under_the_title_of_a_cycle_inside_a_section_are_poems() -> None:
    fourteen = "\n".join(f"A line of verse that is the number {number}" for number in range(14))
    sonnets = [part for number in ("I", "II", "III") for part in (heading(number), verse(fourteen))]
    blocks = (heading("To the Pilot"), *sonnets, heading("The Flood"), heading("I"), verse(STANZAS[0]), heading("II"),
              verse(STANZAS[1]))  # fmt: skip
    poems = as_poems(book(Chapter("The Bank", blocks)))
    assert [poem.title for poem in poems] == ["To the Pilot I", "To the Pilot II", "To the Pilot III", "The Flood"]


def test_poems_without_titles_are_called_by_their_first_lines() -> None:
    gap = Block("break", "* * *", Place("p", "line", 5))
    poems = as_poems(book(Chapter(None, (verse(STANZAS[0]), gap, verse(STANZAS[1])))))
    assert [poem.title for poem in poems] == ["The river goes where rivers go", "And I who had a boat to mend"]
    assert [poem.chapters[0].title for poem in poems] == [None, None]


def test_stanzas_of_fourteen_lines_are_sonnets() -> None:
    fourteen = "\n".join(f"A line of verse that is the number {number}" for number in range(14))
    assert len(as_poems(book(Chapter("To No One", tuple(verse(fourteen) for _ in range(5)))))) == 5


def test_lines_that_name_an_author_are_taken_for_that() -> None:
    chapters = (
        Chapter("Dusk", (line("by Ada Ferry"), verse(STANZAS[0]))),
        Chapter("Dawn", (verse(STANZAS[1]), line("—Joss Bank"))),
        Chapter("Noon", (line("To the old pilot"), verse(STANZAS[1]))),
    )
    poems = as_poems(book(*chapters))
    assert [poem.author for poem in poems] == ["Ada Ferry", "Joss Bank", "A. Writer"]
    assert [drop.reason for poem in poems for drop in poem.dropped] == ["author line", "author line"]
    assert poems[2].chapters[0].blocks[0].text == "To the old pilot"


def test_prose_around_the_poems_is_dropped_with_its_reason() -> None:
    preface = Chapter("Preface", (line("These songs were written on the bank."),), "front")
    (poem,) = as_poems(book(preface, Chapter("Dusk", (verse(STANZAS[0]),))))
    assert [drop.reason for drop in poem.dropped] == ["prose around the poems"]


def test_a_text_file_of_poems_under_their_titles(tmp_path: Path) -> None:
    path = tmp_path / "songs.txt"
    path.write_text(f"DUSK\n\n{STANZAS[0]}\n\n{STANZAS[1]}\n\n\nDAWN\n\n{STANZAS[1]}\n\n\nTHE BELL\n\n{STANZAS[0]}\n")
    poems = read(path, "txt")
    assert [poem.title for poem in poems] == ["DUSK", "DAWN", "THE BELL"]
    assert [block.text for block in poems[0].chapters[0].blocks] == list(STANZAS)


def test_a_file_of_one_poem_has_its_title_and_its_author(tmp_path: Path) -> None:
    path = tmp_path / "bell.txt"
    path.write_text(f"The Bell\nby Ada Ferry\n\n{STANZAS[0]}\n\n{STANZAS[1]}\n")
    (poem,) = read(path, "txt")
    assert (poem.title, poem.author) == ("The Bell", "Ada Ferry")
    assert poem.text == f"The Bell\n\n{STANZAS[0]}\n\n{STANZAS[1]}"
    path.write_text(f"The Bell\n\n{STANZAS[0]}\n")
    assert [poem.title for poem in read(path, "txt")] == ["The Bell"]
    path.write_text(f"The Bell\n\n{STANZAS[0]}\n\n\nThe Oar\n\n{STANZAS[1]}\n")
    assert [poem.title for poem in read(path, "txt")] == ["The Bell", "The Oar"]


def test_a_word_file_with_a_paragraph_a_line(tmp_path: Path) -> None:
    document = Document()
    for title in ("Dusk", "Dawn"):
        document.add_heading(title, 1)
        for stanza in STANZAS:
            for text in stanza.split("\n"):
                document.add_paragraph(text)
            document.add_paragraph("")
    document.save(str(tmp_path / "songs.docx"))
    poems = read(tmp_path / "songs.docx", "docx")
    assert [poem.title for poem in poems] == ["Dusk", "Dawn"]
    lines = [text for block in poems[0].chapters[0].blocks for text in block.text.split("\n")]
    assert lines == "\n".join(STANZAS).split("\n")


def test_an_end_or_the_poets_name_is_no_title_and_what_follows_has_its_own() -> None:
    blocks = (verse(STANZAS[0]), line("FINIS."), line("THE BELL"), verse(STANZAS[1]), line("A. WRITER."),
              line("The Old Pilot"), verse(STANZAS[0]))  # fmt: skip
    poems = as_poems(book(Chapter("Dusk", blocks)))
    assert [poem.title for poem in poems] == ["Dusk", "THE BELL", "The Old Pilot"]
    assert poems[0].chapters[0].blocks[-1].text == "FINIS."
    chapters = (Chapter("Dusk", blocks[:1]), Chapter("FINIS", (line("The Bell"), verse(STANZAS[1]))))
    assert [poem.title for poem in as_poems(book(*chapters))] == ["Dusk", "The Bell"]


def test_the_name_of_a_part_is_not_that_of_its_first_poem() -> None:
    blocks = (line("The Old Pilot"), verse(STANZAS[0]))
    assert [poem.title for poem in as_poems(book(Chapter("BOOK I. THE BANK", blocks)))] == ["The Old Pilot"]
    assert [poem.title for poem in as_poems(book(Chapter("Dusk", blocks)))] == ["Dusk"]


def test_a_preface_in_broken_lines_is_prose_though_all_lines_are_kept() -> None:
    lines = "\n".join(
        [
            "These songs were written on the bank, in the year of the long rain, by",
            "a man who had nothing to do but to wait for a boat; he has changed not",
            "a word of them since, and is sorry for it, for there are some that are",
            "longer than the wait was.",
        ]
    )
    short = "He asks that they be read aloud, and not too slowly, and not to anyone\nwho rows."
    (poem,) = as_poems(book(Chapter("Preface", (verse(lines), verse(short))), Chapter("Dusk", (verse(STANZAS[0]),))))
    assert poem.title == "Dusk"
    assert [drop.reason for drop in poem.dropped] == ["prose around the poems"]


def test_an_introduction_that_quotes_verse_is_no_poem_and_a_poem_with_an_argument_is() -> None:
    prose = line("The singer of these songs was never heard of again on either bank of the river. " * 12)
    quoted = Chapter("Introduction", (prose, verse(STANZAS[0]), prose))
    argued = Chapter("The Flood", (line("The river rises, and the singer does not."), *map(verse, STANZAS)))
    assert [poem.title for poem in as_poems(book(quoted, argued))] == ["The Flood"]
