"""What every reader fills and what becomes a book: items in reading order, then chapters."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from quire.books import gutenberg, plays
from quire.books.book import Block, Book, BookKind, Chapter, Dropped, Matter, Place
from quire.books.cleaning import Cleaner, repair_mojibake
from quire.books.headings import in_order, is_contents_label, is_numbered, is_part, is_title_line, recognise
from quire.books.language import detect_language, language_code
from quire.books.limits import PLAIN, ReadOptions
from quire.errors import BookError

ItemKind = Literal["heading", "paragraph", "verse", "break", "speech", "direction", "chapter", "note"]

# `* * *`, `#`, `⁂`, `---`, `. . .`, `• • •`
_SCENE_BREAK = re.compile(r"(?:[*#•·⁂❦❧☙~=_—–-]|\. \.)(?:\s*[*#•·⁂❦❧☙~=_.—–-])*|\*{1,}")
SCENE_BREAK = "* * *"
# The author's name under the title.
_CREDIT = re.compile(r"(?:by|par|von|por|di|door)[:\s]\s*((?:[^\W\d_][\w.’'-]*\s?){1,6})", re.IGNORECASE)
_NOTES_LABEL = re.compile(
    r"(?:foot-?|end-?)?notes?\s*[.:]?|notes? de bas de page\s*[.:]?|notes (?:et références|and references)|références|"
    r"references|anmerkungen|fu(?:ß|ss)noten|notas|note a piè di pagina",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing in reading order.  `level` ranks headings, 1 the highest; a `chapter` opens one without a heading.

    `speaker` is for speeches, as in `Block`; `matter` is for what opens a chapter, where the source says it.
    """

    kind: ItemKind
    text: str
    place: Place
    level: int = 0
    speaker: str = ""
    matter: Matter | None = None


@dataclass
class Draft:
    """A book while it is being read."""

    path: str
    items: list[Item] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    title: str = ""
    author: str = ""
    language: str = ""
    kind: BookKind = "prose"
    columns: tuple[tuple[str, str], ...] = ()

    def add(
        self,
        kind: ItemKind,
        text: str,
        place: Place,
        level: int = 0,
        speaker: str = "",
        matter: Matter | None = None,
    ) -> None:
        """One more item; text without a visible character is no item."""
        if text.strip() or kind == "chapter":
            self.items.append(Item(kind, text, place, level, speaker, matter))

    def drop(self, reason: str, text: str, place: Place) -> None:
        if text.strip():
            self.dropped.append(Dropped(reason, text, place))


def _find_headings(items: Sequence[Item]) -> list[Item]:
    """Headings by their words alone, where the source marks none: numbered, named, or bare numbers that count up."""
    said = {
        index: heading
        for index, item in enumerate(items)
        if item.kind in ("paragraph", "heading") and (heading := recognise(item.text)) and index + 1 < len(items)
    }
    bare = [index for index, heading in said.items() if heading.kind == "bare"]
    ordered = in_order([said[index].number for index in bare])
    out_of_order = {index for index, good in zip(bare, ordered, strict=True) if not good}
    found = {index: heading for index, heading in said.items() if index not in out_of_order}
    if sum(heading.kind != "named" for heading in found.values()) < 2:
        return list(items)
    levels = {index: 1 if heading.kind == "part" else 2 for index, heading in found.items()}
    for index, heading in found.items():
        following = index + 1
        untitled = heading.kind in ("bare", "chapter") and not heading.titled
        if untitled and following not in found and _is_short_title(items, following):
            levels[following] = 2
    return [
        replace(item, kind="heading", level=levels[index]) if index in levels else item
        for index, item in enumerate(items)
    ]


def _is_short_title(items: Sequence[Item], index: int) -> bool:
    """A line in capitals, or a short one without a stop, right under a chapter's number."""
    item = items[index]
    return item.kind == "paragraph" and is_title_line(item.text) and (item.text.isupper() or len(item.text) <= 60)


def is_scene_break(text: str) -> bool:
    """Whether a line is only an ornament between scenes."""
    line = text.strip()
    return bool(line) and len(line) <= 40 and bool(_SCENE_BREAK.fullmatch(line))


def finish(draft: Draft, options: ReadOptions = PLAIN, empty: str = "") -> Book:  # noqa: ARG001 (matter is next)
    """Clean the items, take the boilerplate off, gather chapters.

    Raises BookError when no text is left; `empty` may say why that is.
    """
    cleaner = Cleaner()
    items = _clean(draft, cleaner)
    items = gutenberg.trim_items(draft, items)
    items = _drop_contents(draft, items)
    items = _drop_note_labels(draft, items)
    headings = [item for item in items if item.kind == "heading"]
    if draft.kind == "prose" and len(headings) <= 2 and sum(is_numbered(item.text) for item in headings) <= 1:
        items = _find_headings(items)
    notes = [item for item in items if item.kind == "note"]
    body = _drop_title_page(draft, [item for item in items if item.kind != "note"])
    chapters = gather_chapters(plays.arrange(body) if draft.kind == "plays" else body)
    if not any(block.text for chapter in chapters for block in chapter.blocks):
        raise BookError(
            empty or f"{draft.path} holds no text",
            then="check that it is the file you meant: a book has paragraphs or verse",
        )
    sample = "\n".join(block.text for chapter in chapters for block in chapter.blocks[:40])
    return Book(
        path=draft.path,
        title=cleaner.clean(draft.title),
        author=cleaner.clean(draft.author),
        language=language_code(draft.language) or detect_language(sample),
        kind=draft.kind,
        chapters=chapters,
        dropped=tuple(draft.dropped),
        notes=tuple(Block("paragraph", note.text, note.place) for note in notes),
        warnings=tuple(draft.warnings + cleaner.warnings()),
        columns=draft.columns,
    )


def _clean(draft: Draft, cleaner: Cleaner) -> list[Item]:
    """Every item's text cleaned; mojibake is judged over the whole book at once."""
    texts = [item.text for item in draft.items]
    joined, repaired = repair_mojibake("\x00".join(texts))
    if repaired:
        texts = joined.split("\x00")
        draft.warnings.append(f"{repaired} characters repaired: UTF-8 had been read as Windows-1252")
    items = []
    for item, raw in zip(draft.items, texts, strict=True):
        text = cleaner.clean(raw)
        kind = item.kind
        if kind == "paragraph" and is_scene_break(text):
            kind = "break"
        if kind == "break":
            text = SCENE_BREAK
        if text or kind == "chapter":
            items.append(replace(item, kind=kind, text=text))
    return items


def _drop_contents(draft: Draft, items: list[Item]) -> list[Item]:
    """A heading `Contents` goes, with the lines under it that name chapters, up to the first that does not."""
    kept: list[Item] = []
    index = 0
    while index < len(items):
        item = items[index]
        line = " ".join(item.text.split())
        if item.kind in ("heading", "paragraph") and is_contents_label(line):
            stop = _end_of_contents(items, index + 1)
            if stop > index + 1 or item.kind == "heading":
                reason = "list of illustrations" if "illustration" in line.lower() else "contents"
                for gone in items[index:stop]:
                    draft.drop(reason, gone.text, gone.place)
                index = stop
                continue
        kept.append(item)
        index += 1
    return kept


def _drop_note_labels(draft: Draft, items: list[Item]) -> list[Item]:
    """`Footnotes:` above nothing but notes."""
    kept: list[Item] = []
    for index, item in enumerate(items):
        following = items[index + 1] if index + 1 < len(items) else None
        bare = item.kind in ("heading", "paragraph") and _NOTES_LABEL.fullmatch(" ".join(item.text.split()))
        over = following is None or following.kind in ("note", "heading", "chapter")
        if bare and over and (following is None or any(other.kind == "note" for other in items)):
            draft.drop("label of notes", item.text, item.place)
        else:
            kept.append(item)
    return kept


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


def _drop_title_page(draft: Draft, items: list[Item]) -> list[Item]:
    """The work's own title and author at its head, which are known from its metadata or are its only top heading."""
    items = _drop_front(draft, items)
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
    if not first or any(len(item.text) > 200 for item in front) or not draft.title:
        return items
    names = [_letters(name) for name in (draft.title, draft.author) if len(_letters(name)) >= 4]
    parts = [_letters(item.text) for item in front]
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


def _letters(text: str) -> str:
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
    return bool(_letters(other)) and _letters(text) == _letters(other)


def gather_chapters(items: Iterable[Item]) -> tuple[Chapter, ...]:
    """Chapters out of items: which headings open one, which stand inside one, which two are one heading."""
    merged = _join_headings(list(items))
    deepest = _chapter_level(merged)
    chapters: list[Chapter] = []
    title: str | None = None
    blocks: list[Block] = []
    for item in merged:
        assert item.kind != "note"
        if item.kind != "chapter" and not (item.kind == "heading" and item.level <= deepest):
            blocks.append(Block(item.kind, item.text, item.place, item.speaker))
            continue
        if blocks or title is not None:
            chapters.append(_chapter(title, blocks))
        title, blocks = (item.text or None), []
    if blocks or title is not None:
        chapters.append(_chapter(title, blocks))
    return tuple(chapter for chapter in chapters if chapter.text)


def _chapter(title: str | None, blocks: list[Block]) -> Chapter:
    """Scene breaks part two scenes: one at either end of a chapter, or after another, parts nothing."""
    kept: list[Block] = []
    for block in blocks:
        if block.kind != "break" or (kept and kept[-1].kind != "break"):
            kept.append(block)
    if kept and kept[-1].kind == "break":
        kept.pop()
    return Chapter(title, tuple(kept))


def _join_headings(items: list[Item]) -> list[Item]:
    """`Chapter I` and `The Storm` right after it are one heading; a part and its first chapter are two."""
    joined: list[Item] = []
    for item in items:
        last = joined[-1] if joined else None
        if item.kind == "heading" and last is not None and last.kind == "heading":
            repeats = item.text.lower() == last.text.lower()
            number_first = is_numbered(last.text) and not is_numbered(item.text) and not repeats
            if number_first and item.level >= last.level and "\n" not in last.text and len(item.text) <= 160:
                joined[-1] = replace(last, text=f"{last.text}\n{item.text}")
                continue
            if repeats:
                continue
        if last is not None and last.kind == "chapter" and item.kind in ("heading", "chapter"):
            joined.pop()
        joined.append(item)
    return joined


def _chapter_level(items: Sequence[Item]) -> int:
    """The lowest rank of heading that opens chapters.

    The highest rank does.  The rank below does too where nearly every heading of the higher one is followed at once by
    one of the lower: parts hold chapters, but a section inside a chapter has text before it.
    """
    headings = [(index, item) for index, item in enumerate(items) if item.kind == "heading"]
    levels = sorted({item.level for _, item in headings})
    if not levels:
        return 0
    deepest = levels[0]
    for upper, lower in zip(levels, levels[1:], strict=False):
        owners = [index for index, item in headings if item.level == upper]
        followed = [index for index in owners if index + 1 < len(items) and items[index + 1].kind == "heading"]
        parts = [index for index in owners if is_part(items[index].text)]
        lowers = [item for _, item in headings if item.level == lower]
        numbered = sum(is_numbered(item.text) for item in lowers)
        holds = len(followed) >= 0.5 * len(owners) or len(parts) >= 0.5 * len(owners)
        single = len(owners) <= 2 and len(lowers) >= 3 and numbered >= 0.5 * len(lowers)
        if not (holds or single):
            break
        deepest = lower
    return deepest
