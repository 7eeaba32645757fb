"""Running heads and folios of a PDF: found by comparing pages, taken off, put back where that would be too much."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from quire.books import pulse
from quire.books.headings import recognise
from quire.books.pdf.lines import MARK_CLOSE, MARK_OPEN, Line

_DIGITS = re.compile(r"\d+")
_FOLIO = re.compile(r"^[\[(–—-]?\s*(\d{1,4})\b|\b(\d{1,4})\s*[\])–—-]?$")
_ROMAN_FOLIO = re.compile(r"^[\[(–—-]?\s*([ivxlc]{1,8})\s*[\])–—-]?$|^([ivxlc]{1,8})\s{1,}\S|\S\s+([ivxlc]{1,8})$")
_BARE = re.compile(r"[\[(–—-]?\s*(?:\d{1,4}|[ivxlc]{1,8})\s*[\])–—-]?")
_COUNTED = re.compile(r"(\d{1,4}) (?=\S)")
_COUNT = re.compile(r"\d{1,4}")
SUPERIORS = "⁰¹²³⁴⁵⁶⁷⁸⁹"
_PLAIN_FIGURES = str.maketrans(SUPERIORS, "0123456789")
_FURNITURE = ("running head", "folio")
# What is taken off for these reasons is believed up to a share of the words.
_DOUBTFUL = (("running head",), ("contents", "index"), ("title page", "copyright page"))
MOST_DROPPED = 0.25
FEW_DROPPED = 12
_STOPS = r".,;:!?»”’)\]…—"
_RAISED_FIGURES = str.maketrans("0123456789", SUPERIORS)
_SAME_LESS = re.compile(r"[#\W]+")
NOTE_START = re.compile(
    rf"^{MARK_OPEN}[^{MARK_CLOSE}]+{MARK_CLOSE}|^[{SUPERIORS}]{{1,3}}\s*\S|^(?:\d{{1,3}}|[*†‡§¶‖]{{1,3}})[.)]?\s*[^\s\d]"
)


@dataclass
class Page:
    """A page while its lines are sorted out."""

    number: int
    width: float
    height: float
    lines: list[Line]
    dropped: list[tuple[str, Line]] = field(default_factory=list)

    def take(self, reason: str, line: Line) -> None:
        self.lines.remove(line)
        self.dropped.append((reason, line))


def body_size(pages: Sequence[Page]) -> float:
    """The size in which most characters are set, in points."""
    sizes: Counter[float] = Counter()
    for page in pages:
        for line in page.lines:
            sizes[round(line.size * 4) / 4] += len(line.text)
    return sizes.most_common(1)[0][0] if sizes else 10.0


def line_step(pages: Sequence[Page], size: float) -> float:
    """The usual distance between two baselines of the body, in points: the least of those that are frequent.

    In a book of short speeches the space between paragraphs may be commoner than that between lines.
    """
    steps: Counter[float] = Counter()
    for page in pages:
        body = sorted((line for line in page.lines if abs(line.size - size) < 0.15 * size), key=lambda line: -line.y)
        for index, above in enumerate(body):
            # Of two columns only lines that stand above each other tell.
            under = (
                line for line in body[index + 1 : index + 6] if line.left < above.right and above.left < line.right
            )
            below = next(under, None)
            step = above.y - below.y if below is not None else 0.0
            if 0.8 * size < step < 2.6 * size:
                steps[round(step * 4) / 4] += 1
    if not steps:
        return 1.25 * size
    most = steps.most_common(1)[0][1]
    least = min(step for step, count in steps.items() if count >= 0.25 * most)
    return max((step for step in steps if abs(step - least) <= 0.5), key=lambda step: steps[step])


@dataclass(frozen=True, slots=True)
class Edge:
    """The outermost line of a page, with what is compared: its words without numbers, and its numbers."""

    line: Line
    mask: str
    numbers: tuple[int, ...]
    numbered: bool


class Edges:
    """The outermost lines of all pages at one edge, asked by height: pages by the thousand have few heights."""

    def __init__(self, pages: Sequence[Page], top: bool) -> None:
        self.top = top
        self.of = {page.number: _edge(page, top) for page in pages if page.lines}
        self.offset = _folio_offset(self.of, len(pages))
        self._heights: dict[float, list[Edge]] = defaultdict(list)
        for edge in self.of.values():
            self._heights[_height(edge)].append(edge)
        self._near: dict[tuple[float, float], list[Edge]] = {}
        self._masks: dict[tuple[float, float], Counter[str]] = {}
        self._repeated: dict[tuple[float, float], int] = {}

    def near(self, edge: Edge, reach: float) -> list[Edge]:
        """The edges of all pages at nearly one height, this one among them."""
        key = _height(edge), reach
        if key not in self._near:
            steps = range(-int(2 * reach), int(2 * reach) + 1)
            self._near[key] = [other for step in steps for other in self._heights.get(key[0] + step / 2, ())]
            self._masks[key] = Counter(other.mask for other in self._near[key])
            self._repeated[key] = sum(count for count in self._masks[key].values() if count >= 2)
        return self._near[key]

    def same(self, edge: Edge, reach: float) -> int:
        """How many other pages have the same words, but for numbers, at nearly this height."""
        self.near(edge, reach)
        return self._masks[_height(edge), reach][edge.mask] - 1

    def repeated(self, edge: Edge, reach: float) -> int:
        """How many of the other pages have at nearly this height words that stand there more than once."""
        same = self.same(edge, reach)
        return self._repeated[_height(edge), reach] - (2 if same == 1 else int(same > 1))


def _height(edge: Edge) -> float:
    return round(2 * edge.line.y) / 2


def drop_furniture(pages: Sequence[Page], size: float, step: float, heads: Sequence[str] = ()) -> None:
    """Take running heads, running feet and folios off all pages: at most two lines at either edge.

    `heads` are those that the file itself marked as such, which are off already.
    """
    _drop_line_numbers(pages, size)
    for top in (True, False):
        for _ in range(2):
            edges = Edges(pages, top)
            for page in pages:
                pulse.beat()
                edge = edges.of.get(page.number)
                if edge is not None and _is_furniture(page, edge, edges, size, step):
                    line = edge.line
                    for beside in [other for other in page.lines if abs(other.y - line.y) < 0.3 * line.size]:
                        page.take(_reason(beside), beside)
    _drop_outside(pages, size, step)
    _drop_lone_heads(pages, size, heads)


def _drop_lone_heads(pages: Sequence[Page], size: float, marked: Sequence[str]) -> None:
    """A page left blank may have nothing but the head that other pages have, elsewhere or beside a folio."""
    taken = [line.plain for page in pages for reason, line in page.dropped if reason == "running head"]
    heads = Counter(map(_letters, [*taken, *marked]))
    for page in pages:
        small = all(line.size <= 1.1 * size and heads[_letters(line.plain)] >= 3 for line in page.lines)
        if 0 < len(page.lines) <= 2 and small:
            for line in list(page.lines):
                page.take("running head", line)


def _letters(text: str) -> str:
    return _SAME_LESS.sub("", _DIGITS.sub("#", text.lower()))


def _reason(line: Line) -> str:
    return "folio" if _BARE.fullmatch(line.plain.strip()) else "running head"


def _drop_line_numbers(pages: Sequence[Page], size: float) -> None:
    """Numbers in the margin that count the lines; some stand so near that they begin the line."""
    found: list[tuple[Page, list[Line], dict[Line, tuple[Line, Line]]]] = []
    for page in pages:
        texts = [line for line in page.lines if len(line.text) > 12]
        if len(texts) < 4:
            continue
        left = sorted(line.left for line in texts)[len(texts) // 4]
        right = sorted(line.right for line in texts)[3 * len(texts) // 4]
        glued = {parts[0]: (line, parts[1]) for line in texts if (parts := _split_count(line, left, size))}
        bare = [line for line in page.lines if _COUNT.fullmatch(line.text.strip())]
        aside = [line for line in bare if line.right < left - 0.2 * size or line.left > right + 0.2 * size]
        aside = [line for line in aside if any(abs(line.y - text.y) < 0.4 * size for text in texts)]
        aside = sorted([*aside, *glued], key=lambda line: -line.y)
        values = [int(line.text) for line in aside]
        steps = {below - above for above, below in zip(values, values[1:], strict=False)}
        if len(aside) >= 2 and len(steps) == 1 and min(steps) > 0:
            found.append((page, aside, glued))
    if sum(len(lines) for _, lines, _ in found) < max(6, 0.5 * len(pages)):
        return
    for page, lines, glued in found:
        for line in lines:
            if line in glued:
                whole, rest = glued[line]
                page.lines[page.lines.index(whole)] = rest
                page.dropped.append(("line number", line))
            else:
                page.take("line number", line)


def _split_count(line: Line, left: float, size: float) -> tuple[Line, Line] | None:
    """The number left of the margin with which a line begins, and the line without it."""
    match = _COUNTED.match(line.text)
    if match is None or line.left > left - 0.4 * size:
        return None
    number = replace(line, text=match[1], right=left, hyphen=False)
    return number, replace(line, text=line.text[match.end() :], left=left)


def _drop_outside(pages: Sequence[Page], size: float, step: float) -> None:
    """Small lines far above or below where the text of all other pages begins and ends."""
    full = [page for page in pages if len(page.lines) >= 8]
    for height in {page.height for page in full}:
        alike = [page for page in full if page.height == height]
        if len(alike) < 5:
            continue
        tops = sorted(max(line.y for line in page.lines) for page in alike)
        feet = sorted(min(line.y for line in page.lines) for page in alike)
        top, foot = tops[int(0.85 * (len(tops) - 1))] + 1.3 * step, feet[int(0.15 * (len(feet) - 1))] - 1.3 * step
        found: list[tuple[Page, Line]] = []
        for page in pages:
            if page.height != height:
                continue
            outside = [line for line in page.lines if not foot < line.y < top]
            inside = [line for line in page.lines if foot < line.y < top]
            if len(outside) > 4 or not inside:
                continue
            for line in outside:
                # What goes on from the text at its own pace is text: a page may be a line or two longer than others.
                beyond = [one for one in outside if (one.y > inside[0].y) == (line.y > inside[0].y)]
                apart = min(abs(one.y - other.y) for one in beyond for other in inside) > 1.5 * step
                if apart and line.size <= 1.1 * size and len(line.text) <= 120 and not _is_note(page, line, size):
                    found.append((page, line))
        known = [line for page in pages if page.height == height for why, line in page.dropped if why in _FURNITURE]
        heights = Counter(place for line in (*known, *(line for _, line in found)) for place in _places(line))
        for page, line in found:
            # Heads and feet have their place; what stands now here, now there belongs to a picture.
            if max(heights[place] for place in _places(line)) >= 3 or _is_stamp(line.plain.strip()):
                page.take(_reason(line), line)


def _is_stamp(text: str) -> bool:
    """Whether a line is a folio, a date or the like: more figures than letters."""
    return bool(_BARE.fullmatch(text)) or sum(map(str.isdigit, text)) > sum(map(str.isalpha, text))


def _places(line: Line) -> tuple[int, int]:
    """A line's height in steps of two points: the two that are nearest."""
    return int(line.y // 2), -int((line.y + 1) // 2)


def _edge(page: Page, top: bool) -> Edge:
    """The outermost line of a page: of those on one height the longest."""
    extreme = max(line.y for line in page.lines) if top else min(line.y for line in page.lines)
    beside = [line for line in page.lines if abs(line.y - extreme) < 0.3 * line.size]
    line = max(beside, key=lambda one: len(one.text))
    text = line.plain.strip()
    numbers = tuple(int(match[1] or match[2]) for one in beside for match in _FOLIO.finditer(one.plain.strip()))
    return Edge(line, _DIGITS.sub("#", text.lower()), numbers, bool(numbers or _ROMAN_FOLIO.search(text)))


def _is_furniture(page: Page, edge: Edge, edges: Edges, size: float, step: float) -> bool:
    """By four signs: the page's number, the same words on other pages, a place that only furniture has, a gap."""
    line = edge.line
    text = line.plain.strip()
    bare = bool(_BARE.fullmatch(text))
    if len(text) > 120 or line.hyphen or _is_note(page, line, size):
        return False
    counted = edges.offset is not None and page.number + edges.offset in edge.numbers
    if not edges.top and not counted and line.size <= 0.93 * size and NOTE_START.match(line.text) and len(text) > 12:
        # A note may come again under other numbers: `17. Ibid.`
        return False
    gap = _gap(page, line)
    apart = gap > 1.15 * step or len(page.lines) == 1
    if line.size > 1.1 * size and not bare:
        # Set larger than the text: a chapter's heading, unless other pages have the very same or its kind there.
        mates = [one for one in edges.near(edge, 1) if one is not edge and abs(one.line.size - line.size) < 0.3]
        alike = sum(_SAME_LESS.sub("", other.mask) == _SAME_LESS.sub("", edge.mask) for other in mates)
        again = sum(count for count in Counter(other.mask for other in mates).values() if count >= 2)
        usual = len(mates) >= 0.5 * len(edges.of) and again >= 0.5 * len(mates)
        return bool(mates) and (counted or usual or (alike >= 2 and not recognise(text)))
    if counted and (apart or len(text) < 60):
        return True
    if bare and gap > 5 * step and text.isdigit() and int(text) == page.number + 1:
        return True
    if bare and apart and len(page.lines) > 1:
        return sum(other.numbered for other in edges.near(edge, 2.5)) > 2
    same = edges.same(edge, 2.5)
    # A foot is never as near as the next line: there stands the end of a note, which may come again.
    if (same >= 2 and (apart or (same >= 4 and edges.top))) or (same >= 1 and apart and edge.numbered):
        return True
    # Heads that name the chapter stand where other pages have heads, beyond the first line of text.
    if not apart or gap <= 1.3 * step:
        return False
    others = len(edges.near(edge, 1)) - 1
    return others >= max(3, 0.08 * len(edges.of)) and edges.repeated(edge, 1) >= 0.5 * others


def _is_note(page: Page, line: Line, size: float) -> bool:
    """Whether a line at the foot is a footnote: in small type, with a mark that stands at a word of the page."""
    match = NOTE_START.match(line.text)
    label = note_label(line.text)
    if not match or not label or line.size > 0.93 * size:
        return False
    return any(find_mark(other.text, label) for other in page.lines if other.y > line.y and other.size > line.size)


def note_label(text: str) -> str:
    """The mark with which a footnote begins; `""` where it has none."""
    match = re.match(rf"{MARK_OPEN}?(\d{{1,3}}|[*†‡§¶‖]{{1,3}}|[{SUPERIORS}]{{1,3}}){MARK_CLOSE}?", text)
    return match[1].translate(_PLAIN_FIGURES) if match else ""


def find_mark(text: str, label: str) -> tuple[int, int] | None:
    """Where the mark of a note stands in a line: raised, or right behind a word or a stop."""
    raised = label.translate(_RAISED_FIGURES)
    if label not in text and raised not in text:
        return None
    pattern = (
        rf"{MARK_OPEN}{re.escape(label)}{MARK_CLOSE}|{re.escape(raised)}(?![{SUPERIORS}])"
        rf"|(?<=[^\W\d_]){re.escape(label)}(?!\w)|(?<=[^\W\d_][{_STOPS}]){re.escape(label)}(?![\w.,]\w|\w)"
        rf"|(?:(?<=[^\W\d_][{_STOPS}]{{2}})|(?<=[{_STOPS}]{{3}})){re.escape(label)}(?![\w.,]\w|\w)"
    )
    match = re.search(pattern, text)
    return match.span() if match else None


def _gap(page: Page, line: Line) -> float:
    """Points between a line at the edge and the nearest line inwards."""
    others = [abs(other.y - line.y) for other in page.lines if abs(other.y - line.y) >= 0.3 * line.size]
    return min(others, default=1e9)


def _folio_offset(edges: dict[int, Edge], pages: int) -> int | None:
    """What is to be added to a page's place in the file to get its printed number, if many pages agree on it."""
    offsets = Counter(number - page for page, edge in edges.items() for number in edge.numbers)
    if not offsets:
        return None
    offset, count = offsets.most_common(1)[0]
    return offset if count >= max(3, 0.05 * pages) or (count >= 2 and pages <= 6) else None


def put_back(pages: Sequence[Page], whole: Sequence[Sequence[Line]]) -> list[str]:
    """Lines taken for a reason that would cost a good part of the text stand again where they stood in `whole`.

    Returns those reasons: a short form or a table may well repeat itself, and a letter may be nothing but large type.
    """
    words: Counter[str] = Counter()
    for page in pages:
        words[""] += sum(_count(line) for line in page.lines)
        for reason, line in page.dropped:
            words[reason] += _count(line)
    most = max(MOST_DROPPED * words.total(), FEW_DROPPED)
    wrong = {reason for reasons in _DOUBTFUL for reason in reasons if sum(words[one] for one in reasons) > most}
    if not wrong:
        return []
    for page, lines in zip(pages, whole, strict=True):
        order = {id(line): place for place, line in enumerate(lines)}
        back = [line for reason, line in page.dropped if reason in wrong]
        page.dropped = [(reason, line) for reason, line in page.dropped if reason not in wrong]
        page.lines = sorted([*page.lines, *back], key=lambda line: order.get(id(line), len(order)))
    return sorted(reason for reason in wrong if words[reason])


def _count(line: Line) -> int:
    return len(line.plain.split())
