"""From the sources that a recipe names to the books on a shelf."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from importlib import resources
from pathlib import Path

from quire.books.book import Book, Shelf, Split, Unreadable
from quire.books.kinds import READS, is_book_name
from quire.books.limits import ReadOptions
from quire.books.pdf.ocr import read_recognised
from quire.books.poems import as_poems
from quire.books.rows import hub
from quire.books.rows.row import table_suffix
from quire.books.walls.child import read_in_child
from quire.errors import BookError, RecipeError, printable
from quire.recipe.schema import ShelfItem

SAMPLES = {"novella": "novella.md", "tale": "tale.md", "poems": "poems.jsonl"}


def read_shelf(items: Sequence[ShelfItem], strict: bool = False, forgiving: bool = False) -> Shelf:
    """All books that the items name, in order.

    A file among others (in a folder or under a glob) that cannot be read is listed in `Shelf.unreadable`; with
    `strict`, and for a file that is named itself, it raises BookError.  `forgiving` lists files that are named too, if
    they are there and any other can be read.
    """
    books: list[Book] = []
    first: BookError | None = None
    names: dict[tuple[object, ReadOptions], Path] = {}
    also: dict[str, list[Path]] = {}
    unreadable: list[Unreadable] = []
    sources: list[str] = []
    numbers: list[int] = []
    for number, item in enumerate(items):
        if item.stream:
            raise RecipeError(
                f"{item.name} is a stream, which is not held in memory", "look at it with quire read --stream"
            )
        options = options_of(item)
        if item.hub is not None:
            found, source = _read_hub(item, options)
            books.extend(found)
            numbers += [number] * len(found)
            sources.append(source)
            continue
        for path, named in files_of(item, unreadable, strict):
            first_name = names.setdefault((_identity(path), options), path)
            if not named and first_name != path:
                also.setdefault(str(first_name), []).append(path)
                continue
            try:
                found = read_path(path, options)
            except BookError as error:
                if strict or (named and not (forgiving and error.code != "missing")):
                    raise
                first = first or error
                unreadable.append(Unreadable(str(path), _reason(error, path), error.code))
                continue
            books.extend(found)
            numbers += [number] * len(found)
            sources.append(str(path))
    if not books:
        raise (first if forgiving and first else _nothing(items, unreadable))
    return Shelf(tuple(_with_splits(_with_names(books, also))), tuple(unreadable), tuple(sources), tuple(numbers))


def read_path(path: Path | str, options: ReadOptions | None = None) -> list[Book]:
    """The books of one file: one, or one for each row of a data set.

    Raises BookError when it is missing, empty, no book, damaged, protected, or more than a book may cost to read.
    """
    path = Path(path)
    options = options or ReadOptions()
    books = _read_file(path, options)
    if options.format == "poems":
        return [poem for book in books for poem in as_poems(book)]
    return books


def _read_file(path: Path, options: ReadOptions) -> list[Book]:
    if options.ocr:
        return read_recognised(path, lambda file: read_in_child(file, None, options))
    return read_in_child(path, None, options)


def _read_hub(item: ShelfItem, options: ReadOptions) -> tuple[list[Book], str]:
    """The works of a data set on the hub, and how it is named among the sources.

    Of several tables one may hold nothing of what is asked for; of all of them, none.
    """
    assert item.hub is not None
    dataset = hub.find_dataset(item.hub, item.split)
    hub.check_size(dataset)
    books: list[Book] = []
    first: BookError | None = None
    for file in dataset.files:
        path = hub.fetch(dataset, file)
        try:
            books += [hub.rename(book, dataset, file) for book in read_path(path, options)]
        except BookError as error:
            what = error.what.replace(printable(str(path)), f"hub:{dataset.name}/{file.path}")
            first = first or BookError(what, error.then, error.guide, code=error.code)
            if error.code not in ("not-a-book", "empty"):
                raise first from None
    if not books:
        raise first or BookError(f"{item.name} holds no works", READS, code="empty")
    return books, dataset.source


def sample_path(name: str) -> Path:
    """The file of a work that ships with Quire.  Raises BookError for a name that is none."""
    if name not in SAMPLES:
        raise BookError(f"there is no sample {name!r}", then=f"choose one of {', '.join(SAMPLES)}")
    return Path(str(resources.files("quire").joinpath("assets", "samples", SAMPLES[name])))


def options_of(item: ShelfItem) -> ReadOptions:
    """What an item says about the reading of its files."""
    where = tuple(
        (column, (values,) if isinstance(values, str) else tuple(values)) for column, values in item.where.items()
    )
    return ReadOptions(item.text, where, item.format, item.matter, item.ocr)


def files_of(item: ShelfItem, unreadable: list[Unreadable], strict: bool) -> list[tuple[Path, bool]]:
    """The files of one item, and whether each was named itself rather than found."""
    if item.sample is not None:
        return [(sample_path(item.sample), True)]
    assert item.path is not None
    path = Path(item.path).expanduser()
    if not os.path.lexists(path) and glob.has_magic(item.path):
        files = _matching(path, unreadable)
        if not files:
            raise BookError(
                f"nothing matches {item.path}", then="check the pattern; quote it so that the shell leaves it alone"
            )
    elif path.is_dir():
        files = _walk(path, unreadable)
        if not files and not unreadable:
            raise BookError(f"{path} is an empty folder", then="put books into it, or name another")
    else:
        return [(path, True)]
    chosen: list[tuple[Path, bool]] = []
    for file in files:
        if is_book_name(file):
            chosen.append((file, False))
        elif strict:
            raise BookError(f"{file} is not named like a book", then=READS)
        else:
            unreadable.append(Unreadable(str(file), "not named like a book", "not-a-book"))
    return chosen


def _walk(folder: Path, unreadable: list[Unreadable]) -> list[Path]:
    """All files under a folder, in sorted order; hidden ones are left alone, linked folders and closed ones listed."""
    found: list[Path] = []

    def closed(error: OSError) -> None:
        unreadable.append(Unreadable(str(error.filename), f"cannot be opened ({error.strerror})"))

    for root, folders, files in os.walk(folder, onerror=closed):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        links = [Path(root) / name for name in folders if (Path(root) / name).is_symlink()]
        unreadable.extend(map(_link, links))
        found.extend(Path(root) / name for name in files if not name.startswith("."))
    return sorted(found)


def _matching(pattern: Path, unreadable: list[Unreadable]) -> list[Path]:
    """The files that a pattern means.  A linked folder is one of them only where it is named: `**` goes in circles."""
    plain = next(n for n, part in enumerate(pattern.parts) if glob.has_magic(part))
    found: list[Path] = []
    links: dict[Path, None] = {}
    for match in sorted(map(Path, glob.glob(str(pattern), recursive=True))):  # noqa: PTH207 (absolute patterns too)
        over = [parent for parent in match.parents if len(parent.parts) > plain and parent.is_symlink()]
        if over and "**" in pattern.parts:
            links[over[-1]] = None
        elif match.is_dir():
            found.extend(_walk(match, unreadable))
        else:
            found.append(match)
    unreadable.extend(map(_link, links))
    return list(dict.fromkeys(found))


def _link(folder: Path) -> Unreadable:
    return Unreadable(str(folder), "a link to a folder, which is not followed: name it to read it", "not-a-book")


def _reason(error: BookError, path: Path) -> str:
    return error.what.removeprefix(printable(str(path))).lstrip(": ") or error.what


def _nothing(items: Sequence[ShelfItem], unreadable: Sequence[Unreadable]) -> BookError:
    names = ", ".join(item.name for item in items) or "the shelf"
    if unreadable:
        # A book that failed says more than a file that is none.
        first = next((one for one in unreadable if one.code != "not-a-book"), unreadable[0])
        return BookError(
            f"{names} holds no book that can be read ({len(unreadable)} files; {first.path}: {first.reason})",
            then=READS,
        )
    return BookError(f"{names} holds no books", then=READS)


def _identity(path: Path) -> object:
    """What tells a file from all others, by whatever names it goes."""
    try:
        state = path.stat()
    except (OSError, ValueError):
        return path
    return state.st_dev, state.st_ino


def _with_names(books: list[Book], also: dict[str, list[Path]]) -> list[Book]:
    """A file that goes by several names is read once, and says so."""
    said = []
    for book in books:
        if more := also.pop(book.path, None):
            what = (
                f"the same file goes by {len(more)} more names here, the first of them {more[0].name}; it is read once"
            )
            book = replace(book, warnings=(*book.warnings, what))
        said.append(book)
    return said


def _with_splits(books: list[Book]) -> list[Book]:
    """What a data set's files say themselves is held out."""
    splits = split_by_names([Path(book.path) for book in books if not book.path.startswith("hub:")])
    return [replace(book, split=split) if (split := splits.get(Path(book.path))) else book for book in books]


def split_by_names(paths: Sequence[Path]) -> dict[Path, Split]:
    """A data set of train, validation and test files says itself what is held out; a lone `test.jsonl` does not."""
    splits = {path: split for path in dict.fromkeys(paths) if (split := _split_of(path))}
    folders = {path.parent for path, split in splits.items() if split == "train"}
    return {path: split for path, split in splits.items() if path.parent in folders}


def _split_of(path: Path) -> Split | None:
    if not table_suffix(path):
        return None
    words = re.split(r"[._-]", path.name.lower())
    return next((hub.SPLIT_NAMES[word] for word in words if word in hub.SPLIT_NAMES), None)
