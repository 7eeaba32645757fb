"""Which function reads which kind of file.  Imported late: a child process loads only the reader it needs."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Literal, get_args

from quire.books.book import Book
from quire.books.limits import ReadOptions
from quire.errors import BookError

Kind = Literal["txt", "md", "html", "epub", "pdf", "docx", "odt", "rtf", "jsonl", "tei"]
KINDS: tuple[Kind, ...] = get_args(Kind)


def load(kind: Kind) -> None:
    """Import the reader of this kind and its libraries, ahead of use."""
    importlib.import_module(f"quire.books.{'markdown' if kind == 'md' else kind}")


def read_kind(kind: Kind, path: Path, options: ReadOptions) -> list[Book]:
    """Read `path` as a file of this kind.  Raises BookError when it is not one or holds no text."""
    if kind != "jsonl" and (options.text or options.where):
        what = f"{path} has no columns for {'where' if options.where else 'text'}: to name"
        raise BookError(
            what, then="text: and where: are for tables, such as .jsonl, .csv or .parquet", code="wrong-kind"
        )
    if kind == "txt":
        from quire.books import txt

        return txt.read(path, options)
    if kind == "md":
        from quire.books import markdown

        return markdown.read(path, options)
    if kind == "html":
        from quire.books import html

        return html.read(path, options)
    if kind == "epub":
        from quire.books import epub

        return epub.read(path, options)
    if kind == "pdf":
        from quire.books import pdf

        return pdf.read(path, options)
    if kind == "docx":
        from quire.books import docx

        return docx.read(path, options)
    if kind == "odt":
        from quire.books import odt

        return odt.read(path, options)
    if kind == "rtf":
        from quire.books import rtf

        return rtf.read(path, options)
    if kind == "tei":
        from quire.books import tei

        return tei.read(path, options)
    from quire.books import jsonl

    return jsonl.read(path, options)
