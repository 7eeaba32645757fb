"""Paragraphs of a word processor, made by hand, and what they come to."""

from __future__ import annotations

from bookfiles import PARAGRAPHS as P
from quire.books.draft import Draft
from quire.books.office.flow import lay_out
from quire.books.office.paragraph import Paragraph
from quire.books.office.styles import Style

PLAIN = Style("normal")
LONG = " ".join(P)


def laid(*paragraphs: Paragraph) -> Draft:
    draft = Draft("b")
    lay_out(draft, paragraphs)
    return draft


def items_of(draft: Draft) -> list[tuple[str, str]]:
    return [(item.kind, item.text) for item in draft.items]


def line(text: str, style: Style = PLAIN, centred: bool = False, bold: bool = False, size: float = 0.0) -> Paragraph:
    return Paragraph(text, style, centred=centred, bold=bold, size=size)
