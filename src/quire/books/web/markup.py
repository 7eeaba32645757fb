"""Trees of HTML and XHTML, parsed without outside help."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from lxml import etree
from lxml import html as lxml_html

# lxml brings no types; what is meant is etree._Element.
Element = Any
EPUB = "{http://www.idpf.org/2007/ops}"
_ENTITY_NAME = re.compile(rb"&([A-Za-z][A-Za-z0-9]*);")
_DOCTYPE = re.compile(rb"<!DOCTYPE[^>\[]*(?:\[.*?\]\s*)?>", re.IGNORECASE | re.DOTALL)
_XML_ENTITIES = {b"amp", b"lt", b"gt", b"quot", b"apos"}


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


def parse_page(data: bytes, encoding: str | None = None) -> Element | None:
    """The root of a page that may be XHTML or only nearly so; None when nothing can be made of it."""
    try:
        return parse_xml(data)
    except etree.XMLSyntaxError:
        data = _DOCTYPE.sub(b"", data, count=1)
    parser = lxml_html.HTMLParser(encoding=encoding, no_network=True, huge_tree=False, remove_pis=True)
    try:
        return lxml_html.document_fromstring(data, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError, ValueError):
        return None


def _named_entities(data: bytes) -> bytes:
    """`&nbsp;` as a character: XHTML without its DTD does not know HTML's names."""
    from html.entities import html5

    def character(match: re.Match[bytes]) -> bytes:
        name = match[1]
        value = html5.get(name.decode("ascii") + ";")
        return match[0] if name in _XML_ENTITIES or value is None else "".join(f"&#{ord(c)};" for c in value).encode()

    return _ENTITY_NAME.sub(character, data) if b"&" in data else data


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
