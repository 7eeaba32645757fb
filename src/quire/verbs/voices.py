"""Find a run and load its voice, for the verbs that use one."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quire.errors import RecipeError, RunError
from quire.planner.bases import find_base
from quire.recipe.bases import EMBEDDED
from quire.recipe.load import load_recipe
from quire.recipe.resolved import ResolvedRecipe, load_resolved
from quire.recipe.schema import Recipe, WriteSettings
from quire.run.folder import Found, find_run, require_voice

if TYPE_CHECKING:
    from quire.model.adapters import Voice
    from quire.model.machine import Precision
    from quire.verbs.train import Run


@dataclass(frozen=True)
class Opened:
    """A run or a voice folder, and its recipe with what was set by hand over it.

    `resolved` is the recipe as the run keeps it, None for a voice folder that belongs to no run.
    """

    found: Found
    recipe: Recipe
    resolved: ResolvedRecipe | None


def open_run(run: str | Path | Run, settings: Mapping[str, object], sections: tuple[str, ...]) -> Opened:
    """Open what `run` names, where nothing else has that name also the embedded base.  `settings` may only touch
    `sections`, since the rest has been carried out already.

    Raises RunError, VoiceError, RecipeError, or BaseModelError.
    """
    name = run if isinstance(run, str | Path) else run.path
    try:
        found = find_run(name)
    except RunError:
        if name != EMBEDDED or Path(name).exists():
            raise
        found = Found(find_base(EMBEDDED).path, None)
    require_voice(found)
    idle = [key for key in settings if key.split(".")[0] not in sections]
    if idle:
        raise RecipeError(
            f"{idle[0]} says nothing here: {found.name} is trained already",
            f"set keys of {' or '.join(sections)}, such as {sections[0]}.{_EXAMPLES[sections[0]]}",
        )
    if found.run is None:
        written = {"write": voice_defaults(found.voice)}
        return Opened(found, load_recipe(written, settings, name=found.name, need_shelf=False).recipe, None)
    file = found.run.recipe_file
    return Opened(found, load_recipe(file, settings).recipe, load_resolved(file))


def load_opened(opened: Opened) -> Voice:
    """The voice, computed as it was trained where this machine is of that kind, otherwise as suits this machine."""
    from quire.model.adapters import load_voice
    from quire.model.kernels.native import use_native
    from quire.model.machine import device_name, set_threads

    if opened.resolved is not None:
        set_threads(opened.resolved.decided.threads)
        use_native(opened.resolved.decided.kernels == "native")
    return load_voice(opened.found.voice, precision_of(opened), device_name())


def precision_of(opened: Opened) -> Precision:
    """The number format to compute in.  Full training keeps float32 weights, and so does its voice."""
    from quire.model.adapters import is_adapter
    from quire.model.machine import choose_precision, device_name, measure_machine

    if opened.resolved is None:
        return choose_precision(measure_machine(), "auto").value
    if not is_adapter(opened.found.voice):  # whatever the recipe calls it: it may have been inherited
        return "fp32"
    decided = opened.resolved.decided
    if decided.device == device_name():
        return decided.stages[-1].precision
    return choose_precision(measure_machine(), "auto").value


def voice_defaults(folder: Path) -> dict[str, Any]:
    """How a voice wants to write, by its generation_config.json; no settings where it has none."""
    file = folder / "generation_config.json"
    if not file.is_file():
        return {}
    defaults = json.loads(file.read_text(encoding="utf-8"))
    known = {key: value for key, value in defaults.items() if key in WriteSettings.model_fields and value is not None}
    if defaults.get("do_sample") is False and known.get("num_beams", 1) == 1:
        known["temperature"] = 0
    return known


_EXAMPLES = {"write": "temperature", "judge": "prompts"}
