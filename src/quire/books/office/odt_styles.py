"""The styles of an OpenDocument text: those with names, and those that a program made for single paragraphs."""

from __future__ import annotations

from collections.abc import Iterable

from quire.books.markup import Element, tag
from quire.books.office.elements import attribute, child, number
from quire.books.office.styles import Said, Style, heading_level, resolve_styles

_POINTS = {"pt": 1.0, "cm": 28.35, "mm": 2.835, "in": 72.0, "px": 0.75}


def read_styles(roots: Iterable[Element]) -> dict[str, Style]:
    """All styles of the parts of a document by family and name: `paragraph P1`, `text T3`, `section Sect1`."""
    said: dict[str, Said] = {}
    for root in roots:
        for element in root.iter():
            if tag(element) in ("style", "default-style"):
                family = attribute(element, "family") or "paragraph"
                said[f"{family} {attribute(element, 'name')}".strip()] = _said(element, family)
    return resolve_styles(said)


def _said(element: Element, family: str) -> Said:
    text, set_ = child(element, "text-properties"), child(element, "paragraph-properties")
    name = "" if _is_automatic(element) else attribute(element, "display-name") or attribute(element, "name")
    name = name.replace("_20_", " ").lower()
    level: int | None = heading_level(name) if family == "paragraph" else None
    if level is None:
        level = number(element, "default-outline-level")
    base = attribute(element, "parent-style-name")
    align = attribute(set_, "text-align") if set_ is not None else ""
    page = attribute(set_, "break-before") if set_ is not None else ""
    # Going over to another kind of page begins one.
    master = attribute(element, "master-page-name")
    weight = attribute(text, "font-weight") if text is not None else ""
    return Said(
        name=name,
        base=f"{family} {base}" if base else "" if tag(element) == "default-style" else family,
        level=level,
        hidden=_is_hidden(element) or None,
        bold=weight in ("bold", "600", "700", "800", "900") if weight else None,
        size=_points(attribute(text, "font-size")) if text is not None else None,
        centred=align == "center" if align else None,
        new_page=True if master or page == "page" else False if page else None,
    )


def _is_automatic(element: Element) -> bool:
    parent = element.getparent()
    return parent is not None and tag(parent) == "automatic-styles"


def _is_hidden(element: Element) -> bool:
    """Whether letters or a section with this style are not shown."""
    inner = (child(element, "text-properties"), child(element, "section-properties"))
    return any(one is not None and attribute(one, "display") == "none" for one in inner)


def _points(size: str) -> float | None:
    """`14pt` or `0.5cm` in points; a share of another size is not told."""
    number, unit = size[:-2], size[-2:]
    if unit not in _POINTS or not number.replace(".", "", 1).isdigit() or not number.isascii():
        return None
    return round(float(number) * _POINTS[unit], 1)
