"""The README's road through the front door, from every kind of book file to a judged voice.

Results are on stdout, everything else on stderr; the last line on stdout of `train` is the run folder.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bookfiles import docx, epub, word_paragraph
from quire.cli.app import run
from quire.run.events import read_events
from quire.run.folder import RunFolder
from quire.run.results import read_results

Shown = pytest.CaptureFixture[str]
CHAPTERS = 10
SENTENCES = (
    "The ferryman opened the door and looked at the water for a long time.",
    "You ask me why we do not go on, she said to the clerk, and he wrote it down.",
    "Nobody in the village had seen the river leave, and nobody would say so.",
    "It was colder on the far bank, and the bell of the ferry had no tongue.",
)
VERSES = (
    "My love is like a boat that will not stay",
    "The wind has taken what the tide has brought",
    "And all I said to you was thrown away",
    "And all you said to me was never thought",
)
SETTINGS = {"train.window": "64", "train.precision": "fp32", "train.steps": "3", "train.learning_rate": "5e-3"}


def chapters() -> list[list[str]]:
    """Paragraphs by chapter; no two chapters are the same."""
    turned = [SENTENCES[n % 4 :] + SENTENCES[: n % 4] for n in range(CHAPTERS)]
    return [[" ".join(lines), f"It was day {n + 1}. {lines[1]}"] for n, lines in enumerate(turned)]


WORDS = sum(len(paragraph.split()) for chapter in chapters() for paragraph in chapter)


def as_txt(path: Path) -> None:
    pages = [f"CHAPTER {n}\n\n" + "\n\n".join(chapter) for n, chapter in enumerate(chapters(), start=1)]
    path.write_text("\n\n\n".join(pages) + "\n", encoding="utf-8")


def as_md(path: Path) -> None:
    pages = [f"# Chapter {n}\n\n" + "\n\n".join(chapter) for n, chapter in enumerate(chapters(), start=1)]
    path.write_text("\n\n".join(pages) + "\n", encoding="utf-8")


def page(number: int, chapter: list[str]) -> str:
    return f"<h1>Chapter {number}</h1>" + "".join(f"<p>{paragraph}</p>" for paragraph in chapter)


def as_html(path: Path) -> None:
    body = "".join(page(n, chapter) for n, chapter in enumerate(chapters(), start=1))
    path.write_text(f"<!doctype html><html><title>River</title><body>{body}</body></html>", encoding="utf-8")


def as_epub(path: Path) -> None:
    pages = {f"c{n}.xhtml": f"<body>{page(n, chapter)}</body>" for n, chapter in enumerate(chapters(), start=1)}
    epub(path, pages, title="River")


def as_docx(path: Path) -> None:
    body = ""
    for number, chapter in enumerate(chapters(), start=1):
        body += word_paragraph(f"Chapter {number}", "Heading1")
        body += "".join(word_paragraph(paragraph) for paragraph in chapter)
    docx(path, body)


def as_poems(path: Path) -> None:
    rows = [
        {"title": f"Sonnet {n}", "author": "A. Writer", "text": "\n".join((VERSES * 2)[n % 4 : n % 4 + 4])}
        for n in range(40)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


PROSE: dict[str, Callable[[Path], None]] = {
    "txt": as_txt,
    "md": as_md,
    "html": as_html,
    "epub": as_epub,
    "docx": as_docx,
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same novel in five formats, and poems."""
    home = tmp_path_factory.mktemp("library")
    books = {ending: home / f"river.{ending}" for ending in PROSE}
    for ending, path in books.items():
        PROSE[ending](path)
    as_poems(home / "sonnets.jsonl")
    return books | {"jsonl": home / "sonnets.jsonl"}


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def trained(library: dict[str, Path], tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("runs") / "river"
    assert run(train_command(library["epub"], tiny_base, "--run", str(place))) == 0
    return place


def train_command(book: Path, base: Path, *more: str) -> list[str]:
    sets = [part for key, value in SETTINGS.items() for part in ("--set", f"{key}={value}")]
    return ["train", str(book), "--base", str(base), *sets, *more]


def told(shown: Shown, *arguments: str) -> Any:
    """The JSON that a command prints; nothing else may be on stdout."""
    shown.readouterr()
    assert run(arguments) == 0
    return json.loads(shown.readouterr().out)


@pytest.mark.parametrize("ending", PROSE)
def test_a_novel_is_the_same_novel_in_every_format(ending: str, library: dict[str, Path], capsys: Shown) -> None:
    facts = told(capsys, "read", "--json", str(library[ending]))
    (book,) = facts["books"]
    assert len(book["chapters"]) == CHAPTERS
    assert WORDS <= book["words"] <= WORDS + 2 * CHAPTERS, "headings may count"
    assert book["language"] == "en"
    assert book["dropped"] == []


@pytest.mark.parametrize("ending", PROSE)
def test_its_clean_text_is_the_paragraphs_and_blank_lines(ending: str, library: dict[str, Path], capsys: Shown) -> None:
    assert run(["read", "--text", str(library[ending])]) == 0
    shown = [text.strip() for text in capsys.readouterr().out.split("\n\n")]
    headings = [text for text in shown if text.casefold().startswith("chapter")]
    assert [text for text in shown if text not in headings] == [text for chapter in chapters() for text in chapter]
    assert len(headings) == CHAPTERS


def test_poems_keep_their_lines(library: dict[str, Path], capsys: Shown) -> None:
    assert run(["read", "--text", str(library["jsonl"])]) == 0
    assert "\n".join(VERSES) in capsys.readouterr().out


@pytest.mark.parametrize("ending", [*PROSE, "jsonl"])
def test_from_the_file_to_a_judged_voice(
    ending: str, library: dict[str, Path], tiny_base: Path, here: Path, capsys: Shown
) -> None:
    book = library[ending]
    # What is measured of this machine knows nothing of the book's format: once is enough.
    how = [] if ending == "epub" else ["--quick"]
    plan = told(capsys, "plan", "--json", *how, *train_command(book, tiny_base)[1:])
    assert list(here.iterdir()) == [], "a plan leaves nothing behind"

    assert run(train_command(book, tiny_base)) == 0
    shown = capsys.readouterr()
    place = Path(shown.out.splitlines()[-1])
    assert shown.out == f"runs/{book.stem}\n"
    assert "held-out loss" in shown.err
    events = read_events(place / "events.jsonl")
    assert [event.step for event in events if event.kind == "step"] == [1, 2, 3]
    assert events[-1].kind == "done"
    (decided,) = (event.values for event in events if event.kind == "decided")
    words = decided["words"]
    assert isinstance(words, dict)
    total = sum(book["words"] for book in told(capsys, "read", "--json", str(book))["books"])
    assert sum(words.values()) == total, "words read = trained + held out + dropped"
    assert plan["steps"] == 3
    assert RunFolder.open(place).has_voice

    asked = ["--max-new-tokens", "12", "--json"]
    first, again, other = (
        told(capsys, "write", place.name, "The door", "--seed", seed, *asked) for seed in ("3", "3", "4")
    )
    assert first["prompt"] == "The door"
    assert first["seed"] == 3
    assert first["texts"] == again["texts"]
    assert first["texts"] != other["texts"]

    report = told(capsys, "judge", str(place), "--json", "--set", "write.max_new_tokens=8")
    assert report == json.loads((place / "report" / "report.json").read_text(encoding="utf-8"))
    assert (place / "report" / "report.html").is_file()
    assert [line["run"] for line in read_results(place.parent)] == [place.name]


def test_streamed_text_alone_is_on_stdout_and_the_same_each_time(trained: Path, capsys: Shown) -> None:
    texts = []
    for _ in range(2):
        assert run(["write", str(trained), "The door", "--seed", "5", "--max-new-tokens", "10"]) == 0
        shown = capsys.readouterr()
        texts.append(shown.out)
    assert texts[0] == texts[1]
    assert texts[0].strip()
    assert "5" in (trained / "samples.md").read_text(encoding="utf-8")


def test_training_again_says_finished_and_changes_nothing(
    trained: Path, library: dict[str, Path], tiny_base: Path, capsys: Shown
) -> None:
    before = (trained / "events.jsonl").read_bytes()
    for source in (train_command(library["epub"], tiny_base, "--run", str(trained)), ["train", str(trained)]):
        assert run(source) == 0
        shown = capsys.readouterr()
        assert shown.out == f"{trained}\n"
        assert "already finished" in shown.err
        assert "quire judge" in shown.err
    assert (trained / "events.jsonl").read_bytes() == before


def test_training_again_with_other_settings_shows_the_difference(
    trained: Path, library: dict[str, Path], tiny_base: Path, capsys: Shown
) -> None:
    again = train_command(library["epub"], tiny_base, "--run", str(trained), "--set", "train.method.lora.rank=3")
    assert run(again) == 2
    shown = capsys.readouterr()
    error, remedy = shown.err.splitlines()
    assert "train.method.lora.rank: 16 → 3" in error
    assert "--run NEW" in remedy
    assert shown.out == ""


def test_another_way_of_writing_is_for_write_and_judge_to_take(
    trained: Path, library: dict[str, Path], tiny_base: Path, capsys: Shown
) -> None:
    again = train_command(library["epub"], tiny_base, "--run", str(trained), "--set", "write.temperature=0.5")
    assert run(again) == 2
    error, remedy = capsys.readouterr().err.splitlines()
    assert "write.temperature: 0.8 → 0.5" in error
    assert f"quire write {trained.name}" in remedy


def test_a_voice_folder_that_was_carried_away_still_writes(trained: Path, tmp_path: Path, capsys: Shown) -> None:
    voice = Path(shutil.copytree(trained / "voice", tmp_path / "voice"))
    asked = ["The door", "--seed", "3", "--max-new-tokens", "8", "--json"]
    assert told(capsys, "write", str(voice), *asked)["texts"] == told(capsys, "write", str(trained), *asked)["texts"]


def test_a_recipe_file_is_carried_out_into_the_folder_of_its_name(
    library: dict[str, Path], tiny_base: Path, here: Path, capsys: Shown
) -> None:
    recipe = here / "recipe.yaml"
    recipe.write_text(
        f"name: far-bank\nbase: {tiny_base}\nshelf: [{{path: {library['md']}}}]\n"
        "train: {window: 64, steps: 2, precision: fp32}\nwrite: {max_new_tokens: 4}\n",
        encoding="utf-8",
    )
    assert run(["train", str(recipe)]) == 0
    assert capsys.readouterr().out == "runs/far-bank\n"
    assert told(capsys, "write", "far-bank", "Once", "--json")["texts"]


def test_doctor_tells_what_is_there(capsys: Shown) -> None:
    facts = told(capsys, "doctor", "--json")
    assert "token" not in json.dumps(facts).casefold() or "hf_" not in json.dumps(facts)
