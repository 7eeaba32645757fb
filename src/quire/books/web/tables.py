"""Tables: plays are set in them, with who speaks in one cell; other rows are lines of text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quire.books.draft import Item
from quire.books.markup import Element, plain_text
from quire.books.plays import parts as plays

if TYPE_CHECKING:
    from quire.books.web.walk import Walk

_LONGEST_ENTRY = 120


def read_row(walk: Walk, element: Element, verse: bool, note: bool) -> None:
    """A row of a table: a speech with its speaker, or one line where its cells hold no blocks."""
    cells = [child for child in element if walk.looks.of(child).name in ("td", "th")]
    persona = next((cell for cell in cells if "persona" in walk.looks.of(cell).kinds), None)
    if persona is not None and not note:
        _read_speech(walk, persona, cells)
    elif len(cells) > 1 and not verse and not any(_holds_paragraphs(walk, cell) for cell in cells):
        parts = [" ".join(walk.text_of(cell)) for cell in cells if not _is_left_out(walk, cell)]
        walk.add("paragraph", " ".join(part for part in parts if part), note)
    else:
        walk.flow(element, verse, note)
        walk.flush(verse, note)


def _holds_paragraphs(walk: Walk, cell: Element) -> bool:
    """Whether a cell is a place on the page rather than an entry: it has blocks, or paragraphs parted by `<br>`."""
    breaks = sum(walk.looks.of(inner).name == "br" for inner in cell.iterdescendants())
    return walk.holds_block(cell) or (breaks >= 2 and len(plain_text(cell)) > _LONGEST_ENTRY)


def _is_left_out(walk: Walk, cell: Element) -> bool:
    """Whether a cell is not shown or holds no text of the book: then it is dropped with its reason."""
    look = walk.looks.of(cell)
    if look.gone:
        walk.gone(cell, look)
    elif reason := walk.reason(cell, look):
        walk.drop(reason, cell)
    else:
        return False
    return True


def _read_speech(walk: Walk, persona: Element, cells: list[Element]) -> None:
    """One speech of a play set as a table: who speaks in one cell, the words in the others."""
    label = " ".join(walk.text_of(persona))
    items = walk.draft.items
    before = len(items)
    for cell in cells:
        if cell is not persona and not _is_left_out(walk, cell):
            verse = walk.looks.of(cell).verse
            walk.flow(cell, verse=verse, note=False)
            walk.flush(verse=verse, note=False)
    said = items[before:]
    body = [item.text for item in said if item.kind in ("paragraph", "verse", "direction")]
    if not said or not label or any(item.kind not in ("paragraph", "verse", "direction", "note") for item in said):
        return
    notes = [item for item in said if item.kind == "note"]
    speech = Item("speech", plays.speech(label, body), said[0].place, speaker=plays.speaker_of(label))
    items[before:] = [speech, *notes]
