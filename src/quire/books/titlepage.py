"""What stands before the text: the title page, and lists of chapters or illustrations."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from quire.books.headings import is_contents_label, is_numbered, recognise

if TYPE_CHECKING:
    from quire.books.draft import Draft, Item

# The author's name under the title.
_CREDIT = re.compile(r"(?:by|par|von|por|di|door)[:\s]\s*((?:[^\W\d_][\w.’'-]*\s?){1,6})", re.IGNORECASE)
_LONGEST_LABEL = 60
_LONGEST_CONTENTS = 40
_HEAD = 12


def drop_contents(draft: Draft, items: list[Item]) -> list[Item]:
    """A heading `Contents` goes, with the lines under it that name chapters, up to the first that does not."""
    labels = [
        index
        for index, item in enumerate(items)
        if len(item.text) <= _LONGEST_CONTENTS
        and item.kind in ("heading", "paragraph")
        and is_contents_label(" ".join(item.text.split()))
    ]
    kept: list[Item] = []
    done = 0
    for index in labels:
        if index < done:
            continue
        stop = _end_of_contents(items, index + 1)
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
        if any(len(line) > 110 for line in lines) or (index - start > 400):
            return index
        if len(lines) == 1 and re.search(r"[a-zà-ÿ][.!?…][”’»\"']?$", item.text) and not recognise(item.text):
            return index
        seen |= {"".join(char for char in line.lower() if char.isalnum()) for line in lines}
        index += 1
    # Nothing but short lines to the end of the book: that was no list of contents.
    return start


def drop_title_page(draft: Draft, items: list[Item]) -> list[Item]:
    """The work's own title and author at its head, which are known from its metadata or are its only top heading."""
    items = _drop_names(draft, _drop_front(draft, items))
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
    front = items[:first]
    if not first or draft.kind == "plays" or any(len(item.text) > 200 for item in front) or not draft.title:
        return items
    names = [letters(name) for name in (draft.title, draft.author) if len(letters(name)) >= 4]
    parts = [letters(item.text) for item in front]
    if not any(name in part or (len(part) >= 4 and part in name) for part in parts for name in names):
        return items
    kept = []
    for item in front:
        if not draft.author and (credit := _CREDIT.fullmatch(item.text)):
            draft.author = credit[1]
        said = item.kind == "verse" or (len(item.text) > 40 and re.search(r"[a-zà-ÿ][.!?…][”’»\"')]*$", item.text))
        if said:
            kept.append(item)
        else:
            draft.drop("title page", item.text, item.place)
    return kept + items[first:]


def _drop_names(draft: Draft, items: list[Item]) -> list[Item]:
    """Headings that only name the work or its author: at its head, and a half-title right above another heading."""
    title, author = letters(draft.title), letters(draft.author)
    kept: list[Item] = []
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
            if (half or named or credit) and not is_numbered(item.text) and following is not None:
                draft.drop("title page", item.text, item.place)
                continue
            at_head = at_head and not is_numbered(item.text) and index < _HEAD
        elif item.kind != "chapter" and (len(item.text) > _LONGEST_LABEL or index >= _HEAD):
            at_head = False
        kept.append(item)
    return kept


def letters(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalnum())


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
