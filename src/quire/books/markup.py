"""Trees of HTML and XHTML, parsed without outside help."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from lxml import etree
from lxml import html as lxml_html

from quire.books.encoding import decode

# lxml brings no types; what is meant is etree._Element.
Element = Any
EPUB = "{http://www.idpf.org/2007/ops}"
_ENTITY_NAME = re.compile(rb"&([A-Za-z][A-Za-z0-9]*);")
_DOCTYPE = re.compile(rb"<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>", re.IGNORECASE | re.DOTALL)
_XML_ENTITIES = {b"amp", b"lt", b"gt", b"quot", b"apos"}
# Names that a page makes for characters, as `<!ENTITY D "&#x2014;">`.  Longer ones, and those that name others, are
# not believed: of such are bombs made.
_CHARACTERS = rb"&\#x?[0-9A-Fa-f]{1,6};"
_DECLARED = re.compile(
    rb"<!ENTITY\s+([A-Za-z_][\w.-]*)\s+(?:\"([^\"<&%]{0,8}|" + _CHARACTERS + rb")\"|"
    rb"'([^'<&%]{0,8}|" + _CHARACTERS + rb")')\s*>"
)
_ENTITY = re.compile(rb"<!ENTITY\s+([A-Za-z_][\w.-]*)\s")
_HEAD = 8192
# `&#146;` is a control character to XML and an apostrophe to everyone who wrote it.
_WINDOWS = re.compile(rb"&#0?(12[89]|1[345]\d);")
_CHARSET = re.compile(
    rb"""<meta[^>]+charset\s*=\s*["']?\s*([A-Za-z0-9_-]+)|<\?xml[^>]+encoding\s*=\s*["']([A-Za-z0-9_-]+)""",
    re.IGNORECASE,
)
_XML_HEAD = re.compile(r"^\s*<\?xml[^>]*\?>")
_MOST_ATTRIBUTES = 2000
_CROWDED = re.compile(rb"<([A-Za-z][A-Za-z0-9:._-]*)\s[^<>]{20000,}>")
_TAG = re.compile(rb"</?([A-Za-z][A-Za-z0-9:._-]*)[^<>]*>")
_FLAT = frozenset(b"html head title style script meta link body p br hr h1 h2 h3 h4 h5 h6 img pre".split())
_FLAT_BLOCKS = frozenset(
    b"div blockquote section article center table tr td th li dd dt ul ol dl figure aside main header footer".split()
)
_LATIN = frozenset(("iso-8859-1", "latin-1", "latin1", "us-ascii", "ascii"))


@cache
def xml_parser(recover: bool = False) -> etree.XMLParser:
    """A parser that expands no entity, opens no address and stops at libxml2's own bounds of depth and size."""
    return etree.XMLParser(
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        recover=recover,
        remove_pis=True,
        collect_ids=False,
    )


def parse_xml(data: bytes) -> Element:
    """The root of an XML document.  Raises etree.XMLSyntaxError."""
    return etree.fromstring(_named_entities(data), xml_parser())


def parse_page(data: bytes) -> Element | None:
    """The root of a page that may be XHTML or only nearly so; None when nothing can be made of it."""
    if data.count(b"=") > _MOST_ATTRIBUTES and data.count(b"=") > 10 * data.count(b"<"):
        # An element of a hundred thousand attributes takes the parser half a minute.
        data = _CROWDED.sub(rb"<\1>", data)
    try:
        return parse_xml(_as_utf8(data) if _is_latin(data) else data)
    except etree.XMLSyntaxError:
        data = _named_entities(_as_utf8(data))
        data = _DOCTYPE.sub(b"", _without_own_entities(data), count=1)
    root, too_deep = _parse_html(data)
    return _parse_html(_flattened(data))[0] if too_deep else root


def _parse_html(data: bytes) -> tuple[Element | None, bool]:
    """The root of a page, and whether the parser gave up on its depth: then the rest of it is missing."""
    parser = lxml_html.HTMLParser(encoding="utf-8", no_network=True, huge_tree=False, remove_pis=True)
    try:
        root = lxml_html.document_fromstring(data, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        root = None
    return root, any("xcessive depth" in error.message for error in parser.error_log)


def _flattened(data: bytes) -> bytes:
    """A page whose elements are never closed, or nested beyond reason: its paragraphs and headings alone."""

    def instead(match: re.Match[bytes]) -> bytes:
        name = match[1].lower()
        if name in _FLAT:
            return match[0]
        return b"<p>" if name in _FLAT_BLOCKS else b""

    return _TAG.sub(instead, data)


def _is_latin(data: bytes) -> bool:
    """Whether a page says that it is in Latin-1: what says so is in Windows-1252 more often than not."""
    declared = _CHARSET.match(data[:200]) if data[:5] == b"<?xml" else None
    return declared is not None and (declared[2] or b"").decode("ascii").lower() in _LATIN


def _as_utf8(data: bytes) -> bytes:
    """A page in UTF-8 without a declaration.

    What can be read as UTF-8 is that, whatever it says of itself; else its own word is believed where it can be.
    """
    text = ""
    if b"\x00" not in data[:4096] and not data.startswith(b"\xef\xbb\xbf"):
        declared = _CHARSET.search(data[:4096])
        name = (declared[1] or declared[2]).decode("ascii").lower() if declared else ""
        for encoding in ("utf-8", "cp1252" if name in _LATIN else name):
            try:
                text = text or data.decode(encoding)
            except (LookupError, UnicodeDecodeError):
                continue
    text = text or decode(data)[0]
    # The declaration no longer holds, and lxml would believe it.  A zero would end the page for it; another control
    # character is counted when the text is cleaned.
    return _XML_HEAD.sub("", text).replace("\x00", "\x08").encode("utf-8", "replace")


def _named_entities(data: bytes) -> bytes:
    """`&nbsp;` as a character: XHTML without its DTD does not know HTML's names."""
    if b"&" not in data:
        return data
    data = _WINDOWS.sub(_windows, data)
    from html.entities import html5

    own = {}
    if b"<!ENTITY" in data[:_HEAD]:
        own = {match[1]: match[2] or match[3] or b"" for match in _DECLARED.finditer(data, 0, _HEAD)}

    def character(match: re.Match[bytes]) -> bytes:
        name = match[1]
        if name in own:
            return own[name]
        value = html5.get(name.decode("ascii") + ";")
        return match[0] if name in _XML_ENTITIES or value is None else "".join(f"&#{ord(c)};" for c in value).encode()

    return _ENTITY_NAME.sub(character, data)


def _windows(match: re.Match[bytes]) -> bytes:
    char = bytes([int(match[1])]).decode("cp1252", "ignore")
    return f"&#{ord(char)};".encode() if char else match[0]


def _without_own_entities(data: bytes) -> bytes:
    """A page's own names for text made comments: what reads them as HTML would take them for words."""
    own = {match[1] for match in _ENTITY.finditer(data, 0, _HEAD)}
    if not own:
        return data
    data = _named_entities(data)
    return _ENTITY_NAME.sub(lambda match: b"<!--" + match[0] + b"-->" if match[1] in own else match[0], data)


def formula_text(element: Element) -> str:
    """The signs of a formula in MathML, without the notes for programs; else the words that it gives instead."""
    parts: list[str] = []

    def gather(inner: Element) -> None:
        if tag(inner) in ("annotation", "annotation-xml", ""):
            return
        parts.append(" " if tag(inner) == "mtd" else "".join((inner.text or "").split()))
        for child in inner:
            gather(child)

    gather(element)
    return "".join(parts).strip() or (element.get("alttext") or "")


def tag(element: Element) -> str:
    """The element's name without its namespace, in lower case; `""` for comments and the like."""
    name = element.tag
    return name.rsplit("}", 1)[-1].lower() if isinstance(name, str) else ""


def types(element: Element) -> frozenset[str]:
    """What `epub:type` and `role` say an element is, without prefixes."""
    said = f"{element.get(EPUB + 'type') or element.get('epub:type') or ''} {element.get('role') or ''}".lower()
    return frozenset(word.rsplit(":", 1)[-1].removeprefix("doc-") for word in said.split())


def classes(element: Element) -> frozenset[str]:
    return frozenset((element.get("class") or "").lower().split())


def squeeze(text: str) -> str:
    """White space as a page shows it: every run of it is one space."""
    for space in "\n\t\r\f":
        if space in text:
            text = text.replace(space, " ")
    while "  " in text:
        text = text.replace("  ", " ")
    return text


def plain_text(element: Element) -> str:
    """All text of an element on one line, for what is dropped."""
    return squeeze(" ".join(map(str, element.itertext()))).strip()
