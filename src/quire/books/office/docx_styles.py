"""The styles of a Word document, as its part for them tells."""

from __future__ import annotations

from quire.books.markup import Element, tag
from quire.books.office.docx_package import Package, is_on
from quire.books.office.elements import attribute, child, number
from quire.books.office.styles import Said, Style, heading_level, resolve_styles

_DEEPEST = 9


def read_styles(package: Package) -> dict[str, Style]:
    """All styles by id; `""` is the one of paragraphs that name none."""
    said: dict[str, Said] = {}
    for _, root in package.parts("styles"):
        for element in root:
            if tag(element) == "style":
                identity = attribute(element, "styleId")
                said[identity] = _said(element)
                if attribute(element, "type") == "paragraph" and attribute(element, "default") in ("1", "true", "on"):
                    said[""] = Said("", base=identity)
    return resolve_styles(said)


def outline_level(properties: Element | None) -> int | None:
    """The rank that paragraph properties say, None where they say none."""
    rank = number(child(properties, "outlinelvl"), "val") if properties is not None else None
    if rank is None:
        return None
    # 9 is Word's “body text”: a heading above must not be inherited.
    return rank + 1 if rank < _DEEPEST else 0


def points(size: Element | None) -> float | None:
    """A size in points, which Word counts in halves."""
    halves = number(size, "val")
    return None if halves is None else halves / 2


def switch(mark: Element | None) -> bool | None:
    """Whether a property is on or off, None where it is not there."""
    return None if mark is None else is_on(mark)


def _said(element: Element) -> Said:
    named, based = child(element, "name"), child(element, "basedon")
    ppr, rpr = child(element, "ppr"), child(element, "rpr")
    name = attribute(named, "val") if named is not None else ""
    level = heading_level(name) if attribute(element, "type") in ("paragraph", "") else None
    align = child(element, "ppr", "jc")
    return Said(
        name=name.lower(),
        base=attribute(based, "val") if based is not None else "",
        level=outline_level(ppr) if level is None else level,
        hidden=switch(child(element, "rpr", "vanish")),
        numbered=True if child(element, "ppr", "numpr") is not None else None,
        bold=switch(child(element, "rpr", "b")),
        size=points(child(rpr, "sz")) if rpr is not None else None,
        centred=attribute(align, "val") == "center" if align is not None else None,
        new_page=switch(child(element, "ppr", "pagebreakbefore")),
    )
