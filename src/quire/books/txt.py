"""Plain text: any usual encoding, wrapped or not, with or without Gutenberg's frame."""

from __future__ import annotations

import re
from pathlib import Path

from quire.books import gutenberg
from quire.books.book import Book, Place
from quire.books.cleaning import line_ends
from quire.books.draft import Draft, finish, is_scene_break
from quire.books.encoding import decode
from quire.books.headings import Heading, is_contents_label, recognise
from quire.books.limits import PLAIN, ReadOptions
from quire.books.lines import (
    Layout,
    Lines,
    find_headings,
    find_layout,
    group_lines,
    is_verse,
    part_unwrapped,
    rejoin,
    split_indented,
    usual_indent,
)
from quire.books.text_notes import take_notes
from quire.errors import BookError

# Fewer words between Gutenberg's header and licence are a title or a credit, no work.
SHORTEST_IN_FRAME = 30
_EMPHASIS = re.compile(r"(?<![\w_])_(?=\S)([^_]{1,2000}?)(?<=\S)_(?![\w_])")
_STARS = re.compile(r"(?<![\w*])\*(?=\w)([^*\n]{1,200}?)(?<=[\w.,!?])\*(?![\w*])")
_EQUALS = re.compile(r"(?<![\w=])=(?=\w)([^=\n]{1,200}?)(?<=[\w.,!?])=(?![\w=])")


def read(path: Path, options: ReadOptions = PLAIN) -> list[Book]:
    """The one book of a plain text file.  Raises BookError when it holds no text."""
    text, _, warnings = decode(path.read_bytes())
    draft = Draft(str(path), warnings=warnings)
    text = line_ends(text)
    body, skipped, framed = _unframe(draft, text)
    read_lines(draft, body, skipped, emphasis=framed)
    if not draft.title:
        draft.title = guess_title(draft) or path.stem
    only_frame = f"{path} holds nothing but Gutenberg's header and licence"
    book = finish(draft, options, only_frame if framed else "")
    if framed and book.words < SHORTEST_IN_FRAME:
        raise BookError(only_frame, then="get the file again: its text is missing")
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
    marks = list(re.finditer(r"\[\s*(?:Illustration|Frontispiece)[^\]]*\]", body, re.IGNORECASE))
    for mark in marks:
        draft.drop("illustration", mark[0], Place(draft.path, "line", skipped + body.count("\n", 0, mark.start()) + 1))
    for mark in reversed(marks):
        body = body[: mark.start()] + "\n" * mark[0].count("\n") + body[mark.end() :]
    return body, skipped, True


def read_lines(draft: Draft, text: str, skipped: int = 0, inside: str = "", emphasis: bool = False) -> None:
    """Put the paragraphs, verse and headings of plain lines into a draft; `skipped` lines stood before them."""
    groups = group_lines(text)
    layout = find_layout(groups)
    if layout.indented:
        usual = usual_indent(groups)
        groups = [run for group in groups for run in split_indented(group, usual)]
    if layout.width == 0:
        groups = _one_by_one(groups)
    groups = _drop_contents(draft, groups, skipped, inside)
    groups, notes = take_notes(groups)
    headings = find_headings(groups)
    for index, group in enumerate(groups):
        place = Place(draft.path, "line", group.number + skipped, inside)
        if index in headings:
            level = _level(headings[index])
            draft.add("heading", _plain(group.text, True), place, level)
        elif is_scene_break(group.text):
            draft.add("break", group.text, place)
        elif _keeps_lines(group, layout):
            draft.add("verse", _plain("\n".join(line.strip() for line in group.lines), emphasis), place)
        else:
            draft.add("paragraph", _plain(rejoin(group.lines), emphasis), place)
    for number, note in notes:
        draft.add("note", _plain(note, emphasis), Place(draft.path, "line", number + skipped, inside))


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


def _level(heading: Heading | None) -> int:
    """Parts above chapters; a title line belongs to the chapter whose number stands before it."""
    return 1 if heading is not None and heading.kind == "part" else 2


def _plain(text: str, emphasis: bool) -> str:
    """Without the marks that Gutenberg's transcribers set for italics and bold."""
    if not emphasis or not ("_" in text or "=" in text or "*" in text):
        return text
    text = _EMPHASIS.sub(r"\1", text)
    return _EQUALS.sub(r"\1", _STARS.sub(r"\1", text))


def _drop_contents(draft: Draft, groups: list[Lines], skipped: int, inside: str) -> list[Lines]:
    """A list of chapters at the head: lines that are headings, three or more, with no text between them."""
    kept: list[Lines] = []
    run: list[Lines] = []

    def close() -> None:
        entries = sum(max(1, sum(recognise(line) is not None for line in group.lines)) for group in run)
        if entries >= 4 and len(kept) < 60:
            # The last heading of a run of single lines belongs to the text that follows.
            last = run.pop() if len(run[-1].lines) == 1 and len(run) >= 2 else None
            if kept and is_contents_label(kept[-1].text):
                run.insert(0, kept.pop())
            for group in run:
                place = Place(draft.path, "line", group.number + skipped, inside)
                draft.drop("contents", "\n".join(group.lines), place)
            kept.extend([last] if last else [])
        else:
            kept.extend(run)
        run.clear()

    for group in groups:
        named = sum(recognise(line) is not None for line in group.lines)
        listed = len(group.lines) >= 3 and named >= max(3, 0.4 * len(group.lines))
        if listed or (len(group.lines) <= 2 and recognise(group.text)):
            run.append(group)
        elif run and not re.search(r"[.!?…][”»\"]?$", group.text) and len(group.lines) <= 2 and _amid_contents(run):
            run.append(group)
        else:
            close()
            kept.append(group)
    close()
    return kept


def _amid_contents(run: list[Lines]) -> bool:
    return len(run) >= 3 and all(group.gap <= 1 for group in run[1:])


def guess_title(draft: Draft) -> str:
    """The first short line, when it stands alone above the first chapter and says more than a number."""
    for item in draft.items[: 2 if len(draft.items) > 2 else 0]:
        text = " ".join(item.text.split())
        if item.kind in ("heading", "paragraph") and len(text) <= 80 and not recognise(text):
            return "" if re.search(r"[.,;:!?…»”]$", text) or text[:1] in '“"«—–-' else text
    return ""


def read_text(path: str, text: str) -> Book:
    """A book out of text that is already in memory.  Raises BookError when it holds none."""
    draft = Draft(path)
    read_lines(draft, line_ends(text))
    if not draft.items:
        raise BookError(f"{path} holds no text", then="give some paragraphs or verse lines")
    return finish(draft)
