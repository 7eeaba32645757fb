"""quire runs: what there is, and removing what is no longer wanted."""

from __future__ import annotations

import os
import re
import secrets
import shutil
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from quire.errors import QuireError, RunError
from quire.recipe.load import read_recipe_file
from quire.run.atomic import named_disk_errors, sync_folder
from quire.run.events import read_events
from quire.run.folder import RUNS, RunFolder, is_run
from quire.run.lock import hold, holder
from quire.verbs.comparing.line import base_name, state_of
from quire.verbs.searching.journal import is_search, read_journal

_REMOVED = re.compile(r"\..+\.quire-removed-[0-9a-f]{8}")


@dataclass(frozen=True)
class RunEntry:
    """A run, or a search (`kind`).  `changed` is in seconds since 1970; a search's steps are its ended trials."""

    name: str
    path: Path
    kind: str
    state: str
    steps: int
    base: str
    size_bytes: int
    changed: float

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "path": str(self.path)}


def runs(folder: str | Path = RUNS) -> list[RunEntry]:
    """The runs and searches in `folder`, those that changed last first."""
    home = Path(folder)
    if not home.is_dir():
        return []
    _finish_removing(home)
    found = [entry_of(path) for path in sorted(home.iterdir()) if not path.is_symlink() and _kind(path)]
    return sorted(found, key=lambda entry: -entry.changed)


def entry_of(path: Path) -> RunEntry:
    """What is known of one run or search, a damaged one too."""
    size, changed = _measure(path)
    kind = _kind(path)
    try:
        state, steps, base = _search_facts(path) if kind == "search" else _run_facts(RunFolder.open(path))
    except QuireError:
        state, steps, base = "damaged", 0, ""
    return RunEntry(path.absolute().name, path, kind, state, steps, base, size, changed)


def find_entries(names: Sequence[str | Path], folder: str | Path = RUNS) -> list[RunEntry]:
    """What `names` stand for: names in `folder`, or paths.  RunError for whatever must not be removed."""
    found: dict[Path, RunEntry] = {}
    for name in names:
        path = next((p for p in (Path(folder) / name, Path(name)) if p.is_symlink() or p.exists()), None)
        if path is None:
            known = ", ".join(entry.name for entry in runs(folder)[:8])
            raise RunError(f"no run named {name}", f"runs here: {known}" if known else "there are no runs here", "runs")
        if path.is_symlink():
            raise RunError(f"{path} is a link, and links are not followed", "name the folder itself", "runs")
        if not _kind(path):
            raise RunError(f"{path} is no run and no search", "remove it yourself if you are sure", "runs")
        _refuse_one_in_use(path)
        found[path.absolute()] = entry_of(path)
    return list(found.values())


def remove_run(name: str | Path, folder: str | Path = RUNS) -> RunEntry:
    """Remove a run or a search for good; its line in results.csv stays.  RunError where it is in use or is none.

    The folder is renamed first, so that no half of a run is ever seen; what a crash leaves under that name goes the
    next time that runs are listed or removed.
    """
    (entry,) = find_entries([name], folder)
    path = entry.path.absolute()
    hidden = path.with_name(f".{path.name}.quire-removed-{secrets.token_hex(4)}")
    try:
        with ExitStack() as held, named_disk_errors(path):
            held.enter_context(hold(path / "lock"))
            path.rename(hidden)
            sync_folder(path.parent)
            shutil.rmtree(hidden)
    except OSError as error:
        raise RunError(
            f"{path} cannot be removed: {error.strerror or error}", "check its permissions", "runs"
        ) from None
    _finish_removing(path.parent)
    return entry


def _refuse_one_in_use(path: Path) -> None:
    if (pid := holder(path / "lock")) is not None:
        raise RunError(f"{path} is in use by process {pid}", f"wait for it, or stop it with: kill {pid}", "run-in-use")


def _finish_removing(home: Path) -> None:
    """Of removals that were cut short."""
    for path in home.iterdir():
        if _REMOVED.fullmatch(path.name) and path.is_dir() and not path.is_symlink() and holder(path / "lock") is None:
            shutil.rmtree(path, ignore_errors=True)


def _kind(path: Path) -> str:
    if not path.is_dir() or _REMOVED.fullmatch(path.name):
        return ""
    return "run" if is_run(path) else "search" if is_search(path) else ""


def _run_facts(run: RunFolder) -> tuple[str, int, str]:
    events = read_events(run.events_file)
    steps = max((event.step for event in events if event.kind in ("step", "stage_end", "done")), default=0)
    base = ""
    if run.recipe_file.is_file():
        decided = read_recipe_file(run.recipe_file).data.get("decided")
        base = base_name(str(decided.get("base", ""))) if isinstance(decided, dict) else ""
    return state_of(run, events), steps, base


def _search_facts(path: Path) -> tuple[str, int, str]:
    journal = read_journal(path)
    assert journal is not None
    ended = sum(trial.state != "running" for trial in journal.trials)
    if holder(path / "lock") is not None:
        state = "training"
    else:
        state = "finished" if journal.outcome.get("complete") else "stopped"
    recipe = path / "recipe.yaml"
    decided = read_recipe_file(recipe).data.get("decided") if recipe.is_file() else None
    return state, ended, base_name(str(decided.get("base", ""))) if isinstance(decided, dict) else ""


def _measure(path: Path) -> tuple[int, float]:
    """Bytes in its files, those with two names counted once, and when one last changed.  No link is followed."""
    seen: set[tuple[int, int]] = set()
    size, changed = 0, path.lstat().st_mtime
    for parent, _, files in os.walk(path):
        for name in files:
            try:
                facts = (Path(parent) / name).lstat()
            except FileNotFoundError:  # one that is written just now
                continue
            if (facts.st_dev, facts.st_ino) not in seen:
                seen.add((facts.st_dev, facts.st_ino))
                size += facts.st_size
                changed = max(changed, facts.st_mtime)
    return size, changed
