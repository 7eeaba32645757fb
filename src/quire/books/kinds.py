"""What kind of file a path holds: by its first bytes, and only where those leave it open by its name."""

from __future__ import annotations

import os
import re
import stat
import zipfile
from pathlib import Path

from quire.books.encoding import utf16_without_mark
from quire.books.limits import Limits
from quire.books.readers import Kind
from quire.errors import BookError

READS = "Quire reads .txt, .md, .html, .epub, .pdf, .docx, .odt, .rtf, .jsonl and TEI .xml"
_HEAD_BYTES = 8192
_SIGNATURES = (
    (b"\x89PNG", "a PNG picture"),
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"GIF8", "a GIF picture"),
    (b"II*\x00", "a TIFF picture"),
    (b"MM\x00*", "a TIFF picture"),
    (b"RIFF", "sound, video or a picture"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
    (b"AT&TFORM", "a DjVu scan"),
    (b"ID3", "sound"),
    (b"OggS", "sound"),
    (b"fLaC", "sound"),
    (b"SQLite format 3", "a database"),
    (b"\xca\xfe\xba\xbe", "a program"),
    (b"\x80\x02", "a pickle, which Quire never opens"),
    (b"\x80\x04", "a pickle, which Quire never opens"),
)
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
    ".xml": "tei",
    ".tei": "tei",
}
_BINARY_NAMES = {
    ".pdf": "PDF",
    ".epub": "EPUB",
    ".docx": "Word document",
    ".odt": "OpenDocument text",
    ".rtf": "RTF document",
}
_MARKUP = re.compile(r"<!doctype\s+html|<html[\s>]|<body[\s>]|<head[\s>]", re.IGNORECASE)
_TEI = re.compile(r"<(?:\w+:)?TEI(?:\.2)?[\s>]|http://www\.tei-c\.org/ns/1\.0")


def check_file(path: Path, limits: Limits | None = None) -> None:
    """Raise BookError unless `path` is a file of usable size that may be read.  Opens nothing that could block."""
    limits = limits or Limits()
    try:
        state = path.stat()
    except FileNotFoundError:
        if path.is_symlink():
            raise BookError(f"{path} is a link to nothing", then="name the file itself") from None
        raise BookError(f"{path} does not exist", then=_near(path)) from None
    except (OSError, ValueError) as error:
        raise BookError(f"{path} cannot be opened ({_why(error)})", then="check the name and the permissions") from None
    if not stat.S_ISREG(state.st_mode):
        raise BookError(
            f"{path} is {_not_a_file(state.st_mode)}, not a file", then="name a book file or a folder of them"
        )
    if state.st_size == 0:
        raise BookError(f"{path} is empty", then="check that it was saved or downloaded whole")
    if state.st_size > limits.file:
        raise BookError(f"{path} is larger than any book ({state.st_size:,} bytes)", then="split it into several files")
    if not os.access(path, os.R_OK):
        raise BookError(f"{path} may not be read by you", then=f"give yourself permission: chmod u+r '{path}'")


def _why(error: Exception) -> str:
    return (error.strerror or str(error)) if isinstance(error, OSError) else str(error)


def _near(path: Path) -> str:
    """Names in the same folder that are nearly the one that was given."""
    from difflib import get_close_matches

    try:
        names = [entry.name for entry in path.parent.iterdir()][:5000]
    except OSError:
        return "check the spelling and the folder"
    close = get_close_matches(path.name, names, n=1, cutoff=0.7)
    return f"did you mean '{path.parent / close[0]}'?" if close else "check the spelling and the folder"


def _not_a_file(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    if stat.S_ISFIFO(mode):
        return "a pipe"
    return "a device" if stat.S_ISCHR(mode) or stat.S_ISBLK(mode) else "a socket or the like"


def find_kind(path: Path) -> Kind:
    """The kind of a checked file.  Raises BookError when it is no kind of book, naming what it looks like."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise BookError(f"{path} cannot be opened ({_why(error)})", then="check its permissions") from None
    suffix = path.suffix.lower()
    if b"%PDF-" in head[:4096]:
        return "pdf"
    if head.startswith(b"{\\rtf"):
        return "rtf"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")):
        return _zip_kind(path)
    if head.startswith(b"\xd0\xcf\x11\xe0"):
        raise BookError(
            f"{path} is an old Word document (.doc)", then="open it in a word processor and save it as .docx"
        )
    if head[60:68] in (b"BOOKMOBI", b"TEXtREAd"):
        raise BookError(f"{path} is a Kindle book", then="convert it to .epub, with Calibre for example")
    for signature, name in _SIGNATURES:
        if head.startswith(signature):
            raise BookError(f"{path} is {name}, not a book", then=READS)
    if suffix in _BINARY_NAMES:
        raise BookError(
            f"{path} is no {_BINARY_NAMES[suffix]}, whatever its name says", then="get the file again, or rename it"
        )
    return _text_kind(path, head, suffix)


def _zip_kind(path: Path) -> Kind:
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
            mimetype = archive.read("mimetype")[:100] if "mimetype" in names and _small(archive) else b""
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError, EOFError) as error:
        raise BookError(f"{path} is a damaged archive ({error})", then="get the file again") from None
    if "word/document.xml" in names:
        return "docx"
    if "content.xml" in names and (b"opendocument" in mimetype or "META-INF/manifest.xml" in names):
        return "odt"
    if "META-INF/container.xml" in names or b"epub" in mimetype or any(name.lower().endswith(".opf") for name in names):
        return "epub"
    if path.suffix.lower() == ".docx":
        return "docx"
    raise BookError(f"{path} is a zip archive without a book in it", then="unpack it and name the folder")


def _small(archive: zipfile.ZipFile) -> bool:
    return archive.getinfo("mimetype").file_size < 1000


def _text_kind(path: Path, head: bytes, suffix: str) -> Kind:
    marked = head.startswith((b"\xff\xfe", b"\xfe\xff")) or bool(utf16_without_mark(head[: len(head) // 2 * 2]))
    if not marked and _is_binary(head):
        raise BookError(f"{path} is no text: it holds binary data", then=READS)
    encoding = utf16_without_mark(head[: len(head) // 2 * 2]) or ("utf-16" if marked else "utf-8")
    text = head[: len(head) // 2 * 2].decode(encoding, "replace").lstrip("\ufeff \t\r\n")
    if _TEI.search(text) and text.startswith("<"):
        return "tei"
    if _MARKUP.search(text[:3000]) and text.startswith("<"):
        return "html"
    by_name = _BY_NAME.get(suffix)
    if suffix in (".csv", ".tsv"):
        raise BookError(f"{path} is a table", then="save it as .jsonl: one JSON object with a text a line")
    if by_name == "tei":
        raise BookError(f"{path} is XML, but not TEI", then=READS)
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
    return path.suffix.lower() in _BY_NAME or path.suffix.lower() in _BINARY_NAMES
