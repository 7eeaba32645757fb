"""Notes that nothing but links gives away: a small figure that points to a block, which often points back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from quire.books.archive import resolve
from quire.books.markup import Element, tag
from quire.books.web.looks import BLOCKS, Looks

_MARK = re.compile(
    r"[\[({]?\s*(?:(?:foot|end)?note|fn|n)?\.?\s*(?:\d{1,4}|[*†‡§¶#]{1,4}|[a-z]{1,2}|[ivxl]+)\s*[\])}.:]?",
    re.IGNORECASE,
)
_RAISED = re.compile(r"[\[({*†‡§¶]")
_BACK = re.compile(r"\W*(?:↩|↑|\^|⏎|←|⤴|back|return|retour|zurück|volver)\W*.{0,20}", re.IGNORECASE)
_ANCHORS = ("{http://www.w3.org/1999/xhtml}a", "a")
_LONGEST_NOTE = 20_000
Spot = tuple[str, str]
"""A page's name and an id in it."""


@dataclass
class NoteLinks:
    """The links that are marks of notes (or lead back from one), and the blocks that are notes."""

    marks: set[Element] = field(default_factory=set)
    notes: set[Element] = field(default_factory=set)


@dataclass
class _Link:
    page: str
    element: Element
    target: Spot
    text: str


def find_notes(pages: Sequence[tuple[str, Element]], looks: Looks) -> NoteLinks:
    """Marks and notes of pages (name and root), in reading order."""
    found = NoteLinks()
    links = list(_links(pages))
    shaped = [link for link in links if _MARK.fullmatch(link.text) or looks.of(link.element).mark]
    if not shaped:
        return found
    wanted = {link.target[0] for link in shaped}
    spots: dict[Spot, Element] = {}
    for page, root in pages:
        if page in wanted:
            for element in root.xpath("//*[@id or @name]"):
                for name in (element.get("id"), element.get("name")):
                    if name:
                        spots.setdefault((page, name), element)
    for link in shaped:
        if link.element not in found.marks:
            _look_at(link, spots, looks, found)
    _mark_ways_back(links, found)
    return found


def _links(pages: Iterable[tuple[str, Element]]) -> Iterable[_Link]:
    for page, root in pages:
        for element in root.iter(*_ANCHORS):
            path, hash_, fragment = (element.get("href") or "").partition("#")
            if hash_ and fragment:
                target = page if not path else resolve(page, path)
                yield _Link(page, element, (target, fragment), "".join(map(str, element.itertext())).strip()[:80])


def _look_at(link: _Link, spots: dict[Spot, Element], looks: Looks, found: NoteLinks) -> None:
    """Whether a link that looks like a mark is one: then it and its note are written down."""
    target = spots.get(link.target)
    typed = "noteref" in looks.of(link.element).kinds
    block = _block_at(target) if target is not None else None
    if typed or _is_raised(link):
        found.marks.add(link.element)
    if block is None:
        return
    around = [link.element, *link.element.iterancestors()]
    if block in around or any(element in found.notes for element in around):
        return
    whole = _whole(block)
    words = " ".join("".join(text for part in whole for text in map(str, part.itertext())).split())
    holds_heading = any(tag(inner) in ("h1", "h2", "h3", "h4", "h5", "h6") for inner in block.iter())
    if holds_heading or len(words) > _LONGEST_NOTE or len(words) <= len(link.text) + 1:
        return
    label = link.text.strip("[](){}. ")
    labelled = words.lstrip("[({ ").startswith(label)
    if typed or _is_raised(link) or looks.of(link.element).mark or (labelled and _points_back(block, link)):
        found.marks.add(link.element)
        found.notes.update(whole)


def _is_raised(link: _Link) -> bool:
    parent = link.element.getparent()
    return (
        (parent is not None and tag(parent) == "sup")
        or any(tag(child) == "sup" for child in link.element)
        or bool(_RAISED.match(link.text))
    )


def _block_at(target: Element) -> Element | None:
    """The block that a target is, or begins; for an anchor between blocks the one after it."""
    element = target
    while tag(element) not in BLOCKS:
        parent = element.getparent()
        if parent is None:
            return None
        following = element.getnext()
        between = not "".join(map(str, element.itertext())).strip() and not (element.tail or "").strip()
        # The first thing in a block of its own marks the whole block.
        loose = tag(parent) in ("body", "section", "article") or element.getprevious() is not None
        if between and loose and following is not None and tag(following) in BLOCKS:
            return following
        if _stands_behind_text(element, parent):
            return None
        element = parent
    return None if tag(element) in ("body", "html", "section", "article", "main") and element is not target else element


def _stands_behind_text(element: Element, parent: Element) -> bool:
    if (parent.text or "").strip("[({ \t\r\n"):
        return True
    for sibling in parent:
        if sibling is element:
            return False
        if "".join(map(str, sibling.itertext())).strip() or (sibling.tail or "").strip():
            return True
    return False


def _points_back(block: Element, link: _Link) -> bool:
    """Whether a note has a link to where its mark stands: to the mark, what it is in, or its paragraph."""
    here = [link.element, *link.element.iterancestors(), *link.element]
    previous = link.element.getprevious()
    if previous is not None:
        here.append(previous)
    names = {name for element in here for name in (element.get("id"), element.get("name")) if name}
    return any((inner.get("href") or "").rpartition("#")[2] in names for inner in block.iter(*_ANCHORS))


def _whole(block: Element) -> list[Element]:
    """A note's block with what belongs to it: the row of a cell, the definitions under a term."""
    name = tag(block)
    if name in ("td", "th"):
        return [block.getparent()]
    blocks = [block]
    if name == "dt":
        for following in block.itersiblings():
            if tag(following) != "dd":
                break
            blocks.append(following)
    return blocks


def _mark_ways_back(links: Sequence[_Link], found: NoteLinks) -> None:
    """Links inside notes that lead back to a mark are marks too."""
    if not found.notes:
        return
    names: set[str] = set()
    for mark in list(found.marks):
        for element in (mark, mark.getparent(), mark.getprevious(), *mark):
            if element is not None:
                names.update(name for name in (element.get("id"), element.get("name")) if name)
    for link in links:
        if link.element in found.marks or not (link.target[1] in names or _BACK.fullmatch(link.text)):
            continue
        short = _MARK.fullmatch(link.text) or _BACK.fullmatch(link.text)
        if short and any(element in found.notes for element in link.element.iterancestors()):
            found.marks.add(link.element)
