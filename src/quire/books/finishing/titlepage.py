"""What stands before the text: the title page, and lists of chapters or illustrations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from quire.books.finishing.matter import AROUND, role_of_title
from quire.books.headings import is_contents_label, is_numbered, recognise

if TYPE_CHECKING:
    from quire.books.draft import Draft, Item

_NO_LETTERS = re.compile(r"[\W_]+")
# The author's name under the title.
_CREDIT = re.compile(r"(?:by|par|von|por|di|door)[:\s]\s*((?:[^\W\d_][\w.’'-]*\s?){1,6})", re.IGNORECASE)
_YEAR = re.compile(r"\b(?:1[5-9]\d\d|20[0-4]\d)\b|\bM[DCLXVI.]{4,}\b|\b(?:an|année) (?:1[5-9]\d\d|[IVX]+)\b")
_TOWN = re.compile(
    r"\b(?:london|edinburgh|glasgow|dublin|oxford|cambridge|new york|boston|philadelphia|chicago|toronto|melbourne|"
    r"paris|lyon|bruxelles|brussels|gen[eè]ve|lausanne|montr[ée]al|amsterdam|leipzig|berlin|stuttgart|m[üu]nchen|"
    r"wien|z[üu]rich|roma|milano|madrid|barcelona)\b",
    re.IGNORECASE,
)
_MAKER = re.compile(
    r"& co\b|& sons?\b|\bbrothers\b|\b(?:press|publish(?:ers?|ing)|printed|printers?|books(?:ellers?)?|edition|"
    r"company|limited|ltd|libr(?:airie|aire)s?|[ée]dit(?:eur|ion)s?|imprim(?:erie|eur|[ée])|chez|verlag|druck)\b",
    re.IGNORECASE,
)
_DEDICATES = re.compile(
    r"(?:for|to|in (?:loving )?memory of|dedicated to|à|pour|en mémoire de|à la mémoire de|für|in erinnerung an|para|"
    r"a mi|alla?|per)\s+\S",
    re.IGNORECASE,
)
_LONGEST_LABEL = 60
_LONGEST_CONTENTS = 40
# Of a text a list of its chapters is a part: more is not believed, but in a very short one.
_MOST_CONTENTS = 0.25
_LITTLE = 500
_HEAD = 12
_HEAD_LINES = 25
_MOST_WORDS = 300


def drop_contents(draft: Draft, items: list[Item]) -> list[Item]:
    """A heading `Contents` goes, with the lines under it that name chapters, up to the first that does not."""
    labels = [
        index
        for index, item in enumerate(items)
        if len(item.text) <= _LONGEST_CONTENTS
        and item.kind in ("heading", "paragraph")
        and is_contents_label(" ".join(item.text.split()))
        and not item.text[:1].islower()
    ]
    total = sum(len(item.text) for item in items) if labels else 0
    kept: list[Item] = []
    done = 0
    for index in labels:
        if index < done:
            continue
        stop = _end_of_contents(items, index + 1)
        if sum(len(item.text) for item in items[index:stop]) > max(_MOST_CONTENTS * total, _LITTLE):
            # The cells of a table are short lines too.
            continue
        if stop > index + 1 or items[index].kind == "heading":
            reason = "list of illustrations" if "illustration" in items[index].text.lower() else "contents"
            for gone in items[index:stop]:
                draft.drop(reason, gone.text, gone.place)
            kept += items[done:index]
            done = stop
    return kept + items[done:]


def _end_of_contents(items: Sequence[Item], start: int) -> int:
    """The first item after `start` that is no entry of a list: a heading, or a paragraph of some length."""
    index = start
    seen: set[str] = set()
    while index < len(items):
        item = items[index]
        key = "".join(char for char in item.text.lower() if char.isalnum())
        if item.kind in ("heading", "break") or key in seen:
            return index
        lines = item.text.split("\n")
        if any(len(line) > 110 for line in lines) or (index - start > 400) or _reads_on(lines):
            return index
        if len(lines) == 1 and re.search(r"[a-zà-ÿ][.!?…][”’»\"']?$", item.text) and not recognise(item.text):
            return index
        seen |= {"".join(char for char in line.lower() if char.isalnum()) for line in lines}
        index += 1
    # Nothing but short lines to the end of the book: that was no list of contents.
    return start


def _reads_on(lines: Sequence[str]) -> bool:
    """Whether lines are a text that goes on from line to line, as no list of titles does."""
    on = sum(line[:1].islower() or line.rstrip().endswith((",", ";")) for line in lines)
    return len(lines) >= 4 and on >= 0.4 * len(lines)


def drop_title_page(draft: Draft, items: list[Item]) -> list[Item]:
    """The work's own title and author at its head, which are known from its metadata or are its only top heading."""
    items = _drop_names(draft, _drop_imprint(draft, _drop_front(draft, items)))
    titles = [position for position, item in enumerate(items) if item.kind == "heading"]
    if not titles:
        return _drop_known(draft, items)
    first = titles[0]
    levels = [items[position].level for position in titles]
    alone = levels.count(levels[0]) == 1 and levels[0] < min(levels[1:], default=99) and len(levels) > 1
    known = _same(items[first].text, draft.title)
    if first <= 6 and (known or (alone and not is_numbered(items[first].text) and first == 0)):
        if not draft.title:
            draft.title = " ".join(items[first].text.split())
        draft.drop("title page", items[first].text, items[first].place)
        items = items[:first] + items[first + 1 :]
    return _drop_known(draft, items)


def _drop_front(draft: Draft, items: list[Item]) -> list[Item]:
    """Short lines before the first chapter of which some name the work or its author: a title page.

    Sentences and verse among them, a dedication for example, stay.
    """
    first = next((i for i, item in enumerate(items[:60]) if item.kind == "heading" and is_numbered(item.text)), 0)
    first = next((i for i, item in enumerate(items[:first]) if _opens_text(item, draft)), first)
    front = items[:first]
    if not first or draft.kind == "plays" or any(len(item.text) > 200 for item in front) or not draft.title:
        return items
    parts = [letters(item.text) for item in front]
    if not any(_is_name(part, draft) for part in parts):
        return items
    said = [_is_said(item) for item in front]
    words = sum(len(item.text.split()) for item, kept in zip(front, said, strict=True) if not kept)
    if words > _MOST_WORDS or words > sum(len(item.text.split()) for item in items[first:]):
        return items
    kept = []
    for item, stays in zip(front, said, strict=True):
        if not draft.author and (credit := _CREDIT.fullmatch(item.text)):
            draft.author = credit[1]
        if stays:
            kept.append(item)
        else:
            draft.drop("title page", item.text, item.place)
    return kept + items[first:]


def _opens_text(item: Item, draft: Draft) -> bool:
    """Whether a heading among the first lines names something to be read: a note, a table of the author's life."""
    if item.kind != "heading" or not role_of_title(item.text):
        return False
    return not _is_name(letters(item.text), draft) or role_of_title(item.text) in AROUND


def _is_name(part: str, draft: Draft) -> bool:
    """Whether the letters of a line name the work or its author."""
    names = [letters(name) for name in (draft.title, draft.author)]
    return any(len(name) >= 4 and (name in part or (len(part) >= 4 and part in name)) for name in names)


def _is_said(item: Item) -> bool:
    """Whether a line of the first pages is a sentence or verse that somebody wrote for the reader."""
    if item.kind == "verse":
        return not is_imprint(item.text)
    if item.kind == "paragraph" and _DEDICATES.match(item.text) and not item.text.isupper():
        return True
    return len(item.text) > 40 and bool(re.search(r"[a-zà-ÿ][.!?…][”’»\"')]*$", item.text))


def _drop_imprint(draft: Draft, items: list[Item]) -> list[Item]:
    """Lines around the work's name at its head that say where, when and by whom it was printed."""
    head = next((i for i, item in enumerate(items[:_HEAD_LINES]) if len(item.text) > 120), len(items[:_HEAD_LINES]))
    numbered = (i for i, item in enumerate(items[:head]) if item.kind == "heading" and is_numbered(item.text))
    head = next(numbered, head)
    named = [i for i in range(head) if _is_name(letters(items[i].text), draft)]
    made = [i for i in range(head) if _is_makers_line(items[i].text)]
    if draft.kind != "prose" or not named or len(made) < 2 or head == len(items):
        return items
    gone = [i for i in range(min(named[0], made[0]), max(named[-1], made[-1]) + 1) if not _is_said(items[i])]
    for index in gone:
        draft.drop("title page", items[index].text, items[index].place)
    dropped = set(gone)
    return [item for index, item in enumerate(items) if index not in dropped]


def _is_makers_line(line: str) -> bool:
    """Whether a line by itself may name the place, the year or the maker of a book."""
    signs = bool(_YEAR.search(line)) or bool(_TOWN.search(line)) or bool(_MAKER.search(line))
    return signs and len(line) <= 80 and not re.search(r"[a-zà-ÿ]{3}[.!?…][”’»\"')]*$", line)


def is_imprint(text: str) -> bool:
    """Whether a few lines say where, by whom and when a book was made, as the foot of a title page does."""
    if len(text) > 300:
        return False
    capitals = sum(char.isupper() for char in text) >= 0.5 * max(1, sum(char.isalpha() for char in text))
    signs = (bool(_YEAR.search(text)), bool(_TOWN.search(text)), bool(_MAKER.search(text)), capitals)
    return sum(signs) >= 2 and any(signs[:3])


def _drop_names(draft: Draft, items: list[Item]) -> list[Item]:
    """Headings that only name the work or its author: at its head, and a half-title right above another heading."""
    title, author = letters(draft.title), letters(draft.author)
    kept: list[Item] = []
    items = list(items)
    at_head = True
    for index, item in enumerate(items):
        if not at_head and item.kind != "heading":
            kept.append(item)
            continue
        following = items[index + 1] if index + 1 < len(items) else None
        if item.kind == "heading":
            words = letters(item.text)
            half = len(title) >= 4 and words == title and following is not None and following.kind == "heading"
            named = at_head and len(words) >= 2 and (words in title or (author and words in (author, f"by{author}")))
            credit = at_head and bool(_CREDIT.fullmatch(item.text)) and (not author or author in words)
            makers = at_head and is_imprint(item.text)
            if (half or named or credit or makers) and not is_numbered(item.text) and following is not None:
                draft.drop("title page", item.text, item.place)
                # What stands under it is no part of the preface above it.
                if any(before.kind != "chapter" for before in kept):
                    if following.kind != "heading":
                        kept.append(replace(item, kind="chapter", text="", level=0))
                    elif not is_numbered(following.text):
                        items[index + 1] = replace(following, level=min(item.level, following.level))
                continue
            at_head = at_head and not is_numbered(item.text) and index < _HEAD
        elif item.kind != "chapter" and (len(item.text) > _LONGEST_LABEL or index >= _HEAD):
            at_head = False
        kept.append(item)
    return kept


def letters(text: str) -> str:
    return _NO_LETTERS.sub("", text.lower())


def _drop_known(draft: Draft, items: list[Item]) -> list[Item]:
    """Lines before the first chapter that only repeat title and author."""
    stop = 0
    kept: list[Item] = []
    for item in items[:8]:
        names = [
            draft.title,
            draft.author,
            f"by {draft.author}",
            f"by {draft.author}.",
            f"{draft.title} by {draft.author}",
            f"par {draft.author}",
            "by" if draft.author else "",
            "par" if draft.author else "",
        ]
        credit = (
            _CREDIT.fullmatch(item.text) if not draft.author and item.kind == "paragraph" and len(kept) < 2 else None
        )
        if credit:
            draft.author = credit[1]
        if credit or (
            item.kind in ("heading", "paragraph") and any(_same(item.text, name) for name in names if name.strip())
        ):
            draft.drop("title page", item.text, item.place)
        elif item.kind in ("break", "chapter") and not kept:
            pass
        elif len(item.text) > 200 or item.kind == "heading":
            break
        else:
            kept.append(item)
        stop += 1
    return kept + items[stop:]


def _same(text: str, other: str) -> bool:
    return bool(letters(other)) and letters(text) == letters(other)
