"""Every recipe of the project is carried out: two steps of each part, on small texts, and all that follows."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

import quire
from quire.recipe.resolved import load_resolved
from quire.recipe.schema import FreshBase
from quire.run.events import Event, read_events
from quire.run.folder import RunFolder, is_voice
from toy import SENTENCES, toy_book

pytestmark = pytest.mark.slow

RECIPES = sorted((Path(__file__).parents[1] / "recipes").glob("*.yaml"))
STEPS = 2


@dataclass(frozen=True)
class Trial:
    """A recipe made small: what is set by hand, how many parts it has, a word that must not have been
    read, and how many words there are to read."""

    recipe: Path
    settings: Mapping[str, object]
    base: str | None = None
    parts: int = 1
    left_out: str = ""
    words: int = 0


def novel(recipe: Path, place: Path, tiny_base: Path) -> Trial:
    book = toy_book(place / "river.md", chapters=12, paragraphs=2)
    return Trial(recipe, {"shelf.0.sample": None, "shelf.0.path": str(book)})


def novel_in_parts(recipe: Path, place: Path, tiny_base: Path) -> Trial:
    book = toy_book(place / "river.md", chapters=30)
    settings = {"shelf.0.sample": None, "shelf.0.path": str(book), "train.window": 256}
    return Trial(recipe, settings, str(tiny_base), parts=10)


def poetry(recipe: Path, place: Path, tiny_base: Path) -> Trial:
    rows = [
        {
            "author": "Nobody",
            "poem name": f"Song {number}",
            "age": "Modern" if number % 5 == 0 else "Renaissance",
            "type": "love" if number % 2 else "Nature",
            "content": "\n".join(
                f"{'An engine' if number % 5 == 0 else 'The tide'} of {number} hours went {way},"
                for way in ("out", "in")
            ),
        }
        for number in range(120)
    ]
    poems = place / "poems.jsonl"
    poems.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return Trial(recipe, {"shelf.0.sample": None, "shelf.0.path": str(poems)}, left_out="engine", words=48 * 16)


def embedded_base(recipe: Path, place: Path, tiny_base: Path) -> Trial:
    """The corpus stands beside the recipe, as its head says."""
    corpus = place / "corpus"
    corpus.mkdir()
    for language, words in (
        ("en", SENTENCES),
        ("fr", ("L’eau monte, et personne ne le dit.", "— Où donc ? fit-elle.")),
    ):
        works = [
            {"title": f"{language} {n}", "author": "Nobody", "lang": language, "text": "\n\n".join(words * (n + 3))}
            for n in range(8)
        ]
        (corpus / f"{language}.jsonl").write_text("\n".join(map(json.dumps, works)), encoding="utf-8")
    small = {"hidden": 32, "layers": 2, "intermediate": 64, "positions": 256, "vocabulary": 320}
    settings: dict[str, object] = {f"base.fresh.{key}": value for key, value in small.items()}
    settings |= {"train.window": 64, "train.effective_batch": 2}
    return Trial(Path(shutil.copy(recipe, place)), settings)


MADE_SMALL: dict[str, Callable[[Path, Path, Path], Trial]] = {
    "embedded-base": embedded_base,
    "novel": novel,
    "novel-in-parts": novel_in_parts,
    "poetry": poetry,
}


def test_no_recipe_is_forgotten() -> None:
    assert sorted(MADE_SMALL) == sorted(path.stem for path in RECIPES)


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_carried_out_to_its_end(recipe: Path, tiny_base: Path, tmp_path: Path) -> None:
    trial = MADE_SMALL[recipe.stem](recipe, tmp_path, tiny_base)
    heard: list[Event] = []
    run = quire.train(
        trial.recipe,
        base=trial.base,
        run=tmp_path / "runs" / recipe.stem,
        settings={"train.steps": STEPS, "write.max_new_tokens": 6, **trial.settings},
        listener=heard.append,
    )
    folder = RunFolder(run.path)
    events = read_events(folder.events_file)
    check_story(events, trial.parts)
    assert [event.kind for event in heard] == [event.kind for event in events]
    assert run.steps == STEPS * trial.parts
    assert is_voice(run.voice)
    check_parts(folder, trial.parts)
    check_recipe(folder, recipe, trial)
    check_text(folder, trial)
    written = quire.write_all(run.path, "The tide")
    assert len(written.texts) == load_resolved(folder.recipe_file).recipe.write.num_return_sequences


def check_story(events: list[Event], parts: int) -> None:
    """From the start to the end, nothing missing and nothing twice."""
    kinds = Counter(event.kind for event in events)
    assert [event.kind for event in events[:2]] == ["start", "decided"]
    assert events[-1].kind == "done"
    assert (kinds["part_start"], kinds["part_end"], kinds["step"]) == (parts, parts, STEPS * parts)
    assert kinds["saved"] == (parts + 1 if parts > 1 else 1)
    assert kinds["validation"] >= parts
    assert kinds["sample"] >= parts
    assert kinds["checkpoint"] >= 1
    assert not {"error", "stopped", "resume"} & set(kinds)
    assert [event.step for event in events if event.kind == "step"] == list(range(1, STEPS * parts + 1))


def check_parts(folder: RunFolder, parts: int) -> None:
    """A voice after every part, where there are several."""
    kept = sorted(path for path in folder.stages.rglob("part-*") if path.is_dir()) if folder.stages.is_dir() else []
    assert len(kept) == (parts if parts > 1 else 0)
    assert all(map(is_voice, kept))


def check_recipe(folder: RunFolder, recipe: Path, trial: Trial) -> None:
    """The run keeps the recipe's name, and a base from nothing was made inside it."""
    resolved = load_resolved(folder.recipe_file)
    assert resolved.recipe.name == recipe.stem
    assert resolved.recipe.train.steps == STEPS
    assert (folder.path / "base" / "tokenizer.json").is_file() == isinstance(resolved.recipe.base, FreshBase)


def check_text(folder: RunFolder, trial: Trial) -> None:
    """What the recipe leaves out of the text was not read."""
    decided = next(event for event in read_events(folder.events_file) if event.kind == "decided")
    words = decided.values["words"]
    assert isinstance(words, dict)
    assert all(words[split] for split in ("trained", "validation", "test"))
    if trial.left_out:
        text = json.dumps([event.values for event in read_events(folder.events_file)])
        assert trial.left_out not in text
        assert sum(words[split] for split in ("trained", "validation", "test")) == trial.words
