"""Lists of chapters at the head of plain text: what announces the chapters is not what opens them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

from quire.books.headings import LONGEST, is_contents_label, recognise
from quire.books.plain.lines import Lines

# What stands over the column of page numbers.
_COLUMN = re.compile(r"\W*(?:chap(?:ters?|itres?)?\.?\s+)?(?:pages?|pag\.|seite)\W*", re.IGNORECASE)
FARTHEST = 80
"""A list of contents begins within so many groups of lines from the head."""
FIRST_ENTRIES = 4
FEWEST_ANNOUNCED = 4
_SENTENCE = re.compile(r"[.!?…][”»\"]?$")
_ENTRY_NUMBER = re.compile(
    r"(?:\W*+(?:(?:chapter|chap|chapitre|part|book|adventure|letter|lettre|stave|no)\W*+)?[ivxlcdm\d]+\b)?\W*",
    re.IGNORECASE,
)
_NO_LETTERS = re.compile(r"[\W_]+")
_PAGE = re.compile(r"(?<![\s.·…_])[\s.·…_]*\b(?:\d{1,4}|[ivxlc]+)\s*$")
_LEADERS = re.compile(r"(?<!\.)(?<!\.\s)(?:\s?\.){4,}\s*\d{1,4}\s*$|(?<!\s)\s{3,}(?:\d{1,4}|[ivxlc]{1,6})\s*$")

_ILLUSTRATIONS = re.compile(
    r"(?:list of )?illustrations|(?:liste|table) des (?:illustrations|gravures|figures)|list of (?:plates|figures)",
    re.IGNORECASE,
)
_FARTHEST_PICTURES = 400
_FEWEST_PICTURES = 5
_LONGEST_ENTRY = 110
_FEWEST_LETTERS = 3


def find_contents(groups: Sequence[Lines]) -> list[int]:
    """The indices of the groups that are a list of chapters, its label included.

    Three headings or more without text between them, at the head of the file.  The list ends where one of its first
    entries stands for the second time: there the first chapter begins.
    """
    found: list[int] = []
    run: list[int] = []
    for index, group in enumerate(groups):
        if not run and index > FARTHEST:
            break
        if _lists(group) or (run and _goes_on(groups, run, index)):
            run.append(index)
            continue
        found += _close(groups, run, index)
        run = []
    else:
        found += _close(groups, run, len(groups))
    return found or _announced(groups)


def _announced(groups: Sequence[Lines]) -> list[int]:
    """What stands under a label for contents when most of its lines stand alone later on: titles without numbers."""
    label = next((index for index, group in enumerate(groups[:FARTHEST]) if is_contents_label(group.text)), None)
    if label is None:
        return []
    last = {title_key(group.text): index for index, group in enumerate(groups) if _is_short(group)}
    run = [label]
    seen: set[str] = set()
    met = entries = 0
    for index in range(label + 1, len(groups)):
        keys = [key for line in groups[index].lines if len(key := title_key(line)) >= _FEWEST_LETTERS]
        again = [key for key in keys if last.get(key, 0) > index]
        if seen & set(keys) or len(again) < 0.5 * len(keys) or max(map(len, groups[index].lines)) > _LONGEST_ENTRY:
            break
        seen |= set(keys)
        met, entries = met + len(again), entries + len(keys)
        run.append(index)
    return run if met >= FEWEST_ANNOUNCED and met >= 0.5 * entries else []


def find_illustrations(groups: Sequence[Lines]) -> list[int]:
    """The indices of the groups that are a list of illustrations, its label included: short lines, whatever they say,
    up to the first heading or paragraph."""
    for index, group in enumerate(groups[:_FARTHEST_PICTURES]):
        if len(group.lines) > 1 or not _ILLUSTRATIONS.fullmatch(group.text.strip("*_=~#. ")):
            continue
        stop = index + 1
        while stop < len(groups) and _names_picture(groups[stop]):
            stop += 1
        if stop - index > _FEWEST_PICTURES and stop < len(groups):
            return list(range(index, stop))
    return []


def _names_picture(group: Lines) -> bool:
    heading = recognise(group.text)
    pages = len(group.lines) > 1 and all(_PAGE.search(line) for line in group.lines)
    return pages or (
        len(group.lines) <= 2 and len(group.text) <= _LONGEST_ENTRY and (heading is None or heading.kind == "bare")
    )


def entries_of(groups: Iterable[Lines]) -> Counter[str]:
    """The letters of what a list of chapters announces, and how often."""
    keys = (title_key(line) for group in groups for line in group.lines)
    return Counter(key for key in keys if len(key) >= _FEWEST_LETTERS)


def _lists(group: Lines) -> bool:
    """Whether a group is one heading, or several of which many are."""
    if _COLUMN.fullmatch(group.text):
        return True
    if len(group.lines) <= 2:
        return recognise(group.text) is not None or (len(group.lines) == 1 and bool(_LEADERS.search(group.lines[0])))
    named = sum(recognise(line) is not None or bool(_LEADERS.search(line)) for line in group.lines)
    if named >= max(3, 0.4 * len(group.lines)):
        return True
    return recognise(group.text[:150]) is not None and group.text.count("--") + group.text.count("—") >= 2


def _goes_on(groups: Sequence[Lines], run: list[int], index: int) -> bool:
    """Whether a short line amid entries is one without a number, or the end of one over two lines."""
    group = groups[index]
    close = len(run) >= 3 and all(groups[one].gap <= 2 for one in run[1:])
    return close and group.gap <= 1 and len(group.lines) <= 2 and not _SENTENCE.search(group.text)


def _close(groups: Sequence[Lines], run: list[int], stop: int) -> list[int]:
    if not run:
        return []
    run = _until_repeated(groups, run)
    entries = sum(max(1, sum(recognise(line) is not None for line in groups[index].lines)) for index in run)
    labelled = run[0] > 0 and is_contents_label(groups[run[0] - 1].text)
    if entries < (3 if labelled else 4):
        return []
    short = (group for group in groups[run[-1] + 1 :] if _is_short(group))
    later = {key for group in short for key in _entry_keys(group)}
    earlier = {key for index in run[:-1] for line in groups[index].lines for key in _entry_keys(Lines((line,), 0, 0))}
    last = _entry_keys(groups[run[-1]])
    if (
        len(run) > 1
        and len(groups[run[-1]].lines) == 1
        and (not last & later or (last & earlier and run[-1] + 1 == stop))
    ):
        # It stands nowhere else, or for the second time: it is the heading of the text that follows.
        run = run[:-1]
    return ([run[0] - 1] if labelled else []) + run


def _is_short(group: Lines) -> bool:
    return len(group.lines) <= 3 and sum(map(len, group.lines)) <= LONGEST


def _until_repeated(groups: Sequence[Lines], run: list[int]) -> list[int]:
    seen: set[str] = set()
    for position, index in enumerate(run):
        lines = groups[index].lines if len(groups[index].lines) > 2 else (groups[index].text,)
        keys = {key for line in lines if len(key := title_key(line)) >= 6}
        counts_on = position > 0 and bool(_entry_keys(groups[index]) & _following(groups[run[position - 1]]))
        # What has a page beside it opens no chapter, though it says the same as another.
        paged = bool(_LEADERS.search(groups[index].lines[-1]))
        if keys & seen and len(lines) == 1 and not counts_on and not paged:
            return run[:position]
        if position < FIRST_ENTRIES or len(lines) > 1:
            seen |= keys
    return run


def _following(group: Lines) -> set[str]:
    """The key of the heading that would follow an entry."""
    heading = recognise(group.text)
    if heading is None or heading.number is None:
        return set()
    return {f"{heading.kind} {heading.number + 1}"}


def _entry_keys(group: Lines) -> set[str]:
    keys = {title_key(group.text)} - {""}
    heading = recognise(group.text)
    if heading is None and len(group.lines) > 1:
        heading = recognise(group.lines[0])
    if heading is not None and heading.number is not None:
        keys.add(f"{heading.kind} {heading.number}")
    return keys


@lru_cache(maxsize=16_384)
def title_key(text: str) -> str:
    """The letters of an entry without its number and its page."""
    rest = _PAGE.sub("", _ENTRY_NUMBER.sub("", text, count=1))
    return _NO_LETTERS.sub("", rest.lower())
