"""The base and the method of an earlier voice, as its own files say it: read without torch, for a plan needs it too."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from quire.errors import VoiceError
from quire.recipe.method import Lora, Method
from quire.recipe.resolved import load_resolved
from quire.recipe.schema import Recipe
from quire.run.folder import RunFolder, find_run, require_voice

_OWN_BASE = "./base"  # what a voice says that brings its base (model.adapters)


def base_of_voice(name: str) -> str:
    """The base that an earlier voice lies on: the folder beside it where it changed one, itself where it is a whole
    model, otherwise the name that it gives.  RunError or VoiceError where there is no such voice, or where it is not
    whole."""
    voice = require_voice(find_run(name))
    config = voice / "adapter_config.json"
    if not config.is_file():
        return str(voice)
    if (own := voice / "base").is_dir():
        return str(own)
    try:
        named = json.loads(config.read_text(encoding="utf-8"))["base_model_name_or_path"]
    except (ValueError, KeyError, TypeError):
        named = None
    if not isinstance(named, str):
        raise VoiceError(f"{config} does not say what its base is", "copy the voice again")
    if named == _OWN_BASE:
        raise VoiceError(f"{voice} lacks the folder base, which holds the base of this voice", "copy the voice whole")
    return named


def method_of_earlier(recipe: Recipe) -> Method | None:
    """What the voice is that the recipe goes on from, so that it can be said what goes on learning; None where it goes
    on from none.  RunError or VoiceError where there is no such voice, or where it does not say what it is."""
    if recipe.earlier is None:
        return None
    found = find_run(recipe.earlier)
    config = require_voice(found) / "adapter_config.json"
    if not config.is_file():
        return Method(full=True, lora=None)
    return Method(lora=_adapter(config, _ratio(found.run) if found.run is not None else 1.0))


def _adapter(config: Path, ratio: float) -> Lora:
    """An adapter by peft's own names.  One of another kind than LoRA is reckoned as a LoRA of the usual size."""
    try:
        says = json.loads(config.read_text(encoding="utf-8"))
        if says.get("peft_type") != "LORA":
            return Lora()
        return Lora(
            rank=says["r"],
            alpha=says["lora_alpha"],
            dropout=says["lora_dropout"],
            targets=_targets(says["target_modules"]),
            bias=says["bias"],
            rslora=says.get("use_rslora", False),  # peft has not always had it, nor the next
            dora=says.get("use_dora", False),
            lr_ratio=ratio,
        )
    except (ValueError, ValidationError, AttributeError, KeyError) as error:
        raise VoiceError(f"{config} does not say what its adapter is: {error}", "copy the voice again") from None


def _targets(modules: object) -> list[str] | str:
    """The layers by the last word of their names; what a pattern matches is not known, and reckoned as all."""
    return sorted({str(name).rsplit(".", 1)[-1] for name in modules}) if isinstance(modules, list) else "all-linear"


def _ratio(run: RunFolder) -> float:
    """LoRA+'s, which an adapter does not say of itself; its run does."""
    resolved = load_resolved(run.recipe_file)
    last = len(resolved.recipe.curriculum) - 1
    method = resolved.recipe.method_of(last)
    if method is None:
        return resolved.decided.stages[last].lr_ratio
    return method.adapter.lr_ratio if method.adapter is not None else 1.0
