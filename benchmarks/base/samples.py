"""What the base writes, unpicked: the first prompts as they were drawn, before and after the second stage."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.base.drawing import SEED, WAYS, Drawn, drawn, prompts_of
from benchmarks.base.task import Task, load, tell
from benchmarks.base.texts import LANGUAGES
from quire.recipe.resolved import load_resolved
from quire.run.folder import RunFolder, is_voice

WAY = "Quire's own"
SHOWN = 3
"""Prompts of each language."""


def measure(task: Task) -> dict[str, Any]:
    """`rows`: prompts with what was written after each, by who wrote it: each stage but the last by its name, and the
    base."""
    written = {name: drawn_by(task, folder) for name, folder in stages_before(task.run)}
    written["the base"] = drawn(task, [WAY])[0]
    rows = []
    for language in LANGUAGES:
        numbers = [n for n, prompt in enumerate(prompts_of(task.texts(), task.count)) if prompt.language == language]
        for number in numbers[:SHOWN]:
            prompt = written["the base"].prompts[number]
            texts = {who: one.texts[number] for who, one in written.items()}
            rows.append({"language": language, "work": prompt.work, "prompt": prompt.text, "texts": texts})
            tell(f"  {prompt.text} …")
    settings = WAYS[WAY].model_dump(mode="json", include={"temperature", "top_p", "repetition_penalty"})
    return {"seed": SEED, "tokens": task.tokens, "settings": settings, "rows": rows}


def stages_before(run: Path | None) -> Iterator[tuple[str, Path]]:
    """What the stages before the last one yielded, where it is still there."""
    if run is None:
        return
    folder = RunFolder.open(run)
    for number, stage in enumerate(load_resolved(folder.recipe_file).recipe.curriculum[:-1]):
        voice = folder.stage(number, stage.name) / "voice"
        if is_voice(voice):
            yield f"after {stage.name}", voice


def drawn_by(task: Task, folder: Path) -> Drawn:
    """What another model wrote to the same prompts."""
    return drawn(task, [WAY], load(str(folder)), folder)[0]
