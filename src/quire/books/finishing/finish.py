"""From a reader's draft to a book: cleaned, boilerplate off, chapters gathered, matter kept or left out."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from quire.books.book import Block, Book, Chapter
from quire.books.cleaning import Cleaner, repair_mojibake, say_repaired, uncommon
from quire.books.draft import LONGEST_BREAK, LONGEST_LABEL, SCENE_BREAK, Draft, Item, is_scene_break
from quire.books.finishing import gutenberg, matter
from quire.books.finishing.chapters import gather_chapters
from quire.books.finishing.titlepage import drop_contents, drop_title_page
from quire.books.headings import in_order, is_numbered, is_title_line, recognise
from quire.books.language import detect_language, language_code
from quire.books.limits import PLAIN, ReadOptions
from quire.books.plays import form as plays_form
from quire.books.plays import labels as plays_labels
from quire.books.plays import parts as plays
from quire.books.pulse import beat
from quire.errors import BookError

_LONGEST_NOTES_LABEL = 40
_SAMPLE = 300
_NOTES_LABEL = re.compile(
    r"(?:foot-?|end-?)?notes?\s*[.:]?|notes? de bas de page\s*[.:]?|notes (?:et références|and references)|références|"
    r"references|anmerkungen|fu(?:ß|ss)noten|notas|note a piè di pagina",
    re.IGNORECASE,
)


def finish(draft: Draft, options: ReadOptions = PLAIN, empty: str = "") -> Book:
    """Clean the items, take the boilerplate off, gather chapters, and leave out what `options.matter` does not keep.

    Raises BookError when no text is left; `empty` may say why that is.
    """
    cleaner = Cleaner()
    items = _clean(draft, cleaner)
    beat()
    # Imprints and colophons name Gutenberg too: without them most books need no search for its marks.
    items = matter.cut_marked(draft, items, options.matter)
    items = gutenberg.trim_items(draft, items)
    beat()
    items = _without_front(draft, items, options)
    beat()
    if options.format is not None or draft.kind == "plays" or _may_be_play(items):
        items = plays_form.recognise(draft, items, options.format)
    notes = [item for item in items if item.kind == "note"]
    body = [item for item in items if item.kind != "note"]
    opened = gather_chapters(draft, plays.arrange(body) if draft.kind == "plays" else body)
    chapters = matter.settle(draft, opened, options.matter)
    if not any(block.text for chapter in chapters for block in chapter.blocks):
        raise BookError(
            empty or f"{draft.path} holds no text",
            then="check that it is the file you meant: a book has paragraphs or verse",
            code="not-a-book",
        )
    return Book(
        path=draft.path,
        title=cleaner.clean(draft.title),
        author=cleaner.clean(draft.author),
        language=language_code(draft.language) or detect_language(_sample(chapters)),
        kind=draft.kind,
        chapters=chapters,
        dropped=tuple(draft.dropped),
        notes=tuple(Block("paragraph", note.text, note.place) for note in notes),
        warnings=tuple(draft.warnings + cleaner.warnings()),
        columns=draft.columns,
    )


def _sample(chapters: Sequence[Chapter]) -> str:
    """Enough of a book to tell its language by."""
    return "\n".join(block.text for chapter in chapters for block in chapter.blocks[:40])


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
    if len(levels) == len(items):
        # Lines that only count, with nothing between them, are text.
        return list(items)
    return [
        replace(item, kind="heading", level=levels[index]) if index in levels else item
        for index, item in enumerate(items)
    ]


def _is_short_title(items: Sequence[Item], index: int) -> bool:
    """A line in capitals, or a short one without a stop, right under a chapter's number."""
    item = items[index]
    return item.kind == "paragraph" and is_title_line(item.text) and (item.text.isupper() or len(item.text) <= 60)


def _without_front(draft: Draft, items: list[Item], options: ReadOptions) -> list[Item]:
    """The items without lists of contents, labels over notes and the title page, and with headings known by their
    words.

    Title and author are learnt from the title page even where it is kept.
    """
    before = len(draft.dropped)
    whole = items
    items = drop_contents(draft, items)
    if options.matter == "all":
        items = whole
        del draft.dropped[before:]
    items = _drop_note_labels(draft, items)
    if draft.kind == "prose" and _hardly_marked(items):
        items = _find_headings(items)
    notes = [item for item in items if item.kind == "note"]
    whole, before = items, len(draft.dropped)
    items = drop_title_page(draft, [item for item in items if item.kind != "note"])
    if options.matter == "all":
        del draft.dropped[before:]
        return whole
    return items + notes


def _may_be_play(items: Sequence[Item]) -> bool:
    """Whether a look at every so many items finds speeches marked as such, or the same few names at their heads."""
    if len(items) <= _SAMPLE or any(item.kind == "speech" for item in items):
        return True
    sample = [item.text for item in items[:: -(-len(items) // _SAMPLE)] if item.kind != "chapter"]
    names = Counter(plays_labels.key(label.name) for text in sample for label in plays_labels.labels(text[:200]))
    return sum(count for count in names.values() if count >= 3) >= 0.1 * len(sample)


def _hardly_marked(items: Sequence[Item]) -> bool:
    """Whether chapters are not marked as such: next to no headings, or only the title page's."""
    headings = [item for item in items if item.kind == "heading"]
    if sum(is_numbered(item.text) for item in headings) > 1:
        return False
    if len(headings) <= 2:
        return True
    short = (item.text for item in items if item.kind == "paragraph" and len(item.text) <= LONGEST_LABEL)
    said = [heading.kind for text in short if (heading := recognise(text))]
    return said.count("chapter") >= max(3, len(headings))


def _clean(draft: Draft, cleaner: Cleaner) -> list[Item]:
    """Every item's text cleaned; mojibake is judged over the whole book at once."""
    # The seam is in no text: another control character, which goes as well, takes its place there.
    texts = [item.text for item in draft.items]
    joined = "\x00".join(texts)
    if joined.count("\x00") >= len(texts) > 0:
        texts = [text.replace("\x00", "\x01") for text in texts]
        joined = "\x00".join(texts)
    odd: str | None = uncommon(joined)
    joined, repaired = repair_mojibake(joined, odd)
    if repaired:
        texts, odd = joined.split("\x00"), None
        draft.warnings.append(say_repaired(repaired))
    items = []
    for item, text in zip(draft.items, cleaner.clean_all(texts, odd), strict=True):
        kind = item.kind
        if text is item.text and len(text) > LONGEST_BREAK and kind != "break":
            items.append(item)
            continue
        if kind == "paragraph" and len(text) <= LONGEST_BREAK and is_scene_break(text):
            kind = "break"
        if kind == "break":
            text = SCENE_BREAK
        # Most texts come back as the same object.
        if kind is not item.kind or text is not item.text:
            speaker = item.speaker and Cleaner().clean(item.speaker)  # it stands in the text, where it is counted
            item = Item(kind, text, item.place, item.level, speaker, item.matter, item.role)
        if text or kind == "chapter":
            items.append(item)
    return items


def _drop_note_labels(draft: Draft, items: list[Item]) -> list[Item]:
    """`Footnotes:` above nothing but notes."""
    labels = [
        index
        for index, item in enumerate(items)
        if len(item.text) <= _LONGEST_NOTES_LABEL
        and item.text[:1] in "fFeEnNrRaA"
        and item.kind in ("heading", "paragraph")
        and _NOTES_LABEL.fullmatch(" ".join(item.text.split()))
    ]
    if not labels:
        return items
    last = len(items) - 1
    noted = any(item.kind == "note" for item in items)
    gone = {
        index
        for index in labels
        if index == last or (noted and items[index + 1].kind in ("note", "heading", "chapter"))
    }
    for index in sorted(gone):
        draft.drop("label of notes", items[index].text, items[index].place)
    return [item for index, item in enumerate(items) if index not in gone]
