"""What kind of file a path holds: by its first bytes, and only where those leave it open by its name."""

from __future__ import annotations

import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path

from quire.books.cut_zip import open_zip
from quire.books.encoding import utf16_without_mark
from quire.books.limits import MIB, Limits
from quire.books.readers import Kind
from quire.books.rows.row import PACKED_MAGIC, table_suffix
from quire.books.signatures import foreign, foreign_text
from quire.errors import BookError

READS = "Quire reads .txt, .md, .html, .epub, .pdf, .docx, .odt, .rtf, TEI .xml, and tables: .jsonl, .csv, .parquet"
_HEAD_BYTES = 8192
_OFFICE = b"\xd0\xcf\x11\xe0"
_LOCKED_OFFICE = "EncryptedPackage".encode("utf-16-le")
_OFFICE_BYTES = 4 * MIB
# What a zip archive is if it holds a file of this name.
_IN_ZIP = (
    ("xl/workbook.xml", "a spreadsheet", "save it as .jsonl: one JSON object with a text a line"),
    ("ppt/presentation.xml", "a presentation", "save its text as .docx"),
    ("Index/Document.iwa", "a Pages document", "export it as .docx or .epub"),
    ("index.apxl", "a Keynote presentation", "save its text as .docx"),
    ("index.xml", "a Pages document", "export it as .docx or .epub"),
    ("META-INF/MANIFEST.MF", "a Java program", ""),
    ("AndroidManifest.xml", "an Android program", ""),
)
_PICTURES = (".jpg", ".jpeg", ".png", ".gif", ".webp", ".avif")
_BY_NAME: dict[str, Kind] = {
    ".txt": "txt",
    ".text": "txt",
    ".asc": "txt",
    ".md": "md",
    ".markdown": "md",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "jsonl",
    ".csv": "jsonl",
    ".tsv": "jsonl",
    ".parquet": "jsonl",
    ".xml": "tei",
    ".tei": "tei",
}
_BINARY_NAMES: dict[str, tuple[Kind, str]] = {
    ".pdf": ("pdf", "PDF"),
    ".epub": ("epub", "EPUB"),
    ".docx": ("docx", "Word document"),
    ".odt": ("odt", "OpenDocument text"),
    ".rtf": ("rtf", "RTF document"),
}
_MARKUP = re.compile(r"<!doctype\s+html|<html[\s>]|<body[\s>]|<head[\s>]", re.IGNORECASE)
_TEI = re.compile(r"<(?:\w+:)?TEI(?:\.2)?[\s>]|http://www\.tei-c\.org/ns/1\.0")


# Flat OpenDocument, and what Word wrote in 2003 and writes as "Word XML".
_FLAT = re.compile(r"<office:document[\s>]|<w:wordDocument[\s>]|<pkg:package[\s>]")
_FICTION_BOOK = re.compile(r"<FictionBook[\s>]")


def check_file(path: Path, limits: Limits | None = None) -> None:
    """Raise BookError unless `path` is a file of usable size that may be read.  Opens nothing that could block."""
    limits = limits or Limits()
    try:
        state = path.stat()
    except FileNotFoundError:
        if path.is_symlink():
            raise BookError(f"{path} is a link to nothing", then="name the file itself", code="missing") from None
        raise BookError(f"{path} does not exist", then=_near(path), code="missing") from None
    except NotADirectoryError:
        raise BookError(f"{path} does not exist", then="check the spelling and the folder", code="missing") from None
    except (OSError, ValueError) as error:
        raise BookError(f"{path} cannot be opened ({_why(error)})", then="check the name and the permissions") from None
    _check_state(path, state, limits)
    if not os.access(path, os.R_OK):
        raise BookError(f"{path} may not be read by you", then=f"give yourself permission: chmod u+r '{path}'")


def _check_state(path: Path, state: os.stat_result, limits: Limits) -> None:
    if not stat.S_ISREG(state.st_mode):
        what = f"{path} is {_not_a_file(state.st_mode)}, not a file"
        raise BookError(what, then="name a book file or a folder of them", code="not-a-book")
    if state.st_size == 0:
        raise BookError(f"{path} is empty", then="check that it was saved or downloaded whole", code="empty")
    if state.st_size > limits.file:
        what = f"{path} is larger than any book ({state.st_size:,} bytes)"
        raise BookError(what, then="split it into several files", code="too-large")


def open_book(path: Path, limits: Limits) -> int:
    """The open descriptor of a checked file, which is still one when it is open."""
    check_file(path, limits)
    try:
        # Should a pipe have taken its place meanwhile, opening must not wait for a writer.
        opened = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError as error:
        raise BookError(f"{path} cannot be opened ({_why(error)})", then="check the name and the permissions") from None
    try:
        _check_state(path, os.fstat(opened), limits)
    except BookError:
        os.close(opened)
        raise
    return opened


def _why(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _near(path: Path) -> str:
    """Names in the same folder that are nearly the one that was given."""
    from difflib import get_close_matches

    try:
        names = [entry.name for entry in path.parent.iterdir()][:5000]
    except (OSError, ValueError):
        return "check the spelling and the folder"
    close = get_close_matches(path.name, names, n=1, cutoff=0.7)
    return f"did you mean '{path.parent / close[0]}'?" if close else "check the spelling and the folder"


def _not_a_file(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISFIFO(mode):
        return "a pipe"
    return "a device" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else "a socket or the like"


def guess_kind(path: Path) -> Kind | None:
    """What the name says; None where it says nothing."""
    suffix = table_suffix(path) or path.suffix.lower()
    return _BINARY_NAMES[suffix][0] if suffix in _BINARY_NAMES else _BY_NAME.get(suffix)


def find_kind(path: Path) -> Kind:
    """The kind of a checked file.  Raises BookError when it is no kind of book, naming what it looks like."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise BookError(f"{path} cannot be opened ({_why(error)})", then="check its permissions") from None
    suffix = path.suffix.lower()
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return _zip_kind(path)
    if _is_pdf(head, suffix):
        return "pdf"
    if head.startswith(b"{\\rtf"):
        return "rtf"
    if head.startswith(_OFFICE):
        raise _old_office(path)
    if head.startswith(b"PAR1") or (head.startswith(PACKED_MAGIC) and table_suffix(path)):
        return "jsonl"
    if (found := foreign(head)) is not None:
        raise BookError(f"{path} is {found[0]}, not a book", then=found[1], code="wrong-kind")
    if suffix in _BINARY_NAMES:
        what = f"{path} is no {_BINARY_NAMES[suffix][1]}, whatever its name says"
        raise BookError(what, then="get the file again, or rename it", code="wrong-kind")
    return _text_kind(path, head, suffix)


def _is_pdf(head: bytes, suffix: str) -> bool:
    """A PDF may have a little in front of it; a page about PDFs is none."""
    if b"%PDF-" not in head[:4096]:
        return False
    return suffix not in _BY_NAME or head.lstrip(b"\xef\xbb\xbf \t\r\n\0").startswith(b"%PDF-")


def _old_office(path: Path) -> BookError:
    """Old Word documents are such files, and so are new ones under a password."""
    with path.open("rb") as file:
        if _LOCKED_OFFICE in file.read(_OFFICE_BYTES):
            what = f"{path} is locked with a password"
            return BookError(what, then="open it in a word processor and save it without one", code="protected")
    then = "open it in a word processor and save it as .docx"
    return BookError(f"{path} is an old Word document (.doc)", then=then, code="wrong-kind")


def _zip_kind(path: Path) -> Kind:
    try:
        archive, is_cut = open_zip(path)
        with archive:
            names = set(archive.namelist())
            mimetype = _mimetype(archive) if "mimetype" in names else b""
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, EOFError) as error:
        raise BookError(f"{path} is a damaged archive ({error})", then="get the file again", code="damaged") from None
    if "word/document.xml" in names:
        return "docx"
    if b"opendocument" in mimetype and b"opendocument.text" not in mimetype:
        raise BookError(f"{path} is an OpenDocument file, but no text", then=READS, code="wrong-kind")
    if "content.xml" in names and (b"opendocument" in mimetype or "META-INF/manifest.xml" in names):
        return "odt"
    if "META-INF/container.xml" in names or b"epub" in mimetype or any(name.lower().endswith(".opf") for name in names):
        return "epub"
    for name, what, then in _IN_ZIP:
        if name in names:
            raise BookError(f"{path} is {what}, not a book", then=then or READS, code="wrong-kind")
    if path.suffix.lower() == ".docx":
        return "docx"
    files = [name.lower() for name in names if not name.endswith("/")]
    if files and sum(name.endswith(_PICTURES) for name in files) >= 0.9 * len(files):
        then = "make a PDF of it and recognise its text, with OCRmyPDF for example"
        raise BookError(f"{path} is an archive of pictures", then=then, code="image-only")
    if is_cut:
        what = f"{path} is a damaged archive: what is left of it holds no book"
        raise BookError(what, then="get the file again", code="damaged")
    what = f"{path} is a zip archive {_holding(names)}"
    raise BookError(what, then="unpack it and name the folder", code="wrong-kind")


def _holding(names: Iterable[str]) -> str:
    """Which of an archive's files are named like books, in a few words."""
    books = sorted(name for name in names if guess_kind(Path(name)))
    more = f" and {len(books) - 3} more" if len(books) > 3 else ""
    return f"with {', '.join(name[:100] for name in books[:3])}{more} in it" if books else "without a book in it"


def _mimetype(archive: zipfile.ZipFile) -> bytes:
    """What the archive says it is, where that can be read."""
    try:
        with archive.open("mimetype") as stream:
            return stream.read(100)
    except (zipfile.BadZipFile, zlib.error, OSError, ValueError, NotImplementedError, RuntimeError, EOFError):
        return b""


def _text_kind(path: Path, head: bytes, suffix: str) -> Kind:
    marked = head.startswith((b"\xff\xfe", b"\xfe\xff")) or bool(utf16_without_mark(head[: len(head) // 2 * 2]))
    if not marked and _is_binary(head):
        raise BookError(f"{path} is no text: it holds binary data", then=READS, code="wrong-kind")
    encoding = utf16_without_mark(head[: len(head) // 2 * 2]) or ("utf-16" if marked else "utf-8")
    text = head[: len(head) // 2 * 2].decode(encoding, "replace").lstrip("\ufeff \t\r\n")
    if _TEI.search(text) and text.startswith("<"):
        return "tei"
    if _FICTION_BOOK.search(text) and text.startswith("<"):
        then = "convert it to .epub, with Calibre for example"
        raise BookError(f"{path} is a FictionBook (.fb2)", then=then, code="wrong-kind")
    if _MARKUP.search(text[:3000]) and text.startswith("<"):
        return "html"
    by_name = _BY_NAME.get(suffix)
    if by_name is None and (found := foreign_text(path, head)) is not None:
        raise BookError(f"{path} is {found[0]}, not a book", then=found[1], code="wrong-kind")
    if _FLAT.search(text[:3000]) and text.startswith("<"):
        then = "open it in a word processor and save it as .docx"
        raise BookError(f"{path} is a document in one XML file", then=then, code="wrong-kind")
    if by_name == "tei" or (by_name is None and text.startswith(("<?xml", "<svg"))):
        raise BookError(f"{path} is XML, but not TEI", then=READS, code="wrong-kind")
    if by_name is not None and by_name != "txt":
        return by_name
    return "jsonl" if text.startswith('{"') and _first_line_is_object(text) else "txt"


def _is_binary(head: bytes) -> bool:
    """Whether control bytes that no text has are more than a few."""
    strange = sum(byte < 9 or 13 < byte < 27 or 27 < byte < 32 for byte in head)
    if strange <= max(3, 0.02 * len(head)):
        return False
    try:
        # The head may end within a character.
        head[: max(0, len(head) - 3)].decode("utf-8")
    except UnicodeDecodeError:
        return True
    return strange > 0.25 * len(head)


def _first_line_is_object(text: str) -> bool:
    import json

    try:
        return isinstance(json.loads(text.split("\n", 1)[0]), dict)
    except (ValueError, RecursionError):
        return False


def is_book_name(path: Path) -> bool:
    """Whether a file in a folder is named like a book; others are listed and not opened."""
    return guess_kind(path) is not None
