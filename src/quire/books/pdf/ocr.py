"""Pages that are pictures, recognised by OCRmyPDF before they are read, where the reader of the book allows it.

It is another program, with a process of its own, and runs on the side of the parent: the child that reads may start
nothing and write nothing.  It gets a folder that is thrown away, a clock, and no more of the environment than it needs;
what it makes is read like any other file from a stranger.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from quire.books.book import Book, moved
from quire.books.language import detect_language
from quire.books.limits import MIB
from quire.books.pdf.words import PICTURE, UNREADABLE, are, name_pages
from quire.errors import BookError

SECONDS = 7200.0
PAGE_SECONDS = 180
# So many pages tell the language of a book.
SAMPLE_PAGES = 8
_MEMORY = 4096 * MIB
_OUTPUT = 4096 * MIB
_MOST_PIXELS = 250
INSTALL = "pip install ocrmypdf, and tesseract with its languages: apt install tesseract-ocr tesseract-ocr-fra"
_TESSERACT_NAMES = {
    "cs": "ces", "da": "dan", "de": "deu", "el": "ell", "en": "eng", "es": "spa", "fi": "fin", "fr": "fra",
    "hu": "hun", "it": "ita", "la": "lat", "nl": "nld", "no": "nor", "pl": "pol", "pt": "por", "ro": "ron",
    "ru": "rus", "sv": "swe", "tr": "tur", "uk": "ukr",
}  # fmt: skip
_USUAL = ("eng", "fra")

Read = Callable[[Path], list[Book]]


def read_recognised(path: Path, read: Read) -> list[Book]:
    """The books of a PDF as `read` gives them, with the text of its picture pages where that can be had.

    Raises BookError when the whole file is pictures and they cannot be recognised, saying why and what to install.
    """
    try:
        books = read(path)
    except BookError as error:
        if error.code != "image-only":
            raise
        try:
            return _recognise(path, read, (), "")
        except _NotRecognised as failure:
            raise BookError(f"{error.what}; {failure.what}", then=failure.then, code="image-only") from None
    pages = sorted(
        {drop.place.number for book in books for drop in book.dropped if drop.reason in (PICTURE, UNREADABLE)}
    )
    if not pages:
        return books
    try:
        return _recognise(path, read, pages, books[0].language)
    except _NotRecognised as failure:
        said = f"{failure.what}: {failure.then}" if failure.then else failure.what
        return [replace(book, warnings=(*book.warnings, said)) for book in books]


class _NotRecognised(Exception):
    def __init__(self, what: str, then: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.then = then


def _recognise(path: Path, read: Read, pages: Sequence[int], language: str) -> list[Book]:
    """The books of a copy whose pages (all of them, if none is named) have been recognised."""
    with tempfile.TemporaryDirectory(prefix="quire-ocr-", ignore_cleanup_errors=True) as folder:
        copy = Path(folder) / "recognised.pdf"
        _run(path, copy, Path(folder), pages, language)
        try:
            books = read(copy)
        except BookError as error:
            raise _NotRecognised(
                error.what.replace(str(copy), "what ocrmypdf made of it"), "scan the pages again, at 300 dpi or more"
            ) from None
    which = name_pages([page - 1 for page in pages]) if pages else "all pages"
    said = f"{which} {are(pages or (1, 2))} read as ocrmypdf recognised {'it' if len(pages) == 1 else 'them'}"
    return [_renamed(replace(book, warnings=(*book.warnings, said)), path, copy) for book in books]


def _renamed(book: Book, path: Path, copy: Path) -> Book:
    """The book of a copy as the book of the file that it was made of."""
    return replace(moved(book, str(path)), title=path.stem if book.title == copy.stem else book.title)


def _run(path: Path, copy: Path, folder: Path, pages: Sequence[int], language: str) -> None:
    """Have ocrmypdf write `copy`.  Raises _NotRecognised when it is absent, fails, or takes too long."""
    program, tesseract = shutil.which("ocrmypdf"), shutil.which("tesseract")
    for name, found in (("ocrmypdf", program), ("tesseract", tesseract)):
        if found is None:
            raise _NotRecognised(f"{name}, which recognises text, is not installed", INSTALL)
    assert program is not None
    assert tesseract is not None
    known = _languages(tesseract, folder)
    # The pages are known to hold nothing else worth keeping: drawn anew, whatever stamp or nameless text is on them.
    command = [program, "--force-ocr", "--output-type", "pdf", "--optimize", "0", "--quiet"]
    command += ["--tesseract-timeout", str(PAGE_SECONDS), "--max-image-mpixels", str(_MOST_PIXELS)]
    command += ["--rotate-pages"] if "osd" in known else []
    usual = [name for name in _USUAL if name in known]
    if not language and len(known - {"osd"}) > 1:
        language = _see_language([*command, "-l", "+".join(usual or sorted(known - {"osd"}))], path, folder, pages)
    chosen = [name for name in (_TESSERACT_NAMES.get(language, ""),) if name in known] or usual
    command += ["-l", "+".join(chosen)] if chosen else []
    command += ["--pages", _ranges(pages)] if pages else []
    status, said = _call([*command, str(path.absolute()), str(copy)], folder, SECONDS)
    if status is None:
        raise _NotRecognised(f"ocrmypdf did not end within {SECONDS / 60:.0f} minutes", "split the file")
    if status != 0 or not copy.is_file():
        raise _NotRecognised(f"ocrmypdf failed (exit status {status}{said})", "run it by hand to see why")


def _see_language(command: Sequence[str], path: Path, folder: Path, pages: Sequence[int]) -> str:
    """The language of a few pages: French that is recognised as either loses an accent in every hundred words."""
    text = folder / "sample.txt"
    few = ["--pages", _ranges(pages[:SAMPLE_PAGES] or range(1, SAMPLE_PAGES + 1)), "--sidecar", str(text)]
    copy = folder / "sample.pdf"
    status, _ = _call(
        [*command, *few, str(path.absolute()), str(copy)], folder, min(SECONDS, SAMPLE_PAGES * PAGE_SECONDS)
    )
    if status != 0 or not text.is_file():
        return ""
    with text.open(encoding="utf-8", errors="replace") as file:
        return detect_language(file.read(200_000))


def _languages(tesseract: str, folder: Path) -> frozenset[str]:
    """The languages that tesseract knows here."""
    log = folder / "languages"
    status, _ = _call([tesseract, "--list-langs"], folder, 30.0, log)
    names = log.read_text(encoding="utf-8", errors="replace").split() if status == 0 else []
    return frozenset(name for name in names if re.fullmatch(r"[a-z]{3}(?:_\w+)?", name))


def _call(command: Sequence[str], folder: Path, seconds: float, log: Path | None = None) -> tuple[int | None, str]:
    """Run a program with a clock; its exit status (None: it was stopped) and the last line that it said."""
    log = log or folder / "said"
    environment = {key: os.environ[key] for key in ("PATH", "LD_LIBRARY_PATH", "TESSDATA_PREFIX") if key in os.environ}
    environment |= {"TMPDIR": str(folder), "HOME": str(folder), "LC_ALL": "C.UTF-8", "OMP_THREAD_LIMIT": "1"}
    with log.open("wb") as out:
        try:
            process = subprocess.Popen(  # noqa: S603 (a program that the user has installed, without a shell)
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd=folder,
                env=environment,
                start_new_session=True,
            )
        except OSError as error:
            raise _NotRecognised(f"{command[0]} cannot be started ({error.strerror})", INSTALL) from None
        try:
            _bind(process.pid)
            status: int | None = process.wait(seconds)
        except subprocess.TimeoutExpired:
            _kill(process)
            status = None
        except BaseException:
            _kill(process)
            raise
    lines = log.read_bytes()[-4000:].decode("utf-8", "replace").split("\n")
    last = next((line.strip() for line in reversed(lines) if line.strip()), "")
    shown = "".join(char for char in last if char.isprintable())[:200]
    return status, f": {shown}" if shown else ""


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End a program with all that it started: it has a session of its own, which Ctrl-C does not reach."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _bind(process: int) -> None:
    """Limits for a program and all that it starts, where the system can set them from outside."""
    if sys.platform == "linux":
        import resource

        with suppress(ProcessLookupError, PermissionError, ValueError):
            resource.prlimit(process, resource.RLIMIT_AS, (_MEMORY, _MEMORY))
            resource.prlimit(process, resource.RLIMIT_FSIZE, (_OUTPUT, _OUTPUT))
            resource.prlimit(process, resource.RLIMIT_CORE, (0, 0))


def _ranges(pages: Sequence[int]) -> str:
    """`3-7,12` for page numbers in order."""
    runs: list[list[int]] = []
    for page in pages:
        if runs and runs[-1][1] == page - 1:
            runs[-1][1] = page
        else:
            runs.append([page, page])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
