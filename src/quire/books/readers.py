"""Which function reads which kind of file.  Imported late: a child process loads only the reader it needs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, get_args

from quire.books.book import SAID, Book
from quire.books.limits import ReadOptions
from quire.errors import BookError

Kind = Literal["txt", "md", "html", "epub", "pdf", "docx", "odt", "rtf", "jsonl", "tei"]
KINDS: tuple[Kind, ...] = get_args(Kind)
Reader = Callable[[Path, ReadOptions], list[Book]]


def read_kind(kind: Kind, path: Path, options: ReadOptions) -> list[Book]:
    """Read `path` as a file of this kind.  Raises BookError when it is not one or holds no text."""
    if kind != "jsonl" and (options.text or options.where):
        what = f"{path} has no columns for {'where' if options.where else 'text'}: to name"
        raise BookError(
            what, then="text: and where: are for tables, such as .jsonl, .csv or .parquet", code="wrong-kind"
        )
    if kind != "jsonl" and options.format in SAID:
        what = f"{path} is no table, and {options.format} are rows of one"
        raise BookError(what, then="give them as .jsonl, .json, .csv or .parquet, a row each", code="wrong-kind")
    return load(kind)(path, options)


def load(kind: Kind) -> Reader:
    """The reader of this kind, imported with its libraries."""
    match kind:
        case "txt":
            from quire.books.plain import txt

            return txt.read
        case "md":
            from quire.books.plain import markdown

            return markdown.read
        case "html":
            from quire.books.web import html

            return html.read
        case "epub":
            from quire.books.web import epub

            return epub.read
        case "pdf":
            from quire.books.pdf import reader as pdf

            return pdf.read
        case "docx":
            from quire.books.office import docx

            return docx.read
        case "odt":
            from quire.books.office import odt

            return odt.read
        case "rtf":
            from quire.books.office import rtf

            return rtf.read
        case "tei":
            from quire.books.tei import reader as tei

            return tei.read
        case "jsonl":
            from quire.books.rows import reader as tables

            return tables.read
