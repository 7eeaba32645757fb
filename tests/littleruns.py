"""Run folders as training leaves them, without the training."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from quire.recipe.load import load_recipe
from quire.recipe.resolved import Decided, ResolvedRecipe, StageDecided
from quire.run.atomic import write_text
from quire.run.events import EventLog
from quire.run.finding import Compared, Finding
from quire.run.folder import RunFolder

BOOK = {"/books/river.md": "aa" * 32}


def little_run(
    path: Path,
    losses: Sequence[float] = (5.0, 4.0, 3.0),
    settings: Mapping[str, object] | None = None,
    base: str = "embedded",
    sources: Mapping[str, str] = BOOK,
    stages: Sequence[str] = (),
    ends: str = "done",
    bits: tuple[float, float, float] | None = None,
    samples: Mapping[str, str] | None = None,
) -> RunFolder:
    """A run of ten steps after each held-out loss but the first, in every stage; `ends` is its last event's kind.

    `bits` are value, low and high of the judge's bits per byte.
    """
    folder = RunFolder.create(path)
    shelf = [{"path": next(iter(sources))}]
    curriculum = {"stages": [{"name": name} for name in stages]} if stages else {}
    recipe = load_recipe({"shelf": shelf, "base": base, **curriculum}, dict(settings or {})).recipe
    decided = Decided(base=base, stages=tuple(StageDecided() for _ in recipe.curriculum))
    resolved = ResolvedRecipe(recipe=recipe, decided=decided, sources=dict(sources), versions={"quire": "0.1.0"})
    write_text(folder.recipe_file, resolved.to_yaml())
    with EventLog(folder.events_file) as log:
        log.append("start")
        step = 0
        for stage in stages or ("train",):
            log.append("part_start", stage, 0, step, {"steps": 10 * (len(losses) - 1), "parts": 1})
            for number, loss in enumerate(losses):
                if number:
                    step += 10
                    told = {"loss": loss, "tokens": 1000, "tokens_total": 100 * step, "seconds": 2.0}
                    log.append("step", stage, 0, step, told)
                log.append("validation", stage, 0, step, {"loss": loss})
            for prompt, text in (samples or {}).items():
                log.append("sample", stage, 0, step, {"prompt": prompt, "text": text})
            if stages:
                log.append("stage_end", stage, 0, step, {})
        log.append(ends, stages[-1] if stages else "train", 0, step, {})
    if ends == "done":
        folder.voice.mkdir()
        write_text(folder.voice / "adapter_config.json", "{}")
    if bits is not None:
        value, low, high = bits
        finding = Finding("loss", "bits per byte", value, "bits per byte", low, high, (Compared("base", 2.5),))
        write_text(folder.report / "report.json", json.dumps({"format": 1, "findings": [finding.to_json()]}))
    return folder
