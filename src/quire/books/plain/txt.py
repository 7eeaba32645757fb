"""Plain text: any usual encoding, wrapped or not, with or without Gutenberg's frame."""

from __future__ import annotations

import re
from pathlib import Path

from quire.books import pulse
from quire.books.book import Book, Place
from quire.books.cleaning import line_ends
from quire.books.draft import Draft, is_scene_break
from quire.books.encoding import decode
from quire.books.finishing import gutenberg
from quire.books.finishing.finish import finish
from quire.books.headings import recognise
from quire.books.limits import PLAIN, ReadOptions
from quire.books.plain import plays as plays_text
from quire.books.plain.boilerplate import strip_boilerplate
from quire.books.plain.contents import entries_of, find_contents, find_illustrations
from quire.books.plain.dates import part_letter
from quire.books.plain.inline import UNDERSCORED
from quire.books.plain.lines import (
    Layout,
    Lines,
    find_layout,
    group_lines,
    is_verse,
    numbered,
    part_unwrapped,
    rejoin,
    split_indented,
    usual_indent,
)
from quire.books.plain.notes import take_notes
from quire.books.plain.openings import find_headings, rank
from quire.books.plain.pages import group_pages
from quire.errors import BookError

# Fewer words between Gutenberg's header and licence are a title or a credit, no work.
SHORTEST_IN_FRAME = 30
_BEAT = 500
_SHORT_LINE = 40
_FAR_RIGHT = 16
_UNWRAPPED = 115
_AUTHOR = re.compile(r"[^\W\d_][\w’'-]*\.?(?: (?:de|du|von|van|d’|d')?\s?[^\W\d_][\w’'.-]*){1,4}")
_YEAR = re.compile(r"\((?:1[5-9]|20)\d\d(?:\s?[-–]\s?(?:1[5-9]|20)?\d\d)?\)")
# Shorter lines of what is said to be poems are verse, though they are of one length.
_NARROWEST_PROSE = 60
_ILLUSTRATION = re.compile(r"\[\s*(?:Illustration|Frontispiece)[^\]]{0,3000}\]", re.IGNORECASE)
_STARS = re.compile(r"(?<![\w*])\*(?=\w)([^*\n]{1,200}?)(?<=[\w.,!?])\*(?![\w*])")
_EQUALS = re.compile(r"(?<![\w=])=(?=\w)([^=\n]{1,200}?)(?<=[\w.,!?])=(?![\w=])")


def read(path: Path, options: ReadOptions = PLAIN) -> list[Book]:
    """The one book of a plain text file.  Raises BookError when it holds no text."""
    text, _, warnings = decode(path.read_bytes())
    draft = Draft(str(path), warnings=warnings)
    # Page feeds tell where the pages of a scan end; `line_ends` would make line ends of them.
    text = "\x0c".join(map(line_ends, text.split("\x0c")))
    body, skipped, framed = _unframe(draft, text)
    read_lines(draft, body, skipped, emphasis=framed or _has_emphasis(body), whole=True, format=options.format)
    if not draft.title:
        # Above poems the first line is the first one's title.
        draft.title = (guess_title(draft) if options.format != "poems" else "") or path.stem
    only_frame = f"{path} holds nothing but Gutenberg's header and licence"
    book = finish(draft, options, only_frame if framed else "")
    if framed and book.words < SHORTEST_IN_FRAME:
        raise BookError(only_frame, then="get the file again: its text is missing", code="not-a-book")
    return [book]


def _unframe(draft: Draft, text: str) -> tuple[str, int, bool]:
    """The text between Gutenberg's header and licence, how many lines stand before it, whether there was a frame."""
    if not gutenberg.looks_like(text):
        return text, 0, False
    start, stop = gutenberg.frame(text)
    fields = gutenberg.header_fields(text)
    draft.title = fields.get("title", "")
    draft.author = fields.get("author", "")
    draft.language = fields.get("language", "")
    skipped = text.count("\n", 0, start)
    draft.drop("Gutenberg header", text[:start], Place(draft.path, "line", 1))
    draft.drop("Gutenberg licence", text[stop:], Place(draft.path, "line", text.count("\n", 0, stop) + 1))
    body = text[start:stop]
    for number, mark in numbered(_ILLUSTRATION, body):
        draft.drop("caption", mark[0], Place(draft.path, "line", number + skipped))
    return _ILLUSTRATION.sub(lambda mark: "\n" * mark[0].count("\n"), body), skipped, True


def read_lines(
    draft: Draft,
    text: str,
    skipped: int = 0,
    inside: str = "",
    emphasis: bool = False,
    whole: bool = False,
    format: str | None = None,
) -> None:
    """Put the paragraphs, verse and headings of plain lines into a draft; `skipped` lines stood before them.

    `whole`: they are a whole file, which may have pages and what libraries add.  `format` is what the recipe says of
    the text: lines of a play, surely one or said to be, become its speeches.
    """
    groups = _own_groups(draft, text, skipped) if whole else group_lines(text)
    pulse.beat()
    if (cast := plays_text.find_play(groups, format)) is not None:
        groups, notes = take_notes(_drop_contents(draft, groups, skipped, inside)[1])
        plays_text.add_play(draft, groups, cast, skipped, inside)
        _add_notes(draft, notes, emphasis, skipped, inside)
        return
    pulse.beat()
    layout = find_layout(groups)
    poems = format == "poems" and layout.width < _NARROWEST_PROSE
    if poems:
        layout = Layout(0, False)
    if layout.indented:
        usual = usual_indent(groups)
        groups = [run for group in groups for run in split_indented(group, usual)]
    if layout.width == 0 and not poems:
        groups = _one_by_one(groups)
    groups = [part for group in groups for part in (part_letter(group) if _may_open(group, layout) else [group])]
    pulse.beat()
    gone, groups = _drop_contents(draft, groups, skipped, inside)
    pulse.beat()
    groups, notes = take_notes(groups)
    headings = find_headings(groups, entries_of(gone))
    levels = rank(headings, groups)
    for index, group in enumerate(pulse.each(groups, _BEAT)):
        place = Place(draft.path, "line", group.number + skipped, inside)
        if index in headings:
            level = levels[index]
            draft.add("heading", _plain(group.text, True), place, level)
        elif is_scene_break(group.text):
            draft.add("break", group.text, place)
        elif _keeps_lines(group, layout):
            draft.add("verse", _plain("\n".join(line.strip() for line in group.lines), emphasis), place)
        else:
            draft.add("paragraph", _plain(rejoin(group.lines), emphasis), place)
    _add_notes(draft, notes, emphasis, skipped, inside)


def _may_open(group: Lines, layout: Layout) -> bool:
    """Whether a letter may open or close here: with a line that is not full, or that stands far to the right."""
    first, last = group.lines[0], group.lines[-1]
    return len(first) < max(_SHORT_LINE, 0.9 * (layout.width or _UNWRAPPED)) or last.startswith(" " * _FAR_RIGHT)


def _add_notes(draft: Draft, notes: list[tuple[int, str]], emphasis: bool, skipped: int, inside: str) -> None:
    for number, note in notes:
        draft.add("note", _plain(note, emphasis), Place(draft.path, "line", number + skipped, inside))


def _own_groups(draft: Draft, text: str, skipped: int) -> list[Lines]:
    """The groups of lines of a file, without the furniture of its pages and what a library says around it."""
    groups, furniture = group_pages(text)
    groups, boilerplate, fields = strip_boilerplate(groups)
    for gone in furniture + boilerplate:
        draft.drop(gone.reason, gone.text, Place(draft.path, "line", gone.number + skipped))
    draft.title = draft.title or fields.get("title", "")
    draft.author = draft.author or fields.get("author", "")
    draft.language = draft.language or fields.get("language", "")
    return groups


def _has_emphasis(text: str) -> bool:
    """Whether several words stand between underscores, as those write who cannot set italics."""
    return sum(1 for _ in zip(UNDERSCORED.finditer(text), range(3), strict=False)) == 3


def _keeps_lines(group: Lines, layout: Layout) -> bool:
    if layout.width == 0:
        return len(group.lines) > 1
    return is_verse(group, layout)


def _one_by_one(groups: list[Lines]) -> list[Lines]:
    """Every line a paragraph of its own; but where blank lines part short lines into groups, those are stanzas."""
    lines = [line for group in groups for line in group.lines]
    several = [group for group in groups if len(group.lines) > 1]
    short = sum(map(len, lines)) <= 60 * len(lines) and max(map(len, lines), default=0) <= 90
    ends = sum(line.rstrip().endswith((".", "!", "?", "…", "”", "»", '"')) for line in lines)
    stanzas = short and len(groups) > 1 and ends <= 0.6 * len(lines)
    return groups if stanzas or not several else part_unwrapped(groups)


def _plain(text: str, emphasis: bool) -> str:
    """Without the marks that Gutenberg's transcribers set for italics and bold."""
    if not emphasis or not ("_" in text or "=" in text or "*" in text):
        return text
    text = UNDERSCORED.sub(r"\1", text)
    return _EQUALS.sub(r"\1", _STARS.sub(r"\1", text))


def _drop_contents(draft: Draft, groups: list[Lines], skipped: int, inside: str) -> tuple[list[Lines], list[Lines]]:
    """The groups that list chapters, and those that are left when lists of illustrations have gone too."""
    listed = set(find_contents(groups))
    pictures = set(find_illustrations(groups)) - listed
    for index in sorted(listed | pictures):
        place = Place(draft.path, "line", groups[index].number + skipped, inside)
        reason = "contents" if index in listed else "list of illustrations"
        draft.drop(reason, "\n".join(groups[index].lines), place)
    left = [group for index, group in enumerate(groups) if index not in listed and index not in pictures]
    return [groups[index] for index in sorted(listed)], left


def guess_title(draft: Draft) -> str:
    """The first short line, when it stands alone above the first chapter and says more than a number.

    French editions set the author above the title: a name, then capitals or a year in brackets.
    """
    lines: list[str] = []
    for item in draft.items[: 4 if len(draft.items) > 2 else 0]:
        text = " ".join(item.text.split())
        if item.kind not in ("heading", "paragraph") or len(text) > 80 or recognise(text):
            break
        lines.append(text)
    named = len(lines) >= 2 and bool(_AUTHOR.fullmatch(lines[0])) and not lines[0].isupper() and _is_title(lines[1])
    if named and (lines[1].isupper() or any(_YEAR.fullmatch(line) for line in lines[2:])):
        draft.author = draft.author or lines[0]
        return lines[1]
    return lines[0] if lines and _is_title(lines[0]) else ""


def _is_title(line: str) -> bool:
    return not re.search(r"[.,;:!?…»”]$", line) and line[:1] not in '“"«—–-'


def read_text(path: str, text: str) -> Book:
    """A book out of text that is already in memory.  Raises BookError when it holds none."""
    draft = Draft(path)
    read_lines(draft, line_ends(text))
    if not draft.items:
        raise BookError(f"{path} holds no text", then="give some paragraphs or verse lines", code="not-a-book")
    return finish(draft)
