"""The run folder: what lies where in it, and how one is found by name."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from pathlib import Path

from quire.errors import RunError, VoiceError
from quire.run.atomic import make_folder, named_disk_errors, write_text

FORMAT = 1
RUNS = Path("runs")

_VOICE_SIGNS = ("adapter_config.json", "model.safetensors", "model.safetensors.index.json")


@dataclass(frozen=True)
class RunFolder:
    """A folder in which a recipe is carried out."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.absolute().name

    @property
    def format_file(self) -> Path:
        return self.path / "format"

    @property
    def recipe_file(self) -> Path:
        return self.path / "recipe.yaml"

    @property
    def events_file(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def stages(self) -> Path:
        return self.path / "stages"

    def stage(self, number: int, name: str) -> Path:
        """What stage `number` (from 0) yields, its parts and its voice."""
        return self.stages / f"{number + 1:02d}-{name}"

    @property
    def voice(self) -> Path:
        return self.path / "voice"

    @property
    def report(self) -> Path:
        return self.path / "report"

    @property
    def samples(self) -> Path:
        return self.path / "samples.md"

    @property
    def lock(self) -> Path:
        return self.path / "lock"

    @property
    def crash_file(self) -> Path:
        return self.path / "crash.txt"

    @property
    def has_voice(self) -> bool:
        return is_voice(self.voice)

    @classmethod
    def create(cls, path: Path) -> RunFolder:
        """Make a run folder at `path`, or open the one that is there.  RunError where something else stands."""
        folder = cls(path)
        if folder.format_file.is_file():
            return cls.open(path)
        if path.exists() and not path.is_dir():
            raise RunError(f"{path} is a file, not a run folder", "choose another folder with --run DIR")
        # A lock, and nothing else, is what a start that was killed early leaves.
        if path.is_dir() and any(entry.name != folder.lock.name for entry in path.iterdir() if entry.name[0] != "."):
            if folder.format_file.is_file():  # made meanwhile, by another start
                return cls.open(path)
            raise RunError(
                f"{path} is not empty and is not a run folder", "choose a new or empty folder with --run DIR"
            )
        try:
            with named_disk_errors(path):
                make_folder(path)
                write_text(folder.format_file, f"{FORMAT}\n")
        except (PermissionError, NotADirectoryError, FileExistsError) as error:
            reason = error.strerror or str(error)
            raise RunError(f"cannot make the run folder {path}: {reason}", "choose another with --run DIR") from error
        return folder

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """The run folder at `path`.  RunError where there is none or it comes from a newer Quire."""
        folder = cls(path)
        try:
            text = folder.format_file.read_text(encoding="utf-8").strip()
        except (FileNotFoundError, NotADirectoryError):
            raise RunError(
                f"{path} is not a run folder",
                "name a folder that quire train has made, or the name of one under ./runs",
            ) from None
        if not text.isdigit():
            raise RunError(f"{folder.format_file} does not hold a format number", f"write {FORMAT} into it")
        if int(text) > FORMAT:
            raise RunError(
                f"{path} was written by a newer Quire (format {text}; this one reads up to {FORMAT})",
                "upgrade Quire: pip install --upgrade quire",
            )
        return folder


@dataclass(frozen=True)
class Found:
    """What a RUN argument named: a run and its voice folder, or a voice folder that belongs to no run."""

    voice: Path
    run: RunFolder | None

    @property
    def name(self) -> str:
        return self.run.name if self.run else self.voice.absolute().name


def is_run(path: Path) -> bool:
    return (path / "format").is_file()


def is_voice(path: Path) -> bool:
    return any((path / sign).is_file() for sign in _VOICE_SIGNS)


def list_runs(runs: Path = RUNS) -> list[RunFolder]:
    """The run folders directly under `runs`, by name."""
    if not runs.is_dir():
        return []
    return [RunFolder(path) for path in sorted(runs.iterdir()) if is_run(path)]


def find_run(name: str | Path, runs: Path = RUNS) -> Found:
    """A run folder, the name of one under `runs`, or a voice folder.  RunError names what there is instead."""
    given = Path(name)
    for path in (given, runs / given):
        if is_run(path):
            run = RunFolder.open(path)
            return Found(run.voice, run)
        if is_voice(path):
            parent = path.absolute().parent
            return Found(path, RunFolder.open(parent) if is_run(parent) and path.name == "voice" else None)
    if given.exists():
        raise RunError(f"{given} is neither a run folder nor a voice folder", _candidates(str(name), runs))
    raise RunError(f"no run named {name}", _candidates(str(name), runs))


def require_voice(found: Found) -> Path:
    """The voice folder of what was found.  VoiceError where the run has not saved one yet."""
    if not is_voice(found.voice):
        raise VoiceError(
            f"{found.name} has no voice yet", "finish its training: give the same quire train command again"
        )
    return found.voice


def folder_name(text: str) -> str:
    """A title as the name of a folder: `The Castle!` → `the-castle`."""
    name = re.sub(r"[^\w]+", "-", text.casefold()).strip("-_")
    return name[:60].strip("-_") or "run"


def _candidates(name: str, runs: Path) -> str:
    names = [run.name for run in list_runs(runs)]
    if not names:
        return "train one first: quire train BOOK"
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return "did you mean " + " or ".join(near) + "?" if near else "runs here: " + ", ".join(names[:8])
