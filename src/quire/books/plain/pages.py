"""Pages in plain text, as OCR leaves them: their numbers and heads go, what they cut is joined."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from quire.books.headings import recognise
from quire.books.plain.lines import SENTENCE_END, Gone, Lines, group_lines, numbered

_FOLIO = re.compile(r"\W{0,4}(?:(?:page|p\.|pg\.?)\s*)?(\d{1,4}|[ivxlc]{1,7})\W{0,4}", re.IGNORECASE)
_FEWEST_FEEDS = 3
_FEWEST_FOLIOS = 8
_FEWEST_HEADS = 3
_LONGEST_HEAD = 80
# A head with its page on either side: `24 THE FERRY`, `THE FAR BANK. 25`.
_NUMBERED_HEAD = re.compile(r"(?:(\d{1,4})\s+\S.*|.*\S\s+(\d{1,4}))")
_MARK = re.compile(r"([ \t]?)[\[{](?:pg|page|p)\.?\s*(?:\d{1,4}|[ivxlc]{1,7})[\]}]", re.IGNORECASE)


def group_pages(text: str) -> tuple[list[Lines], list[Gone]]:
    """The groups of lines of a text without the furniture of its pages, and that furniture.

    `text` has its page feeds still.  Where it has none, lone numbers that count up and stand amid sentences tell.
    """
    text, marks = _without_marks(text)
    if text.count("\x0c") >= _FEWEST_FEEDS:
        groups, gone = _by_feeds(text)
    else:
        groups, gone = _by_numbers(group_lines(text.replace("\x0c", "\n")))
    return (_joined(groups, {mark.number for mark in marks}) if marks else groups), marks + gone


def _without_marks(text: str) -> tuple[str, list[Gone]]:
    """`[Pg 24]`, where transcribers put it amid the words or on a line of its own, out of the text."""
    if "[" not in text and "{" not in text:
        return text, []
    marks = [Gone("folio", match[0].strip(), number) for number, match in numbered(_MARK, text)]
    if len(marks) < _FEWEST_FEEDS:
        return text, []
    return _MARK.sub(lambda mark: mark[1] if text[mark.end() : mark.end() + 1].isalnum() else "", text), marks


def _joined(groups: list[Lines], marked: set[int]) -> list[Lines]:
    """Paragraphs that a mark on a line of its own had parted are one."""
    kept: list[Lines] = []
    for group in groups:
        before = kept[-1] if kept else None
        end = before.number + len(before.lines) if before is not None else 0
        if before is not None and marked & set(range(end, group.number)) and _goes_on(before, group):
            kept[-1] = replace(before, lines=before.lines + group.lines)
        else:
            kept.append(group)
    return kept


def _mask(line: str) -> str:
    """A running head without what changes from page to page."""
    return re.sub(r"[\W\d_]+|(?<![^\W\d_])[ivxlc]+(?![^\W\d_])", "", line.lower())


def _folio(line: str) -> int | None:
    match = _FOLIO.fullmatch(line.strip())
    if match is None:
        return None
    return int(match[1]) if match[1].isdigit() else 0


def _by_feeds(text: str) -> tuple[list[Lines], list[Gone]]:
    pages: list[list[tuple[int, str]]] = []
    number = 1
    for sheet in text.split("\x0c"):
        lines = sheet.split("\n")
        pages.append([(number + offset, line.expandtabs(4).rstrip()) for offset, line in enumerate(lines)])
        number += len(lines) - 1
    edges = [line for page in pages for _, line in _edges(page)]
    heads = Counter(_mask(line) for line in edges if len(_mask(line)) >= 3)
    # `CHAPTER III` at the head of page after page is furniture but for the first; other chapters' are not the same.
    heads.update({line.strip(): count for line, count in Counter(edges).items() if recognise(line)})
    seen: set[str] = set()
    gone: list[Gone] = []
    groups: list[Lines] = []
    for page in pages:
        kept = _without_furniture(page, heads, max(3, len(pages) // 20), gone, seen)
        more = group_lines("\n".join(line for _, line in kept))
        more = [replace(group, number=kept[group.number - 1][0]) for group in more]
        if groups and more and _goes_on(groups[-1], more[0]):
            groups[-1] = replace(groups[-1], lines=groups[-1].lines + more[0].lines)
            more = more[1:]
        groups += more
    return groups, gone


def _edges(page: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """The first two and the last line of a page that are not blank."""
    filled = [(number, line) for number, line in page if line.strip()]
    return filled[:2] + filled[2:][-1:]


def _without_furniture(
    page: Sequence[tuple[int, str]], heads: Counter[str], often: int, gone: list[Gone], seen: set[str]
) -> list[tuple[int, str]]:
    edges = _edges(page)
    out: set[int] = set()
    for position, (number, line) in enumerate(edges):
        # The second line is a head only under another one.
        if position == 1 and len(edges) > 1 and edges[0][0] not in out:
            continue
        if _folio(line) is not None:
            gone.append(Gone("folio", line.strip(), number))
        elif recognise(line) is not None:
            first = line.strip() not in seen
            seen.add(line.strip())
            if first or heads[line.strip()] < _FEWEST_HEADS:
                continue
            gone.append(Gone("running head", line.strip(), number))
        elif len(line.strip()) <= 80 and heads[_mask(line)] >= often and len(_mask(line)) >= 3:
            gone.append(Gone("running head", line.strip(), number))
        else:
            continue
        out.add(number)
    return [(number, "" if number in out else line) for number, line in page]


def _goes_on(before: Lines, after: Lines) -> bool:
    """Whether a page ends within a paragraph that the next one continues."""
    last, first = before.lines[-1].strip(), after.lines[0].strip()
    return not SENTENCE_END.search(last) and (first[:1].islower() or last.endswith("-"))


def _cuts(groups: Sequence[Lines], index: int) -> bool:
    """Whether a sentence goes on beyond this group and a head beside it."""
    before = groups[max(0, index - 2) : index]
    after = groups[index + 1 : index + 3]
    return any(_goes_on(one, other) for one in before for other in after)


def _page_of(group: Lines, masks: Counter[str]) -> int | None:
    """The number of a page that stands alone, or beside a head that comes again and again."""
    text = group.text
    if len(group.lines) != 1 or len(text) > _LONGEST_HEAD:
        return None
    if text.strip("-–— .[]()").isdigit():
        return _folio(text) or None
    head = _NUMBERED_HEAD.fullmatch(text)
    if head is None or masks[_mask(text)] < _FEWEST_HEADS or recognise(text) is not None:
        return None
    return int(head[1] or head[2])


def _by_numbers(groups: list[Lines]) -> tuple[list[Lines], list[Gone]]:
    single = (_mask(group.text) for group in groups if len(group.lines) == 1 and len(group.text) <= _LONGEST_HEAD)
    masks = Counter(mask for mask in single if len(mask) >= 3)
    pages = ((index, _page_of(group, masks)) for index, group in enumerate(groups))
    alone = [(index, value) for index, value in pages if value]
    counting: list[int] = []
    last = 0
    for index, value in alone:
        if not counting or 0 < value - last <= 3:
            counting.append(index)
            last = value
    inner = [index for index in counting if 0 < index < len(groups) - 1]
    cutting = sum(_cuts(groups, index) for index in inner)
    if len(counting) < _FEWEST_FOLIOS or cutting < 0.2 * len(counting):
        return groups, []
    folios = set(counting)
    beside = Counter(
        _mask(groups[index].text)
        for folio in folios
        for index in (folio - 1, folio + 1)
        if 0 <= index < len(groups) and len(groups[index].lines) == 1
    )
    gone: list[Gone] = []
    kept: list[Lines] = []
    joins = False
    for index, group in enumerate(groups):
        near = {index - 1, index + 1} & folios
        again = len(_mask(group.text)) >= 3 and beside[_mask(group.text)] >= _FEWEST_HEADS
        short = len(group.lines) == 1 and len(group.text) <= _LONGEST_HEAD
        head = bool(near) and short and again and recognise(group.text) is None
        if index in folios or head:
            bare = index in folios and not any(char.isalpha() for char in group.text)
            gone.append(Gone("folio" if bare else "running head", group.text, group.number))
            joins = True
        elif joins and kept and _goes_on(kept[-1], group):
            kept[-1] = replace(kept[-1], lines=kept[-1].lines + group.lines)
            joins = False
        else:
            kept.append(group)
            joins = False
    return kept, gone
