"""Every recipe of the project is carried out: two steps of each part, on small texts, and all that follows."""

from __future__ import annotations

import csv
import json
import lzma
import random
import shutil
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

import quire
from quire.books.streams.corpus import open_corpus
from quire.recipe.fresh import FreshBase
from quire.recipe.load import load_recipe
from quire.recipe.resolved import load_resolved
from quire.run.events import Event, read_events
from quire.run.folder import RunFolder, is_voice
from toy import SENTENCES, toy_book, varied_book

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
    stages: tuple[str, ...] = ()


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
    """The corpus stands beside the recipe, as its head says, and so do the conversations."""
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
        (corpus / f"{language}-0.jsonl").write_text("\n".join(map(json.dumps, works)), encoding="utf-8")
    small = {"hidden": 32, "layers": 2, "intermediate": 64, "positions": 256, "vocabulary": 320}
    settings: dict[str, object] = {f"base.fresh.{key}": value for key, value in small.items()}
    names = ("reading", "rest", "turns")
    for name in names:
        settings |= {f"stages.{name}.window": 64, f"stages.{name}.effective_batch": 2}
        settings |= {f"stages.{name}.batch": 2} if name != "turns" else {}
    shutil.copytree(recipe.parent / "conversations", place / "conversations")
    return Trial(Path(shutil.copy(recipe, place)), settings, stages=names)


def french_works(count: int) -> list[dict[str, str]]:
    dice = random.Random(4)
    words = "la pluie tombe on ouvre une lettre personne ne répond le moulin tourne encore vers midi".split()
    return [
        {"title": f"Roman {n}", "complete_text": "\n\n".join(
            " ".join(dice.choices(words, k=30)).capitalize() + "." for _ in range(12))}
        for n in range(count)
    ]  # fmt: skip


def unfinished_novel(recipe: Path, place: Path, tiny_base: Path) -> Trial:
    """The corpus stands beside the recipe in place of the hub's; few windows, and those short."""
    corpus = place / "corpus"
    corpus.mkdir()
    (corpus / "fr.jsonl").write_text("\n".join(map(json.dumps, french_works(30))), encoding="utf-8")
    names = ("acculturate", "narrative-arc", "imprint")
    stream = [{"path": str(corpus / "fr.jsonl"), "stream": True, "text": "complete_text"}]
    settings: dict[str, object] = {"shelf": [str(varied_book(place / "livre.md", seed=3))]}
    for name, window in zip(names, (32, 64, 64), strict=True):
        settings |= {f"stages.{name}.window": window, f"stages.{name}.effective_batch": 2}
        settings |= {f"stages.{name}.precision": "fp32"} if name == "acculturate" else {}
        settings |= {f"stages.{name}.shelf": stream} if name != "imprint" else {f"stages.{name}.stride": 16}
        settings |= {f"stages.{name}.samples": None} if name != "imprint" else {}
    return Trial(Path(shutil.copy(recipe, place)), settings, str(tiny_base), stages=names)


MADE_SMALL: dict[str, Callable[[Path, Path, Path], Trial]] = {
    "embedded-base": embedded_base,
    "novel": novel,
    "novel-in-parts": novel_in_parts,
    "poetry": poetry,
    "unfinished-novel": unfinished_novel,
    "unfinished-novel-small": unfinished_novel,
}


def test_no_recipe_is_forgotten() -> None:
    assert sorted(MADE_SMALL) == sorted(path.stem for path in RECIPES)


@pytest.fixture
def small_novel(tmp_path: Path) -> Path:
    """unfinished-novel-small.yaml, and beside it what its head asks for: tables of several kinds, and a book."""
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    works = french_works(30)
    (corpus / "fr-1.jsonl.xz").write_bytes(lzma.compress("\n".join(map(json.dumps, works[:15])).encode()))
    with (corpus / "fr-2.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, list(works[0]))
        table.writeheader()
        table.writerows(works[15:])
    varied_book(tmp_path / "book.txt", seed=3, chapters=10, paragraphs=3)
    return Path(shutil.copy(next(path for path in RECIPES if path.stem == "unfinished-novel-small"), tmp_path))


def test_the_corpus_of_the_small_curriculum_is_whatever_tables_lie_in_its_folder(small_novel: Path) -> None:
    for stage in load_recipe(small_novel).recipe.curriculum[:2]:
        (item,) = stage.shelf
        assert [Path(shard.name).name for shard in open_corpus(item).shards] == ["fr-1.jsonl.xz", "fr-2.csv"]


def test_the_small_curriculum_is_carried_out_as_it_stands(
    small_novel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own base, windows, strides, rates and methods; only fewer samples, which are a step of either stage, and a
    shorter look at how fast this machine is."""
    monkeypatch.setattr("quire.training.pace.SECONDS", 0.05)
    fewer = {"stages.acculturate.samples": 8, "stages.narrative-arc.samples": 4, "write.max_new_tokens": 6}
    run = quire.train(small_novel, run=tmp_path / "run", settings=fewer)
    folder = RunFolder(run.path)
    events = read_events(folder.events_file)
    inherited = [event for event in events if event.kind == "inherited"]
    assert [event.values["method"] for event in inherited] == ["full", "qlora", "inherit"]
    assert [event.values.get("from") for event in inherited][1:] == [
        "acculturate: its weights, under a new adapter",
        "narrative-arc: its adapter goes on learning",
    ]
    assert [event.stage for event in events if event.kind == "step"] == ["acculturate", "narrative-arc", "imprint"]
    resolved = load_resolved(folder.recipe_file)
    assert resolved.recipe.base == "embedded"
    assert [(stage.window, stage.stride) for stage in resolved.recipe.curriculum] == [
        (128, None),
        (512, None),
        (512, 128),
    ]
    tokens = [event.values["tokens"] for event in events if event.kind == "step"]
    assert tokens[:2] == [8 * 128, 4 * 512], "windows that are full"
    adapter = json.loads((run.voice / "adapter_config.json").read_text(encoding="utf-8"))
    assert (adapter["r"], adapter["lora_alpha"]) == (32, 32)
    assert not {"error", "stopped", "resume", "skipped", "rollback"} & {event.kind for event in events}
    assert events[-1].kind == "done"


@pytest.mark.slow
@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_is_carried_out_to_its_end(recipe: Path, tiny_base: Path, tmp_path: Path) -> None:
    trial = MADE_SMALL[recipe.stem](recipe, tmp_path, tiny_base)
    heard: list[Event] = []
    steps = {f"stages.{name}.steps": STEPS for name in trial.stages} or {"train.steps": STEPS}
    run = quire.train(
        trial.recipe,
        base=trial.base,
        run=tmp_path / "runs" / recipe.stem,
        settings={"write.max_new_tokens": 6, **steps, **trial.settings},
        listener=heard.append,
    )
    folder = RunFolder(run.path)
    events = read_events(folder.events_file)
    trainings = max(trial.parts, len(trial.stages))
    check_story(events, trainings, trial)
    assert [event.kind for event in heard if event.kind != "preparing"] == [event.kind for event in events]
    assert run.steps == STEPS * trainings
    assert is_voice(run.voice)
    check_parts(folder, trial)
    check_recipe(folder, recipe, trial)
    check_text(folder, trial)
    written = quire.write_all(run.path, "The tide")
    assert len(written.texts) == load_resolved(folder.recipe_file).recipe.write.num_return_sequences


def check_story(events: list[Event], trainings: int, trial: Trial) -> None:
    """From the start to the end, nothing missing and nothing twice."""
    kinds = Counter(event.kind for event in events)
    stages = max(1, len(trial.stages))
    assert [event.kind for event in events][: 1 + stages] == ["start", *["prepared"] * stages]
    assert events[-1].kind == "done"
    assert (kinds["part_start"], kinds["part_end"], kinds["step"]) == (trainings, trainings, STEPS * trainings)
    assert (kinds["decided"], kinds["stage_end"]) == (stages, stages)
    assert kinds["saved"] == (trial.parts + 1 if trial.parts > 1 else stages)
    assert kinds["validation"] >= trainings
    assert kinds["sample"] >= trainings
    assert kinds["checkpoint"] >= 1
    assert not {"error", "stopped", "resume", "skipped", "rollback"} & set(kinds)
    assert [event.step for event in events if event.kind == "step"] == list(range(1, STEPS * trainings + 1))
    prompts = {
        stage: [e.values["prompt"] for e in events if e.kind == "sample" and e.stage == stage] for stage in trial.stages
    }
    assert len({tuple(asked) for asked in prompts.values()}) <= 1, "the same prompts after every stage"


def check_parts(folder: RunFolder, trial: Trial) -> None:
    """A voice after every part, where there are several, and after every stage."""
    kept = sorted(path for path in folder.stages.rglob("part-*") if path.is_dir()) if folder.stages.is_dir() else []
    assert len(kept) == (trial.parts if trial.parts > 1 else 0)
    assert all(map(is_voice, kept))
    for number, name in enumerate(trial.stages):
        assert is_voice(folder.stage(number, name) / "voice")


def check_recipe(folder: RunFolder, recipe: Path, trial: Trial) -> None:
    """The run keeps the recipe's name, and a base from nothing was made inside it."""
    resolved = load_resolved(folder.recipe_file)
    assert resolved.recipe.name == recipe.stem
    assert all(stage.steps == STEPS for stage in resolved.recipe.curriculum)
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
