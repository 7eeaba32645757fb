"""Data sets on the hub: which tables one has, by splits; fetched one by one through the hub's own client and its cache.

Only tables are fetched, never a program: a data set that needs its author's script is refused.  What a data set has is
asked once and kept beside the cache, so that the same recipe reads the same revision again, offline too.
"""

from __future__ import annotations

import fnmatch
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quire.books.book import Book, Split, moved
from quire.books.rows.row import table_suffix
from quire.errors import BookError
from quire.run.atomic import named_disk_errors, write_text

if TYPE_CHECKING:
    from huggingface_hub.hf_api import DatasetInfo

SPLIT_NAMES: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "valid": "validation",
    "val": "validation",
    "dev": "validation",
    "test": "test",
    "testing": "test",
}
MOST_BYTES = 2 * 2**30
"""What is read at once; more is for `stream`."""
_NAME = re.compile(
    r"(?P<id>[A-Za-z0-9][\w.-]*(?:/[A-Za-z0-9][\w.-]*)?)(?:/(?P<part>[\w.-]+))?(?:@(?P<revision>[\w./-]+))?", re.ASCII
)
_ABOUT = re.compile(r"(dataset_infos?|dataset_dict|state|config|metadata|tokenizer.*|package.*)\.json")
_SHARD = re.compile(r"[^a-z0-9]+")
_MOST_FILES = 100_000


@dataclass(frozen=True, slots=True)
class HubFile:
    """A table of a data set: its path there, its bytes (0 where the hub does not say), and its split by name."""

    path: str
    size: int
    split: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set at one revision, with the tables that were asked for."""

    name: str
    revision: str
    files: tuple[HubFile, ...]

    @property
    def source(self) -> str:
        """How it is named among the sources of a shelf."""
        return f"hub:{self.name}@{self.revision}"

    def split_of(self, file: HubFile) -> Split | None:
        """The split of a file where the data set has several; of one that was asked for alone, none."""
        return SPLIT_NAMES.get(file.split) if len({other.split for other in self.files}) > 1 else None


def find_dataset(name: str, split: str | None = None) -> Dataset:
    """What the hub has under this name.  Asks the network only where nobody asked before on this machine.

    Raises BookError: no such data set, no network, no permission, no table, no such split or part.
    """
    match = _NAME.fullmatch(name)
    if match is None or ".." in name:
        raise BookError(f"{name} is no id of a data set", "give one such as owner/name", code="missing")
    known = _listed(name, match["id"], match["revision"] or "main")
    files = _tables(name, known, match["part"])
    if split is not None:
        chosen = [file for file in files if file.split == split.strip().lower()]
        if not chosen:
            there = ", ".join(sorted({file.split for file in files}))
            raise BookError(
                f"hub:{name} has no split {split!r}; it has {there}", "set split: to one of them", code="missing"
            )
        files = chosen
    return Dataset(match["id"], str(known["revision"]), tuple(files))


def fetch(dataset: Dataset, file: HubFile) -> Path:
    """The file on this machine: from the cache, or downloaded into it.  Raises BookError."""
    from huggingface_hub import hf_hub_download

    with _said(dataset.name):
        return Path(hf_hub_download(dataset.name, file.path, repo_type="dataset", revision=dataset.revision))


def check_size(dataset: Dataset) -> None:
    """Raise BookError where a data set is too large to be read at once, before anything of it is fetched."""
    size = sum(file.size for file in dataset.files)
    if size > MOST_BYTES:
        what = f"hub:{dataset.name} has {size / 1e9:.1f} GB in {len(dataset.files)} tables, too much to be read at once"
        raise BookError(what, "set stream: true for it, or name one split", code="too-large")


def rename(book: Book, dataset: Dataset, file: HubFile) -> Book:
    """A book that was read from the cache, as one of the data set: no path of this machine in it."""
    return replace(moved(book, f"hub:{dataset.name}/{file.path}"), split=dataset.split_of(file))


def _listed(name: str, id: str, revision: str) -> dict[str, Any]:
    """What the data set has: as it was found before, or asked of the hub now."""
    from huggingface_hub import HfApi, constants
    from huggingface_hub.file_download import repo_folder_name

    folder = Path(constants.HF_HUB_CACHE) / repo_folder_name(repo_id=id, repo_type="dataset")
    kept = folder / f"quire-{revision.replace('/', '--')}.json"
    try:
        found: dict[str, Any] = json.loads(kept.read_text(encoding="utf-8"))
        return found
    except (OSError, ValueError):
        pass
    with _said(name):
        found = _facts(HfApi().dataset_info(id, revision=revision, files_metadata=True))
        folder.mkdir(parents=True, exist_ok=True)
        write_text(kept, json.dumps(found))
    return found


def _facts(info: DatasetInfo) -> dict[str, Any]:
    card = info.card_data.to_dict() if info.card_data else {}  # type: ignore[no-untyped-call]
    return {
        "revision": info.sha,
        "files": [[sibling.rfilename, sibling.size or 0] for sibling in (info.siblings or ())[:_MOST_FILES]],
        "configs": card.get("configs"),
    }


@contextmanager
def _said(name: str) -> Iterator[None]:
    """The client's errors in two lines, without addresses and tokens."""
    from huggingface_hub import constants
    from huggingface_hub.errors import (  # type: ignore[attr-defined]
        EntryNotFoundError,
        GatedRepoError,
        HTTPError,
        LocalEntryNotFoundError,
        OfflineModeIsEnabled,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    ways = "use a data set that was read here before, a file or a folder; or go online and repeat"
    try:
        with named_disk_errors(Path(constants.HF_HUB_CACHE)):
            yield
    except GatedRepoError:
        what = f"the data set {name} is gated: its owner wants to be asked first"
        then = f"ask at {constants.ENDPOINT}/datasets/{name.partition('@')[0]}, then log in with: hf auth login"
        raise BookError(what, then, "gated", code="protected") from None
    except RepositoryNotFoundError:
        what = f"the hub {constants.ENDPOINT} knows no data set {name} (or it is private and you are not logged in)"
        raise BookError(what, "check the spelling; for a private one: hf auth login", code="missing") from None
    except RevisionNotFoundError:
        raise BookError(
            f"the data set {name} has no such revision", "check what follows the @", code="missing"
        ) from None
    except (OfflineModeIsEnabled, LocalEntryNotFoundError) as error:
        offline = isinstance(error, OfflineModeIsEnabled) or constants.HF_HUB_OFFLINE
        why = "HF_HUB_OFFLINE is set" if offline else "the hub cannot be reached"
        raise BookError(
            f"the data set {name} is not in the cache and was not fetched ({why})", ways, "offline"
        ) from None
    except EntryNotFoundError:
        raise BookError(f"the data set {name} has lost a table since it was listed", ways, code="missing") from None
    except (HTTPError, OSError) as error:
        what = f"the data set {name} was not fetched (the hub cannot be reached: {type(error).__name__})"
        raise BookError(what, ways, "offline") from None


def _tables(name: str, known: Mapping[str, Any], part: str | None) -> list[HubFile]:
    """The tables of the part that is meant, with their splits."""
    every = {str(path): int(size) for path, size in known["files"]}
    tables = sorted(path for path in every if _is_table(path))
    if not tables:
        script = any(path.endswith(".py") and "/" not in path for path in every)
        what = f"hub:{name} holds no table that Quire reads"
        if script:
            what += ", but a program, which is not run"
        then = (
            f"try hub:{name.partition('@')[0]}@refs/convert/parquet" if script else "choose one with .parquet or .jsonl"
        )
        raise BookError(what, then, code="wrong-kind")
    patterns = _patterns(name, known.get("configs"), part)
    if patterns:
        found = [
            HubFile(path, every[path], split)
            for split, pattern in patterns
            for path in tables
            if _matches(path, pattern)
        ]
        files = list({file.path: file for file in reversed(found)}.values())[::-1]
        if files:
            return files
    if part is not None and patterns is None:
        inside = [path for path in tables if part in Path(path).parts[:-1]]
        if not inside:
            parts = ", ".join(sorted({Path(path).parts[0] for path in tables if "/" in path})[:20]) or "none"
            raise BookError(
                f"hub:{name} has no part {part!r}; its folders are {parts}", _name_one(name), code="missing"
            )
        tables = inside
    tables = _of_one_kind(tables, every)
    return [HubFile(path, every[path], _split_name(path)) for path in tables]


def _is_table(path: str) -> bool:
    parts = Path(path).parts
    if path.startswith("/") or any(part.startswith((".", "_")) for part in parts) or _ABOUT.fullmatch(parts[-1]):
        return False
    return table_suffix(Path(path)) != ""


def _of_one_kind(tables: Sequence[str], sizes: Mapping[str, int]) -> list[str]:
    """The same rows often lie there as Parquet and as JSON: those of the kind that has most bytes."""
    kinds: dict[str, int] = {}
    for path in tables:
        kinds[table_suffix(Path(path))] = kinds.get(table_suffix(Path(path)), 0) + sizes[path] + 1
    best = max(kinds, key=lambda kind: kinds[kind])
    return [path for path in tables if table_suffix(Path(path)) == best]


def _split_name(path: str) -> str:
    """The split that a file's name or its folders tell; `train` where they tell none."""
    words = [word for part in reversed(Path(path).parts) for word in _SHARD.split(part.lower())]
    return next((SPLIT_NAMES[word] for word in words if word in SPLIT_NAMES), "train")


def _patterns(name: str, configs: object, part: str | None) -> list[tuple[str, str]] | None:
    """Splits and patterns of files, as the data set's card says; None where it says nothing."""
    if not isinstance(configs, list):
        return None
    said = {
        str(config["config_name"]): config
        for config in configs
        if isinstance(config, dict) and config.get("config_name") and config.get("data_files")
    }
    if not said:
        return None
    if part is None and len(said) > 1:
        marked = [key for key, config in said.items() if config.get("default") is True]
        part = marked[0] if marked else "default" if "default" in said else None
        if part is None:
            parts = ", ".join(list(said)[:20])
            raise BookError(f"hub:{name} has several parts: {parts}", _name_one(name, next(iter(said))))
    if part is not None and part not in said:
        raise BookError(
            f"hub:{name} has no part {part!r}; it has {', '.join(list(said)[:20])}", _name_one(name), code="missing"
        )
    return _pairs(said[part or next(iter(said))]["data_files"])


def _name_one(name: str, part: str = "PART") -> str:
    match = _NAME.fullmatch(name)
    return f"name one: hub:{match['id'] if match else name}/{part}"


def _pairs(files: object) -> list[tuple[str, str]]:
    """`a*.parquet`, `[a, b]` or `[{split: train, path: …}, …]` as pairs of split and pattern."""
    if isinstance(files, str):
        return [("train", files)]
    pairs: list[tuple[str, str]] = []
    for item in files if isinstance(files, list) else []:
        if isinstance(item, dict):
            paths = item.get("path")
            split = str(item.get("split", "train")).lower()
            pairs += [(split, str(path)) for path in (paths if isinstance(paths, list) else [paths])]
        else:
            pairs.append((_split_name(str(item)), str(item)))
    return pairs


def _matches(path: str, pattern: str) -> bool:
    plain = pattern.removeprefix("./")
    return fnmatch.fnmatchcase(path, plain) or fnmatch.fnmatchcase(path, plain.replace("**/", ""))
