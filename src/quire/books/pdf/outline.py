"""What a PDF says about itself: title and author, and the bookmarks that name its chapters."""

from __future__ import annotations

import ctypes
import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pypdfium2
import pypdfium2.raw as pdfium

from quire.books.headings import recognise
from quire.books.pdf.found import Found
from quire.books.pdf.lines import MARK_CLOSE, MARK_OPEN

MOST_BOOKMARKS = 5000
MOST_DEPTH = 6
# No title is as long, in characters: of a block no more is compared.
MOST_TITLE = 500
# Titles that programs leave behind: names of files and of programs, what a form says before it is filled in.
_PLACEHOLDER = re.compile(
    r"(?:microsoft (?:word|powerpoint|publisher)\s*-.*|untitled.*|sans (?:nom|titre).*|unbenannt.*|"
    r"(?:document|doc|dokument|layout|book|title|titre|draft|scan|output|main|print|test|file|new|slide|page|livre)"
    r"[\s_-]*\d*|scanned (?:document|image)s?|(?:powerpoint )?presentation|\(?anonymous\)?|\(?unspecified\)?|none|null|"
    r"about:blank|https?:.*|file:.*|[a-z]:\\.*|.*\.(?:docx?|indd|tex|dvi|qxd|qxp|pdf|rtf|odt|ps|pages|fm|p65|html?|txt|md)"
    r"|[\W\d_]*|[0-9a-f-]{16,}|.*[/\\].*[/\\].*)",
    re.IGNORECASE,
)
_NOBODY = re.compile(
    r"(?:unknown|anonymous|anonyme|author|auteur|autor|user|admin|administrator|owner|root|guest|default|home|pc|me|"
    r"acrobat.*|adobe.*|microsoft.*|windows.*|calibre.*|typst.*|latex.*|writer|none|null|.*@.*|https?:.*|www\..*|"
    r".*[/\\].*|[\W\d_]*)",
    re.IGNORECASE,
)
_GUTENBERG_TITLE = re.compile(r"^the project gutenberg e-?book\s*(?:#\s*\d+)?\s*(?:of)?\s*:?\s*", re.IGNORECASE)
_BY = re.compile(
    r"(?:(?:written|a novel|a play|poems|stories|tales|roman)\s+)?(?:by|par|von|por|di|de|door)", re.IGNORECASE
)
_CREDIT = re.compile(rf"{_BY.pattern}[:\s]\s*(\S.*)", re.IGNORECASE)
_NAME_WORD = re.compile(r"[^\W\d_][\w.’'-]*")
_NOT_A_NAME = re.compile(
    r"\b(?:press|books?|publi\w*|editions?|éditions?|verlag|house|company|co|inc|ltd|library|university|london|paris|"
    r"new york|novel|roman|stories|tales|poems|volume|tome|part|chapter|illustrat\w*|translat\w*|traduit\w*|copyright|"
    r"rights|printed|imprim\w*|project|gutenberg|series|collection|the|and|of|les|und)\b|\ba\s",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Bookmark:
    """An entry of the outline: its page counts from 0, its depth from 1."""

    title: str
    page: int
    depth: int


def read_title(document: pypdfium2.PdfDocument, name: str) -> tuple[str, str]:
    """Title and author as the file says them, each empty where it is what a program put there; `name` is the file's
    own name, which is no title."""
    facts = document.get_metadata_dict(skip_empty=True)
    title = _GUTENBERG_TITLE.sub("", _one_line(facts.get("Title", "")))
    author = _one_line(facts.get("Author", ""))
    if _PLACEHOLDER.fullmatch(title) or len(title) > 300 or _is_file_name(title, name):
        title = ""
    if _NOBODY.fullmatch(author) or len(author) > 200 or author == title:
        author = ""
    return title.rstrip("."), author


def _one_line(text: str) -> str:
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())


def _is_file_name(title: str, name: str) -> bool:
    return title.lower() == name.lower() and " " not in title and (title.islower() or "_" in title or "-" in title)


def find_author(lines: Sequence[str], title: str) -> str:
    """The author that a title page names: after `by`, or else the only line on it that looks like a name."""
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        text = _one_line(line)
        if _BY.fullmatch(text) and is_name(following):
            return _in_case(_one_line(following))
        if (credit := _CREDIT.fullmatch(text)) and is_name(credit[1]):
            return _in_case(credit[1])
    names = [_one_line(line) for line in lines if is_name(line) and _letters(line) not in _letters(title)]
    return _in_case(names[0]) if len(names) == 1 else ""


def is_name(line: str) -> bool:
    """Whether a line could be a person's name: two to five words, each with a capital, nothing of a publisher."""
    text = _one_line(line).rstrip(".,")
    words = text.split()
    small = {"de", "du", "von", "van", "der", "den", "la", "le", "di", "da", "y", "und", "ter"}
    return (
        2 <= len(words) <= 5
        and len(text) <= 60
        and all(_NAME_WORD.fullmatch(word) for word in words)
        and not _NOT_A_NAME.search(text)
        and not recognise(text)
        and all(word[0].isupper() or word in small or word[:2] in ("d’", "d'") for word in words)
    )


def _in_case(name: str) -> str:
    """A name set in capitals as it is written elsewhere."""
    name = name.rstrip(".,") if not re.search(r"\b[A-Z]\.$", name) else name
    if not name.isupper():
        return name
    return re.sub(
        r"[^\W\d_]{2,}", lambda word: word[0] if re.fullmatch("[IVX]+", word[0]) else word[0].capitalize(), name
    )


def read_bookmarks(document: pypdfium2.PdfDocument) -> list[Bookmark]:
    """The outline in order; empty where it is no list of chapters but of pages."""
    found = list(_walk(document.raw, None, 1, [0]))
    bookmarks = [bookmark for bookmark in found if bookmark.title and bookmark.page >= 0]
    numbered = sum(bool(re.fullmatch(r"(?:page|seite|s\.|p\.)?\s*\d+", entry.title, re.I)) for entry in bookmarks)
    pages = len({entry.page for entry in bookmarks})
    of_pages = pages >= 10 and pages >= 0.7 * len(document)
    return [] if of_pages or (numbered >= 3 and numbered > 0.5 * pages and pages > 0.3 * len(document)) else bookmarks


def _walk(document: Any, parent: Any, depth: int, count: list[int]) -> Iterator[Bookmark]:
    """An outline may name itself as its own child: it is followed so far and so deep, no more."""
    child = pdfium.FPDFBookmark_GetFirstChild(document, parent)
    while child and count[0] < MOST_BOOKMARKS:
        count[0] += 1
        size = min(2 * MOST_TITLE, pdfium.FPDFBookmark_GetTitle(child, None, 0))
        buffer = ctypes.create_string_buffer(size + 2)
        pdfium.FPDFBookmark_GetTitle(child, buffer, size)
        title = _one_line(buffer.raw[: max(0, size - 2)].decode("utf-16-le", "replace"))
        target = pdfium.FPDFBookmark_GetDest(document, child)
        if not target and (action := pdfium.FPDFBookmark_GetAction(child)):
            target = pdfium.FPDFAction_GetDest(document, action)
        yield Bookmark(title, pdfium.FPDFDest_GetDestPageIndex(document, target) if target else -1, depth)
        if depth < MOST_DEPTH:
            yield from _walk(document, child, depth + 1, count)
        child = pdfium.FPDFBookmark_GetNextSibling(document, child)


def apply_bookmarks(found: Sequence[Found], bookmarks: Sequence[Bookmark]) -> list[Found]:
    """Blocks with the headings that the outline names: what stands on the page of a bookmark in the same words is a
    heading, however it is set, and large lines that neither the outline nor their words call a heading stand below
    those that it does.

    An outline that hardly agrees with the text proves nothing and changes nothing.
    """
    blocks = list(found)
    letters = [_letters(block.text[:MOST_TITLE]) for block in blocks] if bookmarks else []
    named: dict[int, int] = {}
    owners: set[int] = set()
    position = 0
    for number, bookmark in enumerate(bookmarks):
        hit = _find(blocks, letters, bookmark, position)
        if hit is None:
            continue
        index, length, rest = hit
        if rest:
            block = blocks[index]
            head = replace(block, kind="heading", text=block.text[: len(block.text) - len(rest)].strip())
            blocks[index : index + 1] = [head, replace(block, text=rest)]
            letters[index : index + 1] = [_letters(head.text), _letters(rest[:MOST_TITLE])]
            length = 1
        owners.add(number)
        named |= dict.fromkeys(range(index, index + length), number)
        position = index + length
    if len(owners) < max(2, 0.5 * len(bookmarks)):
        return list(found)
    depths = _depths(bookmarks, frozenset(owners))
    # A bookmark may shorten a title or count it otherwise: the heading on its page is meant all the same.  Where
    # several point to a page, the last is the deepest.
    for page, number in {bookmark.page: number for number, bookmark in enumerate(bookmarks)}.items():
        if number not in owners and (first := _heading_on(blocks, page, named)) is not None:
            named[first] = number
    levels = {index: depths[number] for index, number in named.items()}
    _spread(blocks, levels)
    usual = Counter(levels.values()).most_common(1)[0][0]
    deepest = max(levels.values())
    ranked: list[Found] = []
    for index, block in enumerate(blocks):
        if index in levels:
            ranked.append(replace(block, kind="heading", level=levels[index]))
        elif block.kind == "heading":
            ranked.append(replace(block, level=usual if recognise(_plain(block.text)) else deepest + 1))
        else:
            ranked.append(block)
    return ranked


def _heading_on(blocks: Sequence[Found], page: int, named: Mapping[int, int]) -> int | None:
    """The first heading on a page, if none there has a bookmark."""
    there = [index for index, block in enumerate(blocks) if block.page == page and block.kind == "heading"]
    return there[0] if there and not any(index in named for index in there) else None


def _depths(bookmarks: Sequence[Bookmark], owners: frozenset[int]) -> list[int]:
    """How deep each bookmark stands among those that the text has: folders of the outline alone do not count."""
    depths: list[int] = []
    above: list[tuple[int, bool]] = []
    for number, bookmark in enumerate(bookmarks):
        while above and above[-1][0] >= bookmark.depth:
            above.pop()
        depths.append(1 + sum(there for _, there in above))
        above.append((bookmark.depth, number in owners))
    return depths


def _spread(blocks: Sequence[Found], levels: dict[int, int]) -> None:
    """`CHAPTER II` and `Variables` under it are one heading: what the outline says of one holds for both."""
    for step in (1, -1):
        indices = range(1, len(blocks)) if step == 1 else range(len(blocks) - 2, -1, -1)
        for index in indices:
            block, beside = blocks[index], blocks[index - step]
            together = block.kind == "heading" and beside.page == block.page and index - step in levels
            if together and index not in levels:
                levels[index] = levels[index - step]


def _find(
    blocks: Sequence[Found], letters: Sequence[str], bookmark: Bookmark, start: int
) -> tuple[int, int, str] | None:
    """The blocks that a bookmark names: the first, how many, and what of the (one) block comes after the title.

    `letters` has the letters of each block.  Blocks come by their pages: those before the bookmark's are passed over.
    """
    title = _letters(bookmark.title)
    if not title:
        return None
    start = max(start, bisect_left(blocks, bookmark.page, key=lambda block: block.page))
    for index in range(start, len(blocks)):
        block = blocks[index]
        if block.page > bookmark.page + 1:
            return None
        if block.page < bookmark.page or block.kind == "break":
            continue
        joined, stop = "", index
        while stop < len(blocks) and len(joined) < len(title) and stop < index + 4:
            joined += letters[stop]
            stop += 1
            if joined == title:
                return index, stop - index, ""
        whole = letters[index]
        if whole and title.endswith(whole) and block.kind == "heading" and len(whole) >= 0.4 * len(title):
            return index, 1, ""
        if len(title) >= 6 and block.kind == "paragraph" and whole.startswith(title):
            rest = _after(block.text, len(title))
            # A sentence may begin with the words of a title: only a stop or a chapter's number parts the two.
            stopped = block.text[: len(block.text) - len(rest)].rstrip().endswith((".", ":", "—"))
            if rest and (stopped or recognise(bookmark.title)):
                return index, 1, rest
    return None


def _after(text: str, letters: int) -> str:
    """What of a text follows its first so many letters and figures."""
    for index, char in enumerate(text):
        if char.isalnum():
            letters -= len(char.lower())
        if letters <= 0:
            return text[index + 1 :].lstrip(" .:—\n")
    return ""


def _plain(text: str) -> str:
    return re.sub(f"{MARK_OPEN}[^{MARK_CLOSE}]*{MARK_CLOSE}", "", text)


def _letters(text: str) -> str:
    return "".join(char for char in _plain(text).lower() if char.isalnum())
