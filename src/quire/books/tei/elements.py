"""Which elements of TEI are blocks, which are inline, and which are no part of the text and why."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from quire.books.markup import Element, tag

_DIVISIONS = re.compile(r"div\d?")
# Without a reason: what is no text of the work at all, though everything else be kept.
_DROPPED = {
    "fw": "running head",
    "figdesc": "caption",
    "titlepage": "title page",
    "doctitle": "title page",
    "docauthor": "title page",
    "docdate": "imprint",
    "docimprint": "imprint",
    "docedition": "imprint",
    "imprimatur": "imprint",
    "teiheader": "",
    "index": "index",
    "del": "deletion",
    "rdg": "variant reading",
    "facsimile": "",
    "standoff": "",
    "spangrp": "",
    "linkgrp": "",
    "interpgrp": "",
}
_DROPPED_TYPES = {
    "titlepage": "title page",
    "title": "title page",
    "halftitle": "title page",
    "toc": "contents",
    "contents": "contents",
    "tableofcontents": "contents",
    "listofillustrations": "list of illustrations",
    "index": "index",
    "imprint": "imprint",
    "publisher": "imprint",
    "printer": "imprint",
    "colophon": "colophon",
    "license": "imprint",
    "licence": "imprint",
    "copyright": "imprint",
    "privilege": "imprint",
    "approbation": "imprint",
    "acheveimprime": "imprint",
    "achevéimprimé": "imprint",
    "acheveimprimer": "imprint",
    "errata": "errata",
    "advert": "advertisement",
    "adverts": "advertisement",
    "advertisement": "advertisement",
    "publishersadvertisement": "advertisement",
    "ad": "advertisement",
}
# What goes where it is on the page of a title, and is text elsewhere: a letter's date, a byline.
_IN_FRONT = frozenset(("docauthor", "docdate", "docimprint", "doctitle", "docedition", "imprimatur"))
# The reading that goes, where a choice holds its partner too.
_SECOND = {"sic": ("corr",), "orig": ("reg",), "expan": ("abbr",), "am": ("ex",)}
_MOST_READINGS = 50
_PARTNERS = frozenset(name for pair in _SECOND.items() for name in (pair[0], *pair[1]))
PARAGRAPHS = frozenset(
    "p ab salute signed dateline byline trailer item row castitem titlepart label line docauthor docdate".split()
)
HARD = PARAGRAPHS | frozenset(
    "head lg l sp spgrp list listbibl table castlist castgroup floatingtext opener closer postscript argument epigraph "
    "letter set prologue epilogue performance body front back group text titlepage doctitle docimprint".split()
)
# Parts of a paragraph inside one, blocks of their own outside of it.
SOFT = frozenset("q quote said cit figure stage bibl".split())
RUNNING = frozenset("p ab item l row cell head salute signed dateline byline trailer label castitem note".split())
# What a milestone between scenes says it counts.
_SCENES = frozenset(("subchapter", "section", "scene", "break", "undefined"))
BREAKS = frozenset(("lb", "pb", "cb", "gb", "milestone"))
# White space between their children is the layout of the file: they hold elements only.
ELEMENTS_ONLY = frozenset(("choice", "app", "subst"))
_INLINE = frozenset(("hi", "emph", "seg", "quote", "q", "said", "foreign", "add", "s"))
_BLOCKS = frozenset(("p", "lg", "l", "sp", "ab", "head", "item", "row", "castitem"))


def is_division(name: str) -> bool:
    """Whether an element is `div`, or `div1` to `div7`."""
    return name.startswith("div") and _DIVISIONS.fullmatch(name) is not None


def why_dropped(element: Element, in_front: bool) -> str | None:
    """Why an element is left out: `""` for what is no text at all, None for what stays.

    `in_front` is whether it stands in the front matter, where a date belongs to the imprint.
    """
    name = tag(element)
    if name in _IN_FRONT and not in_front:
        return None
    if name in _DROPPED:
        if name == "rdg" and not _has_reading(element) or name == "del" and _is_restored(element):
            return None
        return _DROPPED[name]
    if is_division(name):
        kind = re.sub(r"[\s_-]", "", (element.get("type") or "").lower())
        return _DROPPED_TYPES.get(kind)
    return None


def has_reason(name: str) -> bool:
    """Whether elements of this name may be left out."""
    return name in _DROPPED


def is_scene_break(milestone: Element) -> bool:
    """Whether a milestone stands where an ornament, a line or a blank parts two scenes."""
    drawn = any(milestone.get(name) for name in ("rend", "rendition", "style"))
    return drawn or milestone.get("unit") in _SCENES or milestone.get("type") == "separator"


def is_second(element: Element) -> bool:
    """Whether a choice holds a better reading than this: `sic` beside `corr`, `expan` beside `abbr`, a later guess."""
    parent = element.getparent()
    if parent is None or tag(parent) != "choice":
        return False
    name = tag(element)
    siblings = [child for child in islice(parent, _MOST_READINGS) if tag(child)]
    if name in _PARTNERS:
        return any(tag(child) in _SECOND.get(name, ()) for child in siblings)
    # Several readings of what is hardly to be read: the editor puts the likeliest first.
    return element is not siblings[0] and all(tag(child) == name for child in siblings)


def _has_reading(element: Element) -> bool:
    """Whether a variant stands beside the reading that was chosen: a lemma, or an earlier variant."""
    return any(tag(earlier) in ("lem", "rdg") for earlier in element.itersiblings(preceding=True))


def _is_restored(element: Element) -> bool:
    """Whether the writer took back what was struck out."""
    return any(tag(outer) == "restore" for outer in element.iterancestors())


def breaks_end_verses(text: Element) -> bool:
    """Whether `lb` ends verses here, and not the lines of a page that was transcribed as it is set.

    A verse begins with a capital; the lines of prose mostly do not, and cut words.
    """
    after = [_text_after(element) for element in text.iter() if tag(element) == "lb" and _in_paragraph(element)]
    told = [begins for begins in after if begins]
    return len(told) >= 2 and sum(begins.isupper() for begins in told) >= 0.75 * len(told)


def _text_after(line_break: Element) -> str:
    """The first letter after a line break; `-` where a word goes on there."""
    if line_break.get("break") == "no":
        return "-"
    following = line_break.getnext()
    text = line_break.tail or ""
    if not text.strip() and following is not None and tag(following) not in BREAKS:
        text = "".join(str(part) for part in following.itertext())
    return next((char for char in text if char.isalpha()), "")


def _in_paragraph(element: Element) -> bool:
    parent = element.getparent()
    while parent is not None and tag(parent) not in RUNNING and tag(parent) in _INLINE:
        parent = parent.getparent()
    return parent is not None and tag(parent) in ("p", "ab")


def has_blocks(element: Element) -> bool:
    """Whether paragraphs, verse, speeches, lists or divisions stand somewhere inside."""
    return any(name in _BLOCKS or is_division(name) for name in _names_within(element))


def _names_within(element: Element) -> Iterator[str]:
    if len(element):
        yield from (tag(inner) for inner in element.iterdescendants())
