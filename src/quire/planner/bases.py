"""Where a base's files are: inside Quire, in a folder, or on the hub (and then in its cache)."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from quire.errors import BaseModelError
from quire.planner.facts import MachineFacts
from quire.planner.fitting import Suits, suiting_bases
from quire.recipe.bases import AUTO, EMBEDDED, FRESH, Advice
from quire.recipe.fresh import FreshBase
from quire.recipe.schema import BaseChoice, Recipe, TrainSettings
from quire.run.atomic import named_disk_errors
from quire.units import show_size

if TYPE_CHECKING:
    from huggingface_hub import HfApi

Kind = Literal["embedded", "folder", "hub", "run"]

# Assumed where nobody measured: a laptop of 8 GB.
USUAL_MACHINE = MachineFacts(2, 8 * 2**30, 8 * 2**30, 2**40, native=("fp32",))

_INDEX = "model.safetensors.index.json"
_WEIGHTS = "model.safetensors"
_PICKLES = (".bin", ".pt", ".pth", ".ckpt")
_SMALL_FILES = (".json", ".txt", ".jinja")
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?", re.ASCII)
_OFFLINE_WAYS = "use base: embedded (inside Quire), the folder of a model, or go online and repeat"


@dataclass(frozen=True)
class BaseFiles:
    """A base on this machine.  `revision` is the hub's commit, empty for other kinds.  One of the kind `run` was
    changed by training and is to be had nowhere else: it goes along with the voices on it."""

    name: str
    path: Path
    revision: str
    kind: Kind


@dataclass(frozen=True)
class BasePick:
    """The base that a recipe comes to on this machine, why, and whether it may be fetched from the hub.

    `precision` is the number format that its weights need to fit; None where the usual one does."""

    name: str
    reason: str
    download: bool
    precision: str | None = None

    def advice(self, stages: Sequence[str] = ()) -> dict[str, Advice]:
        """The precision as advice: for the stages that are named, otherwise for the one training."""
        if self.precision is None:
            return {}
        why = f"{self.name} fits this machine's memory only so"
        paths = [f"stages.{name}" for name in stages] or ["train"]
        return {f"{path}.precision": Advice(self.precision, why) for path in paths}


def pick_base(
    base: str | BaseChoice,
    language: str | None = None,
    machine: MachineFacts = USUAL_MACHINE,
    download: bool = False,
    stages: Sequence[TrainSettings] = (TrainSettings(),),
) -> BasePick:
    """Settle `auto` and `{gpu: …, cpu: …}`.  A base that the recipe names is fetched; one that `auto` finds is not,
    unless `download` allows it.  `stages` are the trainings that must fit into the machine's memory on it."""
    if isinstance(base, BaseChoice):
        gpu = machine.gpu is not None
        name, device = (base.gpu, "has a GPU") if gpu else (base.cpu, "has no GPU")
        return BasePick(name, f"the recipe's base for a machine that {device}", True)
    if base != AUTO:
        return BasePick(base, "as the recipe says", True)
    suiting = list(suiting_bases(language, machine, stages))
    for one in suiting:
        if _is_cached(one.known.name):
            return BasePick(one.known.name, _why(one, language, machine, "and is already here"), False, one.precision)
    if not suiting:
        what = f"no known base for {language or 'this language'} fits {show_size(machine.room)} of memory"
        return BasePick(EMBEDDED, what, False)
    if not download:
        first = suiting[0].known.name
        return BasePick(EMBEDDED, f"no hub base is cached; --download would fetch {first}", False)
    for one in suiting:
        try:
            find_base(one.known.name, download=True, weights=False)
        except _Unreachable as error:
            return BasePick(EMBEDDED, f"{error.reason}, and no suitable base is cached", False)
        except BaseModelError:
            continue  # gone, gated by now, or no safetensors: the next one
        return BasePick(one.known.name, _why(one, language, machine, ""), True, one.precision)
    return BasePick(EMBEDDED, "the hub has none of the known bases that would suit", False)


def pick_for(recipe: Recipe, language: str, machine: MachineFacts, download: bool) -> BasePick:
    """`pick_base` by a recipe, the language of its text and this machine; a fresh base is named FRESH."""
    if isinstance(recipe.base, FreshBase):
        return BasePick(FRESH, "made from scratch in this run", False)
    stages = [recipe.carried_out(number) for number in range(len(recipe.curriculum))]
    return pick_base(recipe.base, recipe.language or language or None, machine, download, stages)


def _why(one: Suits, language: str | None, machine: MachineFacts, more: str) -> str:
    """Language, memory and device, as they led to this base."""
    knows = f" knows {language}," if language else ""
    where = "the GPU's" if machine.gpu else "the free"
    form = f" in {one.precision}" if one.precision else ""
    fits = f"takes about {show_size(one.memory_bytes)}{form} of {where} {show_size(machine.room)}"
    return f"the largest known base that{knows} {fits}{' ' + more if more else ''}"


def find_base(name: str, download: bool = False, weights: bool = True) -> BaseFiles:
    """The files of a base.  With `download`, what the cache lacks is fetched from the hub: safetensors, configuration
    and tokenizer, nothing that could hold code.  Without `weights`, configuration and tokenizer suffice (for plans).

    Raises BaseModelError: no such base, no network, no permission, or weights only as pickles.
    """
    if name == EMBEDDED:
        folder = Path(str(files("quire") / "assets" / "embedded"))
        _check_folder(folder, "the embedded base", weights)
        return BaseFiles(name, folder, "", "embedded")
    folder = Path(name).expanduser()
    if folder.is_dir():
        _check_folder(folder, name, weights)
        return BaseFiles(name, folder, "", "folder")
    if not _is_hub_id(name):
        raise BaseModelError(
            f"there is no base {name}: it is neither a folder here nor a hub id such as TinyLlama/TinyLlama_v1.1",
            "use base: embedded, the folder of a model, or a hub id",
            "bases",
        )
    snapshot = cached_snapshot(name, weights)
    if snapshot is None:
        if not download:
            raise _not_here(name)
        snapshot = _fetch(name, weights)
    return BaseFiles(name, snapshot, snapshot.name, "hub")


def cached_snapshot(name: str, weights: bool = True) -> Path | None:
    """The folder in the hub's cache that holds the whole base, if one does.  Asks no network."""
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(name, "config.json")
    if not isinstance(found, str):
        return None
    folder = Path(found).parent
    return folder if (folder / "tokenizer.json").is_file() and (not weights or not _missing_weights(folder)) else None


def _is_cached(name: str) -> bool:
    """Whether the hub's cache holds the whole base; a damaged one is passed over."""
    try:
        return cached_snapshot(name) is not None
    except BaseModelError:
        return False


def _is_hub_id(name: str) -> bool:
    looks_like_a_file = Path(name).suffix.lower() in (".epub", ".pdf", ".txt", ".md", ".yaml", ".yml")
    return _HUB_ID.fullmatch(name) is not None and ".." not in name and not looks_like_a_file


def _missing_weights(folder: Path) -> list[str]:
    """Names of the weight files that a folder should have and has not."""
    index = folder / _INDEX
    if index.is_file():
        placed = settings_in(index).get("weight_map")
        if not isinstance(placed, dict) or not all(isinstance(shard, str) for shard in placed.values()):
            raise BaseModelError(f"{index} does not say which weights are where", "download the base again", "bases")
        return sorted(shard for shard in set(placed.values()) if not (folder / shard).is_file())
    return [] if (folder / _WEIGHTS).is_file() else [_WEIGHTS]


def _check_folder(folder: Path, name: str, weights: bool = True) -> None:
    if not (folder / "config.json").is_file():
        raise BaseModelError(f"{name} has no config.json", "name the folder of a model in transformers layout", "bases")
    missing = _missing_weights(folder) if weights else []
    if not missing:
        return
    pickles = sorted(file.name for file in folder.iterdir() if file.suffix in _PICKLES)
    if missing == [_WEIGHTS] and pickles:
        raise _only_pickles(name, pickles)
    raise BaseModelError(f"{name} lacks {', '.join(missing)}", "copy or download the base again, whole", "bases")


def _only_pickles(name: str, pickles: list[str]) -> BaseModelError:
    return BaseModelError(
        f"{name} has its weights only as {', '.join(pickles[:3])}: such a file can run code, so Quire does not open it",
        "choose a base with safetensors, or convert this one with transformers' save_pretrained where you trust it",
        "bases",
    )


class _Unreachable(BaseModelError):
    """The hub does not answer, or is not to be asked; `reason` says which."""

    reason = ""


def _unreachable(name: str, reason: str) -> _Unreachable:
    plain = _not_here(name, reason)
    error = _Unreachable(plain.what, plain.then, plain.guide)
    error.reason = reason
    return error


def _not_here(name: str, reason: str = "") -> BaseModelError:
    from huggingface_hub import constants

    detail = f" ({reason})" if reason else ""
    return BaseModelError(
        f"the base {name} is not in the cache {constants.HF_HUB_CACHE} and was not fetched{detail}",
        _OFFLINE_WAYS if reason else f"allow the download with --download; or {_OFFLINE_WAYS}",
        "bases",
    )


def _fetch(name: str, weights: bool) -> Path:
    """Download what is needed of a hub base into the cache and return its folder there."""
    from huggingface_hub import HfApi, constants
    from huggingface_hub.errors import (  # type: ignore[attr-defined]
        GatedRepoError,
        HTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
    )

    try:
        with named_disk_errors(Path(constants.HF_HUB_CACHE)):
            return _fetch_files(name, weights, HfApi())
    except GatedRepoError:
        raise BaseModelError(
            f"the base {name} is gated: its owner wants to be asked first",
            f"ask at {constants.ENDPOINT}/{name}, then log in with: hf auth login",
            "gated",
        ) from None
    except RepositoryNotFoundError:
        raise BaseModelError(
            f"the hub {constants.ENDPOINT} knows no base {name} (or it is private and you are not logged in)",
            "check the spelling; for a private one log in with: hf auth login",
            "bases",
        ) from None
    except OfflineModeIsEnabled:
        raise _unreachable(name, "HF_HUB_OFFLINE is set") from None
    except (LocalEntryNotFoundError, HTTPError) as error:
        raise _unreachable(name, f"the hub cannot be reached: {type(error).__name__}") from error


def _fetch_files(name: str, weights: bool, api: HfApi) -> Path:
    from huggingface_hub import snapshot_download

    there = sorted(sibling.rfilename for sibling in api.model_info(name).siblings or ())
    wanted = [file for file in there if "/" not in file and file.endswith(_SMALL_FILES)]
    if "config.json" not in there:
        raise BaseModelError(
            f"{name} has no config.json: it is not a model in transformers layout", "choose another base"
        )
    folder = Path(snapshot_download(name, allow_patterns=wanted))
    if not weights:
        return folder
    missing = _missing_weights(folder)
    absent = [file for file in missing if file not in there]
    if absent:
        pickles = [file for file in there if file.endswith(_PICKLES)]
        if pickles:
            raise _only_pickles(name, pickles)
        raise BaseModelError(f"{name} on the hub lacks {', '.join(absent)}", "choose another base", "bases")
    return Path(snapshot_download(name, allow_patterns=[*wanted, *missing])) if missing else folder


def settings_in(file: Path) -> dict[str, Any]:
    """What one of a base's JSON files says; nothing where there is no such file.

    Raises BaseModelError for a damaged one.
    """
    if not file.is_file():
        return {}
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BaseModelError(f"{file} is not valid JSON: {error}", "download the base again") from None
    return data if isinstance(data, dict) else {}
