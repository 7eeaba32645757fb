"""What an element of a page is, told by its name and attributes alone, and worked out once for all that are alike."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from lxml import etree

from quire.books.markup import EPUB, Element

BLOCKS = frozenset(
    "address article aside blockquote body center dd details dialog div dl dt fieldset figcaption figure footer form "
    "frameset h1 h2 h3 h4 h5 h6 header hgroup hr html legend li main menu nav noframes ol optgroup p pre section "
    "summary table tbody td tfoot th thead tr ul caption doctitle docauthor level level1 level2 level3 linegroup line "
    "list item book frontmatter bodymatter rearmatter".split()
)
HEADINGS = {f"h{level}": level for level in range(1, 7)}
_EMPTY = frozenset("link meta base colgroup col datalist param source track map area input img image hr wbr".split())
_GONE = {
    "script": "script",
    "style": "style sheet",
    "head": "head of the page",
    "title": "title of the page",
    "template": "hidden text",
    "noscript": "hidden text",
    "iframe": "fallback text",
    "object": "fallback text",
    "embed": "fallback text",
    "canvas": "fallback text",
    "audio": "fallback text",
    "video": "fallback text",
    "svg": "text in a picture",
    "select": "form",
    "button": "form",
    "textarea": "form",
    "del": "deleted text",
    "rt": "ruby gloss",
    "rp": "ruby gloss",
    "rtc": "ruby gloss",
}
_VERSE_TYPES = frozenset(("verse", "poem", "song", "hymn", "lyrics"))
_VERSE_CLASS = re.compile(
    r"(?:poem|poems|poetry|poetry-?container|verses?|stanza|lg|line-?group|line-?block|canto|song|hymn|lyrics?|strophe|vers|"
    r"poesie|poésie|gedicht|verse-?(?:first|last|middle|mid|line|block|text|para|1|2|3)|poem-?(?:line|text|block|first|last))"
    r"\d*"
)
_STANZA_CLASS = re.compile(
    r"(?:stanza|lg|line-?group|line-?block|strophe|verse-?group|quatrain|couplet|tercet|sestet|octave)\d*"
)
_LINE_CLASS = re.compile(r"(?:line|l|ll|verse|verse-?line|vers|poem-?line|i\d+|indent-?\d*|in\d+)\d*")
# A paragraph of such a class is a line of verse, whatever it stands in: Gutenberg and its like set verse in them.
_VERSE_LINE_CLASS = re.compile(r"i\d{1,2}|line\d*|(?:poem|verse|poetry)-?_?(?:line|indent)\d*|l\d{1,2}")
_INITIAL_CLASS = re.compile(r"drop-?_?caps?|dc|initials?|lettrine|(?:first|big|large)-?_?letter|capital-?letter")
_NOTE_TYPES = frozenset(("footnote", "footnotes", "endnote", "endnotes", "rearnote", "rearnotes", "note", "notes"))
_NOTE_CLASS = re.compile(r"(?:footnotes?|endnotes?|rearnotes?|fnote|notes?-?de-?bas(?:-?de-?page)?|_idfootnotes?)")
_NOTE_NAMES = frozenset(("aside", "div", "section", "p", "li", "ol", "dl", "table"))
_MARK_CLASS = re.compile(
    r"(?:fn|note|footnote|endnote)s?[-_]?(?:ref(?:erence)?|anchor|mark|call|link)s?|fnanchor|noteref|_idfootnotelink"
)
_HEADING_CLASS = re.compile(
    r"(?:chapter|chapitre|chap|kapitel)(?:[-_]?(?:title|titre|titel|head|heading|number|num|no|nr|name|numeral))?\d*|"
    r"(?:ch|cp|chap)[-_]?(?:title|tit|head|num|no|number|name)\d*|ct|cn|part[-_]?(?:title|number|num|head)\d*|"
    r"heading[-_]?\d*|head\d?|h[1-6]|section-?_?title|titre(?:-?chapitre)?\d*"
)
_SUBTITLE_CLASS = re.compile(
    r"(?:chapter|chap|ch)?[-_]?(?:sub-?_?(?:title|head|heading)|sous-?titre|title|titre|tit)\d*|cst"
)
_PAGE_NUMBER = re.compile(r"(?:pagenum(?:ber)?s?|page-?_?num(?:ber)?|pageno|pb|pagebreak|page-?break|folio|pageref)")
_LINE_NUMBER = re.compile(r"(?:line|verse|poem|l)-?_?(?:num(?:ber)?|no)s?|ln|linenr|versenum")
_BUTTON = re.compile(r"mw-editsection|mw-jump-link|headerlink|permalink|anchor-?link|sr-only-?link")
_BREAK_CLASS = re.compile(
    r"(?:scene-?break|section-?break|space-?break|text-?break|thought-?break|tb|asterism|ornament(?:al)?(?:-?break)?|"
    r"line-?break-?scene|dinkus)"
)
_CAPTION_CLASS = re.compile(r"(?:fig(?:ure)?-?)?captions?|wp-caption-text|legende|légende|imagecaption|caption-?\w*")
_NO_DISPLAY = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_TOLD_BY = frozenset(("class", "role", "style", "hidden", "aria-hidden", EPUB + "type", "epub:type"))
_MOST = 20_000


@dataclass(frozen=True, slots=True)
class Look:
    """What an element is by its name and attributes.

    `gone` is the reason for leaving it out with all it holds; `plain` says that it is inline and only holds text,
    `paragraph` that it is a paragraph and nothing else.
    """

    name: str
    kinds: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    block: bool = False
    plain: bool = False
    paragraph: bool = False
    empty: bool = False
    gone: str = ""
    heading: int = 0
    note: bool = False
    mark: bool = False
    verse: bool = False
    stanza: bool = False
    line: bool = False
    verse_line: bool = False
    initial: bool = False
    titled: bool = False
    subtitled: bool = False
    scene_break: bool = False
    caption: bool = False

    @property
    def typed_verse(self) -> bool:
        return bool(self.kinds & _VERSE_TYPES)


def types_of(said: str, role: str) -> frozenset[str]:
    """The words of `epub:type` and `role`, without prefixes."""
    if not said and not role:
        return frozenset()
    return frozenset(word.rsplit(":", 1)[-1].removeprefix("doc-") for word in f"{said} {role}".lower().split())


class Looks:
    """The looks of one book's elements; `hidden` are the classes that its style sheets do not show.

    `known` holds those that were asked for, by the element's name, and its attributes if it has any.
    """

    def __init__(self, hidden: Collection[str] = ()) -> None:
        self.hidden = frozenset(hidden)
        self.known: dict[object, Look] = {}
        self._alike: dict[object, Look] = {}

    def of(self, element: Element) -> Look:
        items = element.items()
        key = (element.tag, *items) if items else element.tag
        found = self.known.get(key)
        if found is None:
            if len(self.known) > _MOST:
                self.known.clear()
            found = self.known[key] = self._of(element.tag, tuple(item for item in items if item[0] in _TOLD_BY))
        return found

    def _of(self, full: object, items: tuple[tuple[str, str], ...]) -> Look:
        key = (full, items)
        if key not in self._alike:
            if len(self._alike) > _MOST:
                self._alike.clear()
            self._alike[key] = _make(full, dict(items), self.hidden)
        return self._alike[key]


def _make(full: object, said: dict[str, str], hidden: frozenset[str]) -> Look:
    if not isinstance(full, str):
        return Look("", empty=True, gone="comment" if full is etree.Comment else "unknown entity")
    name = full.rsplit("}", 1)[-1].lower()
    kinds = types_of(said.get(EPUB + "type") or said.get("epub:type") or "", said.get("role", ""))
    classes = frozenset(said.get("class", "").lower().split())
    gone = _GONE.get(name, "")

    def named(pattern: re.Pattern[str]) -> bool:
        return any(map(pattern.fullmatch, classes))

    note = bool(kinds & _NOTE_TYPES) or (name in _NOTE_NAMES and named(_NOTE_CLASS))
    unseen = "hidden" in said or said.get("aria-hidden", "").lower() == "true" or classes & hidden
    # Notes that pop up are hidden until then.
    if not note and (unseen or _NO_DISPLAY.search(said.get("style", ""))):
        gone = gone or "hidden text"
    if kinds & {"pagebreak"} or (name in ("span", "a", "p", "div", "small", "b", "i") and named(_PAGE_NUMBER)):
        gone = "folio"
    elif name in ("span", "a", "i", "small") and named(_LINE_NUMBER):
        gone = "line number"
    elif name in ("span", "a") and named(_BUTTON):
        gone = "page furniture"
    block = name in BLOCKS
    mark = bool(kinds & {"noteref", "backlink"}) or (name in ("a", "sup", "span") and named(_MARK_CLASS))
    special = name in ("a", "br", "q", "math", "sup", "img", "image", "ruby") or mark or "stage-direction" in kinds
    verse = bool(kinds & _VERSE_TYPES) or (block and named(_VERSE_CLASS))
    titled = name in ("p", "div") and named(_HEADING_CLASS)
    subtitled = name in ("p", "div") and named(_SUBTITLE_CLASS)
    scene_break = name in ("p", "div") and named(_BREAK_CLASS)
    verse_line = name in ("p", "div") and named(_VERSE_LINE_CLASS)
    initial = name in ("p", "div") and named(_INITIAL_CLASS)
    caption = name == "figcaption" or (name in ("p", "div", "span") and named(_CAPTION_CLASS))
    return Look(
        name=name,
        paragraph=name == "p"
        and not (
            kinds or gone or note or verse or titled or subtitled or scene_break or caption or verse_line or initial
        ),
        kinds=kinds,
        classes=classes,
        block=block,
        plain=not (block or gone or special or name in _EMPTY or kinds & _VERSE_TYPES),
        empty=name in _EMPTY and name not in ("img", "image", "hr"),
        gone=gone,
        heading=HEADINGS.get(name, 0),
        note=note,
        mark=mark,
        verse=verse,
        stanza=named(_STANZA_CLASS) or name == "linegroup",
        line=named(_LINE_CLASS) or name == "line",
        verse_line=verse_line,
        initial=initial,
        titled=titled,
        subtitled=subtitled,
        scene_break=scene_break,
        caption=caption,
    )
