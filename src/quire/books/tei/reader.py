"""TEI: divisions, verse lines and groups, speeches; notes and formework aside.  As ELTeC and many archives encode."""

from __future__ import annotations

from pathlib import Path

from lxml import etree

from quire.books.book import Book
from quire.books.draft import Draft
from quire.books.finishing.finish import finish
from quire.books.limits import PLAIN, ReadOptions
from quire.books.markup import Element, parse_xml, tag, xml_parser
from quire.books.plays import parts as plays
from quire.books.tei.header import read_header
from quire.books.tei.walk import Walk
from quire.errors import BookError

_ROOTS = frozenset(("tei", "tei.2"))
_CORPORA = frozenset(("teicorpus", "teicorpus.2"))


def read(path: Path, options: ReadOptions = PLAIN) -> list[Book]:
    """The books of a TEI file: one, or those of a corpus.  Raises BookError when it is damaged or holds no text."""
    data = path.read_bytes()
    warnings = []
    try:
        root = parse_xml(data)
    except etree.XMLSyntaxError as error:
        try:
            root = etree.fromstring(data, xml_parser(recover=True))
        except etree.XMLSyntaxError:
            root = None
        if root is None:
            raise BookError(
                f"{path} is damaged XML ({error})", then="check it with an XML editor", code="damaged"
            ) from None
        warnings.append(f"the XML is damaged ({error}); what could be read was")
    inner = [element for element in root.iterdescendants() if tag(element) in _ROOTS]
    # A corpus, or a work that holds others: each is a work of its own.
    works = inner if tag(root) in _CORPORA or (inner and not _texts(root)) else [root]
    books = []
    fault: BookError | None = None
    for work in works:
        try:
            books.append(_read_work(path, work, root if work is not root else None, warnings, options))
        except BookError as error:
            fault = error
    if not books:
        raise fault or BookError(f"{path} holds no text", then="check that it is the file you meant", code="empty")
    return books


def _read_work(path: Path, work: Element, corpus: Element | None, warnings: list[str], options: ReadOptions) -> Book:
    header = read_header(work, corpus)
    draft = Draft(str(path), warnings=list(warnings))
    draft.title, draft.author, draft.language = header.title, header.author, header.language
    if header.subtitle:
        draft.columns = (("subtitle", header.subtitle),)
    walk = Walk(draft, header, options.matter == "all")
    for text in _texts(work) or [work]:
        walk.read(text)
    if options.format in (None, "plays") and plays.is_mostly_spoken(draft.items):
        draft.kind = "plays"
    if not draft.title:
        draft.title = path.stem
    return finish(draft, options)


def _texts(work: Element) -> list[Element]:
    return [child for child in work if tag(child) == "text"]
