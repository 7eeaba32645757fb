"""Looking up in the XML of word processors: by local names, in whatever namespace, and as far as a broken part goes."""

from __future__ import annotations

from lxml import etree

from quire.books.archive import Archive
from quire.books.markup import Element, parse_xml, tag, xml_parser
from quire.errors import BookError


def attribute(element: Element, name: str) -> str:
    """An attribute by its local name; `""` where there is none."""
    return next((str(value) for key, value in element.attrib.items() if str(key).rsplit("}", 1)[-1] == name), "")


def child(element: Element, *names: str) -> Element | None:
    """The first child of that name, and the first of that name below it."""
    for name in names:
        element = next((inner for inner in element if tag(inner) == name), None)
        if element is None:
            return None
    return element


def children(element: Element | None) -> dict[str, Element]:
    """The children of an element by name, the first of each; none where there is no element."""
    found: dict[str, Element] = {}
    for inner in element if element is not None else ():
        found.setdefault(tag(inner), inner)
    return found


def number(element: Element | None, name: str) -> int | None:
    """An attribute that is a whole number, None where it is none."""
    said = attribute(element, name) if element is not None else ""
    return int(said) if said.isascii() and said.isdigit() and len(said) <= 9 else None


def parse_part(data: bytes, *wanted: str) -> tuple[Element | None, str]:
    """The root of a part, and what is wrong with it (`""`: nothing).

    A part that breaks off is read as far as it goes; it is None when that holds none of the `wanted` elements.
    """
    try:
        return parse_xml(data), ""
    except etree.XMLSyntaxError as error:
        root = _recovered(data)
        if root is None or not any(tag(one) in wanted for one in root.iter()):
            root = None
        return root, str(error)


def _recovered(data: bytes) -> Element | None:
    """What can be had of XML that is broken; None where there is no element at all."""
    try:
        return etree.fromstring(data, xml_parser(recover=True))
    except etree.XMLSyntaxError:
        return None


def optional_part(archive: Archive, name: str, warnings: list[str]) -> Element | None:
    """The root of a part that a book can do without; None where there is none.  A broken one is named in `warnings`."""
    if name not in archive:
        return None
    try:
        return parse_xml(archive.read(name))
    except etree.XMLSyntaxError:
        pass
    except BookError as error:
        if error.code != "damaged":
            raise
    warnings.append(f"{name} is damaged and was left out")
    return None
