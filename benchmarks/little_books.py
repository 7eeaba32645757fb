"""What the little runs learn from: books of a few thousand words, and recipes over them."""

from __future__ import annotations

import json
import random
from pathlib import Path

import yaml


def write_books(home: Path) -> None:
    """Novels of twelve and of eight small chapters, sixty songs, forty conversations, a corpus of 300 rows."""
    # Words are drawn, so that no passage stands twice: copies of held-out text are taken out of what is trained on.
    dice = random.Random(11)
    syllables = ("ba", "den", "fi", "gor", "hul", "ka", "lin", "mo", "nes", "or", "pi", "ra", "su", "tal", "ver", "wy")
    words = ["".join(dice.choices(syllables, k=dice.randint(1, 3))) for _ in range(300)]

    def sentence() -> str:
        text = " ".join(dice.choices(words, k=dice.randint(6, 12)))
        return text[0].upper() + text[1:] + "."

    def novel(length: int) -> str:
        chapters = []
        for number in range(length):
            paragraphs = [" ".join(sentence() for _ in range(4)) for _ in range(3)]
            chapters.append(f"# Chapter {number + 1}\n\n" + "\n\n".join(paragraphs))
        return "\n\n".join(chapters) + "\n"

    (home / "river.md").write_text(novel(12), encoding="utf-8")
    songs = [{"title": f"Song {n + 1}", "text": f"{sentence()}\n{sentence()}\n{sentence()}"} for n in range(60)]
    (home / "songs.jsonl").write_text("".join(json.dumps(song) + "\n" for song in songs), encoding="utf-8")
    (home / "bridge.md").write_text(novel(8), encoding="utf-8")
    turns = ("user", "assistant") * 4
    talks = [{"messages": [{"role": role, "content": sentence()} for role in turns]} for _ in range(40)]
    (home / "talks.jsonl").write_text("".join(json.dumps(talk) + "\n" for talk in talks), encoding="utf-8")
    rows = [{"text": novel(1)} for _ in range(300)]
    (home / "corpus.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_recipes(home: Path) -> None:
    """Curricula over these books, in which every edge between stages is of another kind."""
    river, bridge = str(home / "river.md"), str(home / "bridge.md")
    common = {"precision": "fp32", "window": 48, "learning_rate": 5e-3}
    write = {"max_new_tokens": 6}
    whole = {"name": "whole", "method": "full", "steps": 4, "window": 32, "learning_rate": 1e-3, "shelf": [bridge]}
    low = {"rank": 4, "dropout": 0.1}
    stages = [
        whole,
        {"name": "long", "method": {"lora": low}, "parts": 2, "steps": 3},
        {"name": "book", "method": "inherit", "window": 64, "stride": 40, "steps": 4, "neftune": 5, "accumulate": 3},
    ]
    stacked = [
        {"name": "first", "method": {"lora": low}, "steps": 4, "shelf": [bridge]},
        {"name": "over", "method": {"lora": {**low, "rslora": True}}, "onto": "stack", "steps": 4},
        {"name": "melted", "method": {"lora": low}, "onto": "merge", "steps": 4, "optimizer": "adafactor"},
    ]
    corpus = {"path": str(home / "corpus.jsonl"), "stream": True}
    stream = [
        {"name": "corpus", "method": "full", "samples": 120, "learning_rate": 1e-3, "shelf": [corpus]},
        {"name": "book", "method": {"lora": low}, "steps": 5},
    ]
    for name, curriculum in (("stages", stages), ("stacked", stacked), ("stream", stream)):
        recipe = {"shelf": [river], "train": common, "stages": curriculum, "write": write}
        (home / f"{name}.yaml").write_text(yaml.safe_dump(recipe), encoding="utf-8")
    replay = {"from": str(home / "earlier" / "run"), "shelf": [bridge], "write": write}
    replay["train"] = {**common, "method": "inherit", "replay": "20%", "steps": 6}
    (home / "replay.yaml").write_text(yaml.safe_dump(replay), encoding="utf-8")
