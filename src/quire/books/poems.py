"""A collection of poems, each a work of its own: by headings, titles set as lines, or ornaments between them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from statistics import median

from quire.books.book import Block, Book, Chapter, Dropped, Place
from quire.books.headings import is_part, recognise

# Titles of cycles, whose numbers are poems and no parts of one.
_CYCLE = re.compile(
    r"\b(?:sonnets|poems|songs|odes|elegies|hymns|ballads|fables|epigrams|lyrics|rhymes|verses|quatrains|"
    r"rub[aá]iy[aá]t|po[eé]sies|po[eè]mes|chansons|rondeaux|stances|[eé]l[eé]gies|hymnes|ballades|[eé]pigrammes|"
    r"m[eé]ditations|contemplations|fleurs|amours|lieder|gedichte|sonette|elegien|sonetos|poemas|canciones|sonetti|rime|"
    r"canti)\b",
    re.IGNORECASE,
)
_CREDIT = re.compile(r"(?:by|par|von|por|di)\s+((?:[^\W\d_][\w.’'-]*\s?){1,6})\.?", re.IGNORECASE)
_SIGNED = re.compile(r"[—–-]{1,2}\s*((?:[A-ZÀ-Þ][\w.’'-]*\s?){1,5})\.?")
_LINE_END = re.compile(r"(?<![,;:.!?…—–-])[,;:.!?…—–-]+[”’»\"')\]]*$")
_SENTENCE = re.compile(r"[a-zà-ÿ][.;,:!?…][”’»\"')\]]*$")
_END = re.compile(r"\W*(?:finis|fin|the end|ende|end)\W*", re.IGNORECASE)
_LEAST_VERSE = 0.2
# Prose is set this wide, or wider.
_WIDE = 55
_LONGEST_LINE = 90
_LONGEST_TITLE = 80


def as_poems(book: Book) -> list[Book]:
    """The poems of a book that a recipe calls poems.

    Prose before and after them is dropped with its reason; the first poem carries what belongs to the whole file.
    """
    if book.kind == "poems":
        return [book]
    dropped: list[Dropped] = []
    poems: list[_Poem] = []
    for number, chapter in enumerate(_joined(book.chapters, book.author), start=1):
        blocks = _prose_found(_lines_joined(chapter.blocks))
        found = _poems(replace(chapter, blocks=tuple(blocks)), book.author)
        for poem in found:
            if poem.has_verse or (poem.blocks and chapter.matter == "body" and not _any_verse(book)):
                poems.append(poem)
            elif poem.blocks:
                dropped.append(Dropped("prose around the poems", poem.text, poem.blocks[0].place))
            elif poem.title:
                dropped.append(Dropped("title without a poem", poem.title, Place(book.path, "chapter", number)))
    works = [poem.book(book) for poem in poems]
    if not works:
        return [replace(book, kind="poems")]
    works[0] = replace(
        works[0], dropped=(*book.dropped, *dropped, *works[0].dropped), notes=book.notes, warnings=book.warnings
    )
    return works


@dataclass
class _Poem:
    """One poem: its own title as printed, what it is called among others, and its stanzas."""

    title: str | None
    name: str
    blocks: list[Block] = field(default_factory=list)

    @property
    def has_verse(self) -> bool:
        """Whether verse is more than a quotation here: an introduction has verses, too."""
        verse = sum(len(block.text) for block in self.blocks if block.kind == "verse")
        return verse > _LEAST_VERSE * sum(len(block.text) for block in self.blocks)

    @property
    def text(self) -> str:
        return "\n".join([self.title or "", *(block.text for block in self.blocks)]).strip()

    def book(self, book: Book) -> Book:
        """The poem as a work; a line that names its author is taken for that."""
        blocks, author, dropped = list(self.blocks), book.author, []
        credit = _CREDIT.fullmatch(blocks[0].text) if len(blocks) > 1 and blocks[0].kind != "verse" else None
        signed = _SIGNED.fullmatch(blocks[-1].text) if len(blocks) > 1 and blocks[-1].kind == "paragraph" else None
        for found, block in ((credit, blocks[0]), (signed, blocks[-1])):
            if found is not None:
                author = found[1].strip()
                blocks.remove(block)
                dropped.append(Dropped("author line", block.text, block.place))
        first = next((block.text.split("\n")[0] for block in blocks if block.kind != "heading"), "")
        return replace(
            book,
            title=self.name or _LINE_END.sub("", first),
            author=author,
            kind="poems",
            chapters=(Chapter(self.title, tuple(blocks)),),
            dropped=tuple(dropped),
            notes=(),
            warnings=(),
        )


def _any_verse(book: Book) -> bool:
    return any(block.kind == "verse" for chapter in book.chapters for block in chapter.blocks)


def _joined(chapters: Sequence[Chapter], author: str) -> list[Chapter]:
    """Parts without a title belong to the title before them in the same file: a poem after its epigraph.

    `FINIS` and the author's own name are no titles: they end the poem before them.
    """
    joined: list[Chapter] = []
    for chapter in chapters:
        last = joined[-1] if joined else None
        if last is not None and chapter.title is not None and chapter.blocks and _ends(chapter.title, author):
            end = Block("paragraph", chapter.title, chapter.blocks[0].place)
            joined[-1] = replace(last, blocks=(*last.blocks, end))
            joined.append(_titled(chapter))
            continue
        follows = last is not None and last.title is not None and chapter.title is None and chapter.blocks
        # What has stood so far is no more than an epigraph.
        if last is not None and follows and _file(last, chapter.blocks[0].place.inside) and _verses(last) <= 12:
            matter = "body" if "body" in (last.matter, chapter.matter) else last.matter
            joined[-1] = replace(last, blocks=last.blocks + chapter.blocks, matter=matter)
        else:
            joined.append(chapter)
    return joined


def _ends(title: str, author: str) -> bool:
    """Whether a heading is the end of what stands before it: `FINIS`, or the poet's name, in initials too."""
    if _END.fullmatch(title):
        return True
    names, signed = re.findall(r"\w+", author.casefold()), re.findall(r"\w+", title.casefold())
    if len(names) < 2 or not signed or len(signed) > len(names) or "\n" in title:
        return False
    return all(
        name.startswith(sign) if len(sign) == 1 else sign == name
        for sign, name in zip(signed, names[-len(signed) :], strict=True)
    )


def _titled(chapter: Chapter) -> Chapter:
    """What follows an end, under the title that its first line may be."""
    if len(chapter.blocks) > 1 and chapter.blocks[0].kind == "paragraph" and _is_title(chapter.blocks[0]):
        return replace(chapter, title=chapter.blocks[0].text, blocks=chapter.blocks[1:])
    return replace(chapter, title=None)


def _prose_found(blocks: Sequence[Block]) -> list[Block]:
    """Lines that were only broken where they were full are prose: a preface among poems."""
    widths = [max(map(len, lines)) for block in blocks if len(lines := block.text.split("\n")) >= 4]
    wide = [width for width in widths if width >= _WIDE]
    found = {id(block) for block in blocks if block.kind == "verse" and _is_full(block.text, 0)}
    if not found:
        return list(blocks)
    width = median(wide) - 3
    return [
        replace(block, kind="paragraph", text=" ".join(block.text.split("\n")))
        if block.kind == "verse" and (id(block) in found or _is_full(block.text, width))
        else block
        for block in blocks
    ]


def _is_full(text: str, width: float) -> bool:
    """Whether no line but the last had room for the next one's first word; `width` is that of the prose around it."""
    lines = text.split("\n")
    if len(lines) < (2 if width else 4):
        return False
    width = width or max(map(len, lines))
    return width >= _WIDE and all(len(a) + 1 + len(b.split(" ", 1)[0]) > width for a, b in pairwise(lines))


def _verses(chapter: Chapter) -> int:
    return sum(block.text.count("\n") + 1 for block in chapter.blocks if block.kind == "verse")


def _file(chapter: Chapter, inside: str) -> bool:
    return not chapter.blocks or chapter.blocks[-1].place.inside == inside


def _lines_joined(blocks: Sequence[Block]) -> list[Block]:
    """Lines that are paragraphs of their own, as word processors have them: stanzas of those that follow each other."""
    short = [block for block in blocks if block.kind == "paragraph" and "\n" not in block.text]
    if len(short) < 4 or len(short) < 0.8 * len(blocks) or median(len(block.text) for block in short) > 60:
        return list(blocks)
    joined: list[Block] = []
    last = -2
    for block in blocks:
        follows = joined and joined[-1].kind == "verse" and block.place.number == last + 1
        line = block.kind == "paragraph" and len(block.text) <= _LONGEST_LINE
        last = block.place.number
        if line and follows and not _is_title(block):
            joined[-1] = replace(joined[-1], text=f"{joined[-1].text}\n{block.text}")
        elif line and not _is_title(block):
            joined.append(replace(block, kind="verse"))
        else:
            joined.append(block)
    return joined


def _poems(chapter: Chapter, author: str) -> list[_Poem]:
    """The poems of a chapter: one under its title, or those under the titles inside it."""
    blocks = _titles_found(_headed(chapter), chapter.title is None or is_part(chapter.title), author)
    inner = [index for index, block in enumerate(blocks) if block.kind == "heading"]
    numbered = [index for index in inner if _is_number(blocks[index].text)]
    parts = len(numbered) == len(inner) and not _is_cycle(chapter.title, blocks, numbered)
    if not inner or (parts and chapter.title):
        if not inner and chapter.title is None:
            return _by_breaks(blocks)
        return _sonnets(chapter.title, blocks) or [_Poem(chapter.title, _flat(chapter.title), list(blocks))]
    opening = list(blocks[: inner[0]])
    poems = [_Poem(chapter.title, _flat(chapter.title or ""), opening)] if opening else []
    titled = [index for index in inner if index not in numbered]
    cycles = {
        index: _is_cycle(blocks[start].text, blocks[start + 1 : end], [at - start - 1 for at in within])
        for start, end in pairwise([*titled, len(blocks)])
        if (within := [index for index in numbered if start < index < end])
        for index in within
    }
    above = chapter.title
    for index, stop in zip(inner, [*inner[1:], len(blocks)], strict=True):
        title = blocks[index].text
        if index in titled:
            above = title
        elif index in cycles and not cycles[index] and poems:
            # A number under a poem's title is a part of it.
            poems[-1].blocks += blocks[index:stop]
            continue
        name = f"{_flat(above)} {_flat(title)}" if index in numbered and above else _flat(title)
        poems.append(_Poem(title, name, list(blocks[index + 1 : stop])))
    return poems


def _sonnets(title: str | None, blocks: Sequence[Block]) -> list[_Poem]:
    """Stanzas of fourteen lines each, one after the other, are sonnets."""
    fourteen = sum(block.kind == "verse" and block.text.count("\n") == 13 for block in blocks)
    if fourteen < 4 or fourteen < 0.8 * len(blocks):
        return []
    return [_Poem(None if number else title, "", [block]) for number, block in enumerate(blocks)]


def _is_cycle(title: str | None, blocks: Sequence[Block], numbered: Sequence[int]) -> bool:
    """Whether numbers count poems: the title says so, there is none, or each has a sonnet's fourteen lines."""
    if not numbered or title is None or _CYCLE.search(title):
        return bool(numbered)
    stops = [*numbered[1:], len(blocks)]
    lines = [
        sum(block.text.count("\n") + 1 for block in blocks[start + 1 : stop])
        for start, stop in zip(numbered, stops, strict=True)
    ]
    return len(lines) >= 3 and median(lines) == 14


def _headed(chapter: Chapter) -> tuple[Block, ...]:
    """The blocks of a chapter; a title and `by` somebody that stand on two lines over a poem are two blocks."""
    if chapter.title is not None or len(chapter.blocks) < 2:
        return chapter.blocks
    first = chapter.blocks[0]
    lines = first.text.split("\n")
    if len(lines) != 2 or _CREDIT.fullmatch(lines[1]) is None:
        return chapter.blocks
    title, credit = (replace(first, kind="paragraph", text=line) for line in lines)
    return (replace(title, kind="heading"), credit, *chapter.blocks[1:])


def _titles_found(blocks: Sequence[Block], in_part: bool, author: str) -> list[Block]:
    """Titles that are set as lines of their own become headings, where there are several, in capitals, after the end of
    a poem, first of all or under the name of a part; ends are no headings."""
    ends = [block.kind in ("heading", "paragraph") and _ends(block.text, author) for block in blocks]
    found = []
    for index, block in enumerate(blocks):
        following = blocks[index + 1 : index + 4]
        leads = any(other.kind == "verse" for other in following) and following[0].kind != "heading"
        after = index == 0 or ends[index - 1] or blocks[index - 1].kind in ("verse", "break", "heading")
        if block.kind == "paragraph" and leads and after and not ends[index] and _is_title(block):
            found.append(index)
    if len(found) == 1:
        (only,) = found
        sure = blocks[only].text.isupper() or (only == 0 and in_part) or (only > 0 and ends[only - 1])
        found = found if sure else []
    told = []
    for index, block in enumerate(blocks):
        if ends[index] and index:
            block = replace(block, kind="paragraph")
        elif index in found:
            block = replace(block, kind="heading")
        told.append(block)
    return told


def _is_title(block: Block) -> bool:
    """A short line without the stop of a sentence, in capitals or with capitals, or a number."""
    text = block.text.strip()
    if "\n" in text or len(text) > _LONGEST_TITLE or _CREDIT.fullmatch(text) or not text[:1].isalnum():
        return False
    if _is_number(text) or text.isupper():
        return True
    words = re.findall(r"[^\W\d_]+", text)
    words = [word for word in words if len(word) > 3] or words
    return bool(words) and all(word[0].isupper() for word in words) and not _SENTENCE.search(text)


def _is_number(text: str) -> bool:
    heading = recognise(text)
    return heading is not None and heading.kind in ("bare", "part", "chapter") and not heading.titled


def _by_breaks(blocks: Sequence[Block]) -> list[_Poem]:
    """Poems without titles, between ornaments."""
    poems = [_Poem(None, "")]
    for block in blocks:
        if block.kind == "break":
            poems.append(_Poem(None, ""))
        else:
            poems[-1].blocks.append(block)
    return [poem for poem in poems if poem.blocks]


def _flat(text: str | None) -> str:
    return " ".join((text or "").split())
