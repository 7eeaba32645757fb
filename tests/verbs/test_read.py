"""`quire.read` and what `quire read --json` prints."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import bookfiles as making
from loopback_hub import point_client, serve_hub
from quire.errors import BookError, RecipeError
from quire.verbs.read import describe, describe_look, items_of, look, read


def test_files_folders_and_samples_make_one_shelf(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n\n".join(making.PARAGRAPHS), encoding="utf-8")
    shelf = read(tmp_path / "a.txt", "sample:novella")
    assert shelf.books[0].path == str(tmp_path / "a.txt")
    assert shelf.books[1].title


def test_the_facts_have_the_design_shape(tmp_path: Path) -> None:
    page = f"<body><h2>Chapter I<br/>The Boat</h2><p>{making.PARAGRAPHS[0]}</p></body>"
    cover = '<body><section epub:type="imprint"><p>Printed in a cellar.</p></section></body>'
    facts = describe(read(making.epub(tmp_path / "b.epub", {"i.xhtml": cover, "a.xhtml": page})))
    assert set(facts) == {"books"}
    (book,) = facts["books"]
    assert set(book) >= {"path", "title", "author", "language", "words", "chapters", "dropped", "warnings"}
    words = 4 + len(making.PARAGRAPHS[0].split())
    assert book["chapters"] == [{"title": "Chapter I The Boat", "words": words, "matter": "body"}]
    assert book["dropped"] == [{"reason": "imprint", "count": 1, "example": "Printed in a cellar."}]


def test_rows_are_filtered_and_their_column_named(shared_data: Path) -> None:
    path = shared_data / "poems" / "poems.jsonl"
    shelf = read(path, where={"age": "modern", "type": ["love", "NATURE"]}, text="content")
    assert {dict(book.columns)["age"] for book in shelf} == {"Modern"}
    assert len(shelf) == 198


def test_bad_files_are_shown_unless_strict(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n\n".join(making.PARAGRAPHS), encoding="utf-8")
    (tmp_path / "b.pdf").write_text("no pdf")
    facts = describe(read(tmp_path))
    assert [(Path(bad["path"]).name, bad["code"]) for bad in facts["unreadable"]] == [("b.pdf", "wrong-kind")]
    with pytest.raises(BookError, match=r"1 file could not be read; it: .*b\.pdf"):
        read(tmp_path, strict=True)


def test_bad_files_beside_good_ones_are_listed(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("\n\n".join(making.PARAGRAPHS), encoding="utf-8")
    (tmp_path / "b.pdf").write_text("no pdf")
    shelf = read(tmp_path / "a.txt", tmp_path / "b.pdf")
    assert (len(shelf), [bad.code for bad in shelf.unreadable]) == (1, ["wrong-kind"])
    with pytest.raises(BookError, match=r"b\.pdf"):
        read(tmp_path / "a.txt", tmp_path / "b.pdf", strict=True)
    with pytest.raises(BookError, match="is no PDF"):
        read(tmp_path / "b.pdf")


def rows(path: Path, count: int) -> Path:
    text = "The keeper counted {} boats that evening, and wrote the number down, and closed his book."
    path.write_text("".join(json.dumps({"words": text.format(n), "age": "old"}) + "\n" for n in range(count)))
    return path


def test_a_look_into_a_stream_counts_and_shows_the_first_works(tmp_path: Path) -> None:
    (seen,) = look(rows(tmp_path / "a.jsonl", 40), text="words", where={"age": "OLD"})
    facts = describe_look(seen)
    assert (facts["rows"], facts["works"], facts["left"], facts["whole"]) == (40, 40, 0, True)
    assert sum(facts["splits"].values()) == 40
    assert len(facts["books"]) == 12
    assert facts["books"][0]["title"] == "a, line 1"


def test_a_recipe_names_what_is_read(tmp_path: Path) -> None:
    rows(tmp_path / "a.jsonl", 3)
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("shelf: [{path: a.jsonl, text: words}]\n")
    assert len(read(recipe)) == 3
    (item,) = items_of(recipe, text="age")
    assert (item.path, item.text) == (str(tmp_path / "a.jsonl"), "age")
    recipe.write_text("shelf: [{path: a.jsonl, text: words, stream: true}]\n")
    assert [seen.tally.works for seen in look(recipe)] == [3]
    with pytest.raises(RecipeError, match="is a stream, which is not held in memory"):
        read(recipe)


def test_a_data_set_on_the_hub_is_read_where_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve_hub() as served:
        (tmp_path / "served").mkdir()
        rows(tmp_path / "served" / "train.jsonl", 5)
        served.datasets["owner/counts"] = tmp_path / "served"
        point_client(monkeypatch, served.url, tmp_path / "cache")
        shelf = read("hub:owner/counts", text="words")
        assert [book.path for book in shelf] == ["hub:owner/counts/train.jsonl"] * 5
        assert shelf.sources == (f"hub:owner/counts@{served.commit('owner/counts')}",)
        (seen,) = look("hub:owner/counts", text="words")
        assert (seen.source, seen.tally.works) == (shelf.sources[0], 5)


def test_a_source_that_cannot_be_streamed_is_refused_in_words() -> None:
    with pytest.raises(RecipeError, match="stream is for tables and hub data sets"):
        look("sample:poems")


def test_all_bad_files_have_been_counted_when_strict_refuses(tmp_path: Path) -> None:
    for name in ("a.pdf", "b.epub", "c.txt"):
        (tmp_path / name).touch()
    (tmp_path / "good.md").write_text("\n\n".join(making.PARAGRAPHS), encoding="utf-8")
    with pytest.raises(BookError, match=r"3 files could not be read; the first: .*a\.pdf: is empty"):
        read(tmp_path, strict=True)


def test_notes_are_kept_aside_with_their_place(tmp_path: Path) -> None:
    body = f"{making.PARAGRAPHS[0]}[^1]\n\n{making.PARAGRAPHS[1]}\n\n[^1]: Said the ferryman.\n"
    (tmp_path / "a.md").write_text(body, encoding="utf-8")
    (book,) = describe(read(tmp_path / "a.md"))["books"]
    assert [note["text"] for note in book["notes"]] == ["Said the ferryman."]
    assert book["notes"][0]["place"].startswith("line ")


def test_nothing_named_is_refused() -> None:
    with pytest.raises(BookError, match="nothing to read"):
        read()


def test_text_that_stands_twice_is_told(tmp_path: Path) -> None:
    twice = (
        "The keeper wrote the level of the water into his book each morning before the sun had cleared the far bank, "
        "and each evening he wrote it again, and in forty years the two columns had never once agreed."
    )
    pages = {
        "a.md": [
            *making.PARAGRAPHS[:2],
            twice,
            "Then the dredger came, and strangers asked for the books.",
        ],
        "b.md": [*making.PARAGRAPHS[2:], "His daughter had the key, but no one had ever asked her for it.", twice],
    }
    for name, paragraphs in pages.items():
        (tmp_path / name).write_text("\n\n".join(paragraphs), encoding="utf-8")
    (found,) = describe(read(tmp_path))["duplicates"]
    assert (found["kind"], found["words"]) == ("exact", len(twice.split()))
    assert [Path(found[side]["path"]).name for side in ("first", "second")] == ["a.md", "b.md"]
    assert found["example"].startswith("The keeper wrote the level")
    assert "duplicates" not in describe(read(tmp_path / "a.md"))


def test_turns_are_told_of_conversations_alone(tmp_path: Path) -> None:
    path = tmp_path / "chats.jsonl"
    said = [{"from": "system", "value": "You row."}, {"from": "human", "value": "Who?"}, {"from": "gpt", "value": "I."}]
    path.write_text(json.dumps({"conversations": said}), encoding="utf-8")
    (book,) = describe(read(path))["books"]
    assert book["turns"] == {"system": 1, "user": 1, "character": 1}
    plain = tmp_path / "book.txt"
    plain.write_text("One line of text.\n", encoding="utf-8")
    (book,) = describe(read(plain))["books"]
    assert "turns" not in book
