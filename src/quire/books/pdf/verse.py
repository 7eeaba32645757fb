"""Verse or prose: whether the lines of one block of a PDF were broken by their author or by the typesetter."""

from __future__ import annotations

from collections.abc import Sequence

from quire.books.hyphens import Hyphens
from quire.books.pdf.lines import Line
from quire.books.pdf.measure import SENTENCE_END, SENTENCE_STOP, Frame, begins_line


def is_verse(frame: Frame, lines: Sequence[Line], inset: bool, alone: bool = False) -> bool:
    """Lines that were broken by their author: each could have taken the next one's first word.

    `inset`: they are set in.  A line without another is verse when `alone` says so.
    """
    pairs = list(zip(lines, lines[1:], strict=False))
    if not pairs:
        return alone
    if inset and is_turned_verse(frame, lines):
        return True
    if any(above.hyphen for above, _ in pairs):
        return False
    broken = sum(frame.had_room(above, below) for above, below in pairs)
    if broken >= 0.75 * len(pairs):
        return True
    # Long verse in a narrow measure: what did not fit goes on in small letters, other lines begin with capitals.
    kept = [below for above, below in pairs if not is_turned(frame, above, below)]
    capitals = sum(begins_line(below.plain) for below in kept)
    long = inset and len(lines) >= 4 and 3 * len(kept) >= len(pairs)
    return long and capitals >= 0.75 * len(kept)


def is_turned_verse(frame: Frame, lines: Sequence[Line]) -> bool:
    """Whether lines that are set in are long verse, turned over: what begins with a capital follows a line that had
    room, what does not follows a full one.

    Paragraphs of speech in a quotation do so too, but each of those ends as a sentence does.
    """
    pairs = list(zip(lines, lines[1:], strict=False))
    own = max(line.right for line in lines)
    kept = [above for above, below in pairs if begins_line(below.plain) and not above.hyphen]
    if len(kept) < 2 or len(kept) == len(pairs):
        return False
    begins = [begins_line(below.plain) and not above.hyphen for above, below in pairs]
    room = [not above.hyphen and frame.had_room(above, below, own) for above, below in pairs]
    agree = sum(one == other for one, other in zip(begins, room, strict=True))
    hangs = min(below.left for (_, below), new in zip(pairs, begins, strict=True) if not new) > 0.5 * frame.size + max(
        below.left for (_, below), new in zip(pairs, begins, strict=True) if new
    )
    unsaid = sum(not SENTENCE_STOP.search(above.plain) for above in kept)
    return agree >= (0.6 if hangs else 0.85) * len(pairs) and 3 * len(kept) >= len(pairs) and unsaid >= 0.3 * len(kept)


def looks_like_verse(frame: Frame, lines: Sequence[Line]) -> bool:
    """Whether lines at the margin begin as verse does, or are far shorter than a ragged margin makes them."""
    capitals = sum(begins_line(line.plain) for line in lines)
    room = sum(frame.room(line) for line in lines) / len(lines)
    return capitals >= 0.75 * len(lines) or room >= 0.3 * (frame.edge - frame.margin)


def is_prose(frame: Frame, lines: Sequence[Line]) -> bool:
    """Whether lines that are set in were broken by a narrower measure of their own."""
    own = max(line.right for line in lines)
    pairs = list(zip(lines, lines[1:], strict=False))
    broken = sum(frame.had_room(above, below, own) for above, below in pairs)
    capitals = sum(begins_line(below.plain) for _, below in pairs)
    if len(lines) < 3:
        return bool(pairs) and not capitals and not broken and not SENTENCE_END.search(lines[0].plain)
    justified = sum(own - line.right < 1 for line in lines[:-1]) >= 0.7 * len(pairs)
    # Lines of verse may chance to be equally long, but they begin with capitals.
    justified = justified and capitals < len(pairs)
    return justified or (broken < 0.5 * len(pairs) and capitals < 0.5 * len(pairs))


def is_turned(frame: Frame, above: Line, below: Line) -> bool:
    """Whether a line is what did not fit into the verse line above."""
    set_in = below.left > above.left + 0.5 * below.size
    return not frame.had_room(above, below) and (set_in or not begins_line(below.plain))


def verse_lines(frame: Frame, lines: Sequence[Line], texts: Sequence[str], hyphens: Hyphens) -> list[str]:
    """The texts of verse lines; what did not fit into one and stands under it goes back to it."""
    kept = [texts[0]]
    all_turned = is_turned_verse(frame, lines)
    for above, line, text in zip(lines, lines[1:], texts[1:], strict=False):
        if above.hyphen:
            kept[-1] = hyphens.join(kept[-1], text, soft=True, own=above.own)
        elif is_turned(frame, above, line) or (all_turned and not begins_line(line.plain)):
            kept[-1] = f"{kept[-1]} {text}"
        else:
            kept.append(text)
    return kept
