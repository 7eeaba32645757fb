"""Project Gutenberg's header, licence and credits, in whatever format they come."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from quire.books.book import Dropped, Place

if TYPE_CHECKING:
    from quire.books.draft import Draft, Item

# Stars, blanks and a few line ends at the start of a line: without a bound, blank lines alone would take for ever.
_BEFORE = r"^(?:[^\w\n]|_)*(?:\n(?:[^\w\n]|_)*){0,4}"
_START = re.compile(
    rf"{_BEFORE}START OF (?:THIS|THE) PROJECT GUTENBERG|{_BEFORE}END\W{{0,4}}THE SMALL PRINT|"
    rf"{_BEFORE}(?:DÉBUT|DEBUT) (?:DE|DU) (?:CE |LE )?(?:LIVRE |PROJET |PROJECT )+GUTENBERG",
    re.IGNORECASE | re.MULTILINE,
)
_END = re.compile(
    r"^[^\S\n]*\*{2,}\s*END OF (?:THIS|THE) PROJECT GUTENBERG|"
    rf"{_BEFORE}(?:this is the )?End of (?:the |this )?(?:\w+/)?Project Gutenberg(?:['’]?s)?\b|"
    rf"{_BEFORE}(?:Fin (?:de ce |du )?|Ende (?:dieses |des )?|Fine (?:del )?)Proje[ck]?t Gutenberg|"
    r"^[^\S\n]*\*{2,}\s*This file should be named|^[^\S\n]*(?:THE )?FULL PROJECT GUTENBERG LICENSE|"
    r"^[^\S\n]*START: FULL LICENSE",
    re.IGNORECASE | re.MULTILINE,
)
_HEADLINE = re.compile(
    r"\W*(?:(?:this is |welcome to )?(?:the |a )?(?:internet wiretap|project gutenberg)(?:['’]?s)?\b.{0,40}"
    r"(?:e-?text|e-?book|edition)s?\b.{0,160}|project gutenberg['’]s .{1,100}, by .{1,60}|"
    r"\[?e-?(?:text|book) #?\s?\d+\]?)",
    re.IGNORECASE,
)
_NAMED = re.compile(
    r"^[^\w\n]*(?:the )?project gutenberg(?:['’]?s)?(?: (?:e-?text|e-?book))?(?: of|,)?\s+(?P<title>[^\n]{1,120}?)"
    r"(?:\s*\(.{1,20}\))?,?\s+by\s+(?P<author>[^\n*#,(\[]{2,60}?)\s*(?:$|[*#,(\[])",
    re.IGNORECASE | re.MULTILINE,
)
_FIELD = re.compile(
    r"^[^\S\n]*(Title|Author|Translator|Editor|Language|Character set encoding)\s*:\s*(.*?)\s*$",
    re.IGNORECASE | re.MULTILINE,
)
_CREDIT = re.compile(
    r"^\W*(?:produced by\b|e-?text prepared by|credits?:|(?:this|the) e-?(?:text|book) (?:was |is )?(?:first )?"
    r"(?:prepared|produced|created|typed|scanned|updated|made|converted|transcribed|released)\b|"
    r"scanned (?:and|by|from)\b|"
    r"(?:typed|prepared|created|digitized) (?:and \w+ )?by [A-Z]|"
    r"transcribed (?:from|by)\b|transcriber['’]?s? note|\[?note (?:from|by) the transcriber|html version by|"
    r"this e-?book was produced by|updated editions will replace|proofread(?:ing|ers) team|"
    r"note (?:sur la|de) transcription|\[transcriber)",
    re.IGNORECASE,
)
# Where a mark begins within a paragraph, or the text goes on after one.
_INSIDE = re.compile(
    r"(?<=\S)\s+(?=\*{3}\s*(?:START|END) OF (?:THIS|THE) PROJECT GUTENBERG)|"
    r"(?<=[.!?…”\"’»)\]—-])\s+(?=End of (?:the |this )?Project Gutenberg(?:['’]s)?\b)|"
    r"(?<=\*\*\*)(?<!START OF TH)\s+(?=(?:Produced|E-?text prepared) by\b)",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"this e-?(?:book|text) is for the use of anyone|almost no restrictions whatsoever|character set encoding\s*:|"
    r"^\W*(?:the )?project gutenberg(?:['’]?s)?\b|release date\s*:.{1,60}\[e",
    re.IGNORECASE,
)
_HEAD_ITEMS = 120
_FIRST_ITEMS = 40
_FAR = 6
_AT_ONCE = 256
HEADER_CHARS = 30_000


def looks_like(text: str) -> bool:
    """Whether a text carries Gutenberg's frame."""
    return "project gutenberg" in text[:HEADER_CHARS].lower() or bool(_END.search(text[-HEADER_CHARS:]))


def declared_encoding(head: bytes) -> str:
    """The encoding that a Gutenberg header declares, or `""`."""
    if b"gutenberg" not in head.lower():
        return ""
    match = re.search(rb"Character set encoding:\s*([A-Za-z0-9_ -]+)", head, re.IGNORECASE)
    return match[1].decode("ascii").strip() if match else ""


def header_fields(text: str) -> dict[str, str]:
    """Title, author, language and so on as the header names them (keys in lower case).  A title may run over lines."""
    start = _START.search(text[:HEADER_CHARS])
    head = text[: start.start()] if start else text[:3000]
    found: dict[str, str] = {}
    for match in _FIELD.finditer(head):
        more = re.match(r"(?:\n {4,}\S[^\n]*)+", head[match.end() :])
        value = " ".join((match[2] + (more[0] if more else "")).split())
        found.setdefault(match[1].lower(), value)
    if "title" not in found and (named := _NAMED.search(head)):
        found["title"], found["author"] = named["title"].strip(" ,_*"), found.get("author") or named["author"].strip()
    return found


def frame(text: str) -> tuple[int, int]:
    """Start and stop of what stands between the header and the licence; (0, len(text)) without them."""
    start, stop = 0, len(text)
    opening = None
    for match in _START.finditer(text[:HEADER_CHARS]):
        # The licence of small print may stand at the end of a short text: that is no start.
        if opening is None or not _END.search(text, opening.end(), match.start()):
            opening = match
    if opening is not None:
        end_of_line = text.find("\n", opening.end())
        start = len(text) if end_of_line < 0 else end_of_line + 1
        # The marker may run over two lines: it ends with stars.
        rest = re.match(r"[^\n]*\*\*\*[ \t]*\n", text[start : start + 200])
        if "***" not in text[opening.end() : start] and rest:
            start += rest.end()
    # Without a start, what sounds like an end may stand in the header.
    least = start if opening is not None else len(text) // 2
    if ending := _END.search(text, least):
        stop = ending.start()
    return start, stop


def is_headline(text: str) -> bool:
    """Whether a line only names the electronic edition."""
    return len(text) <= 240 and bool(_HEADLINE.fullmatch(" ".join(text.split())))


def is_credit(text: str) -> bool:
    """Whether a paragraph only says who produced the file."""
    return bool(_CREDIT.match(text)) and len(text) < 1500


def trim_items(draft: Draft, items: list[Item]) -> list[Item]:
    """Leave out Gutenberg's header, licence and credits among items, whatever format they came in.

    Notes stand aside, wherever they are among the items: one goes only where its place lies outside the frame.
    """
    # Most paragraphs, and most books, need no search for marks.
    texts = [item.text for item in items]
    framed = any(_may_be_mark("\n".join(texts[start : start + _AT_ONCE])) for start in range(0, len(texts), _AT_ONCE))
    if framed:
        items = _parted(items)
    body = [item for item in items if item.kind != "note"]
    start, stop = _opening(body) if framed else 0, len(body)
    for index, item in enumerate(body[start:] if framed else (), start=start):
        if _may_be_mark(item.text) and _END.match(item.text):
            stop = index
            break
    head = "\n".join(item.text for item in body[:start])
    for name, value in header_fields(head).items():
        if name == "title" and not draft.title:
            draft.title = value
        elif name == "author" and not draft.author:
            draft.author = value
        elif name == "language" and not draft.language:
            draft.language = value
    _drop_all(draft, "Gutenberg header", body[:start])
    _drop_all(draft, "Gutenberg licence", body[stop:])
    credit = {id(item) for item in (*body[start:stop][:25], *body[start:stop][-10:]) if _is_credit_item(item)}
    if not start and stop == len(body) and not credit:
        return items
    inside = {id(item) for item in body[start:stop]}
    last = body[stop] if stop < len(body) else None
    kept = []
    for item in items:
        if item.kind == "note" and last is not None and _stands_after(item.place, last.place):
            _drop_all(draft, "Gutenberg licence", [item])
        elif id(item) in credit:
            _drop_all(draft, "Gutenberg credits" if start else "credits", [item])
        elif item.kind == "note" or id(item) in inside:
            kept.append(item)
    return kept


def _may_be_mark(text: str) -> bool:
    stars = "*" in text and "should be named" in text
    return stars or "utenberg" in text or "UTENBERG" in text or "FULL LICENSE" in text


def _is_credit_item(item: Item) -> bool:
    return item.kind in ("paragraph", "verse", "heading") and is_credit(item.text)


def _stands_after(place: Place, end: Place) -> bool:
    """Whether a note stands after a mark, as far as their places can be compared."""
    return (place.unit, place.inside) == (end.unit, end.inside) and place.number > end.number


def _parted(items: list[Item]) -> list[Item]:
    """The items, with marks that stand amid a paragraph in items of their own."""
    marked = (item.text for item in (*items[:60], *items[len(items) // 2 :]) if _may_be_mark(item.text))
    if not any(map(_INSIDE.search, marked)):
        return items
    parted: list[Item] = []
    for item in items:
        told = item.kind != "note" and _may_be_mark(item.text)
        texts = [text for text in _INSIDE.split(item.text) if text.strip()] if told else []
        parted += [item] if len(texts) <= 1 else [replace(item, text=text.strip()) for text in texts]
    return parted


def _opening(items: list[Item]) -> int:
    """Where the book begins: after the mark, or after the paragraphs of a header that has none."""
    for index, item in enumerate(items[:_HEAD_ITEMS]):
        if _START.match(item.text):
            return index + 1
    if not any("project gutenberg" in item.text.lower() for item in items[:_FIRST_ITEMS]):
        return 0
    start = 0
    for index, item in enumerate(items[:_FIRST_ITEMS]):
        if _HEADER.search(item.text):
            start = index + 1
        elif index - start >= _FAR:
            break
    return start


def _drop_all(draft: Draft, reason: str, items: list[Item]) -> None:
    draft.dropped.extend(Dropped(reason, item.text, item.place) for item in items if item.text.strip())
