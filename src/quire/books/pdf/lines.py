"""Lines of a PDF page with their geometry, as PDFium sees them."""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pypdfium2.raw as pdfium

from quire.books.pdf.glyphs import VOID, bare, repair_page, show

# A gap of so many type sizes parts two columns, not two words; in a single column it is closed again.
COLUMN_GAP = 1.2
# Note marks are kept between these two until it is known whether the page has notes.
MARK_OPEN, MARK_CLOSE = "\ue000", "\ue001"
_BREAK = re.compile(r"\r\n|\r|\n|(?<=[\ufffe\x02\u00ad])")
_SPACE = re.compile("(?<! ) (?=[^ \u00a0])")
_CUT = "\ufffe\x02\u00ad"
# The hyphen of Unicode, which some typesetters put at line ends while the author's own is `-`.
_HYPHEN = "\u2010"
_IN_LOWER = re.compile(r"[a-zà-ÿ][A-ZÀ-Ý]")
_MIXED = re.compile(r"[a-zà-ÿ][A-ZÀ-Ý]|[A-ZÀ-Ý]{2}")
_RAISED = re.compile(
    r"(?<=[^\s\d])[ ]?(\d{1,3}|[*†‡§¶‖]{1,3})(?=\s|$|[.,;:!?»”’)\]—])|^(\d{1,3}|"
    r"[*†‡§¶‖]{1,3})(?=\s*\S)|(?<=\s)(\d{1,3})(?=\s|$)"
)
_QUOTES = ("“", "‘", "«", '"', "'", "—")
_INITIAL = re.compile(r"[“‘«\"'—]?\s?([A-ZÀ-Ý][’']?)\s?([^\W\d_])|[“‘«\"'—]\s?[A-ZÀ-Ý]$")
_CONTROL = re.compile(r"[\x00-\x1f]")
_MARKS = re.compile(r"[\d*†‡§¶‖]")
_LABEL = re.compile(r"\d{1,3}|[*†‡§¶‖]{1,3}|[a-z]")
# Fonts in TeX's T1 encoding without a map to Unicode give their own codes.
_T1 = {
    0x10: "“", 0x11: "”", 0x12: "„", 0x13: "«", 0x14: "»", 0x15: "–", 0x16: "—", 0x17: "", 0x19: "ı", 0x1B: "ff",
    0x1C: "fi", 0x1D: "fl", 0x1E: "ffi", 0x1F: "ffl",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Line:
    """A line, or a piece of one.  Lengths in points; `y` is the baseline, upwards; `hyphen` says that its last word
    goes on in the next line, `own` that this hyphen was drawn apart from the word (typesetters do so with those that
    they put in themselves); `order` is the line's position in the file."""

    text: str
    left: float
    right: float
    y: float
    size: float
    page: int
    hyphen: bool = False
    order: int = 0
    own: bool = False

    @property
    def plain(self) -> str:
        """The text without note marks."""
        if MARK_OPEN not in self.text:
            return self.text
        return re.sub(f"{MARK_OPEN}[^{MARK_CLOSE}]*{MARK_CLOSE}", "", self.text)


def page_text(page: Any) -> str:
    """The characters of a text page; positions in it are PDFium's character indices."""
    count = pdfium.FPDFText_CountChars(page)
    if count <= 0:
        return ""
    buffer = (ctypes.c_ushort * (count + 1))()
    written = pdfium.FPDFText_GetText(page, 0, count, buffer)
    text = bytes(buffer)[: 2 * max(0, written - 1)].decode("utf-16-le", "surrogatepass")
    if len(text) == count and not re.search("[\ud800-\udfff]", text):
        return text
    # Characters beyond the first plane, or such as PDFium leaves out: one by one.
    return "".join(chr(pdfium.FPDFText_GetUnicode(page, index) or 0xFFFD) for index in range(count))


def page_lines(page: Any, number: int, text: str) -> list[Line]:
    """All pieces of lines of a text page in the order of the file, those of one baseline joined.

    `text` has its characters, in places that are PDFium's.
    """
    probe = Probe(page)
    text = repair_page(probe, text)
    pieces: list[Line] = []
    start = 0
    for match in [*_BREAK.finditer(text), None]:
        stop = match.start() if match else len(text)
        for begin, end in _split_wide(probe, text, start, stop):
            cut = _find_initial(probe, text, begin, end)
            if cut is not None:
                pieces.append(_initial_piece(probe, text, begin, cut, number, pieces))
                if cut == end:
                    continue
            initial = bool(pieces) and len(pieces[-1].text) <= 3 and pieces[-1].size > 1.6 * probe.size(cut or begin)
            piece = _piece(probe, text, cut or begin, end, number, len(pieces), initial)
            if piece is not None:
                pieces.append(piece)
        start = match.end() if match else stop
    return _join_pieces(pieces)


class Probe:
    """Questions about single characters of a text page, without a new buffer for each."""

    def __init__(self, page: Any) -> None:
        self._page = page
        self._x, self._y = ctypes.c_double(), ctypes.c_double()
        self._box = pdfium.FS_RECTF()
        self._matrix = pdfium.FS_MATRIX()

    def origin(self, index: int) -> tuple[float, float]:
        """x and y of a character's origin on the baseline."""
        pdfium.FPDFText_GetCharOrigin(self._page, index, self._x, self._y)
        return self._x.value, self._y.value

    def gap(self, before: int, after: int) -> float:
        """The white between two characters."""
        pdfium.FPDFText_GetCharOrigin(self._page, after, self._x, self._y)
        pdfium.FPDFText_GetLooseCharBox(self._page, before, self._box)
        return self._x.value - float(self._box.right)

    def right(self, index: int) -> float:
        """Where the character's advance ends."""
        pdfium.FPDFText_GetLooseCharBox(self._page, index, self._box)
        return float(self._box.right)

    def size(self, index: int) -> float:
        """The size at which the character is set on the page."""
        size = float(pdfium.FPDFText_GetFontSize(self._page, index))
        if pdfium.FPDFText_GetMatrix(self._page, index, self._matrix):
            size *= math.hypot(self._matrix.c, self._matrix.d)
        return size

    def is_drawn(self, index: int) -> bool:
        """Whether a character stands in the file; PDFium puts in spaces where it sees white between words."""
        return not pdfium.FPDFText_IsGenerated(self._page, index)

    def is_apart(self, letter: int, hyphen: int) -> bool:
        """Whether a hyphen is not of the word before it: another object of the page draws it, or no glyph of its own
        does (then it stands where the letter does)."""
        if self._drawn_by(letter) != self._drawn_by(hyphen):
            return True
        return abs(self.origin(hyphen)[0] - self.origin(letter)[0]) < 0.01

    def _drawn_by(self, index: int) -> int:
        return ctypes.cast(pdfium.FPDFText_GetTextObject(self._page, index), ctypes.c_void_p).value or 0


def _split_wide(probe: Probe, text: str, start: int, stop: int) -> list[tuple[int, int]]:
    """A run of characters cut where a wide white stripe parts two columns that PDFium took for one line."""
    cuts = [start]
    for space in _SPACE.finditer(text, start + 1, stop - 1):
        after = space.end()
        gap = probe.gap(after - 2, after)
        if gap > 6 and gap > COLUMN_GAP * probe.size(after):
            cuts.append(after)
    return list(zip(cuts, [*cuts[1:], stop], strict=True))


def _find_initial(probe: Probe, text: str, start: int, stop: int) -> int | None:
    """Where in a run of characters a large initial ends that hangs below the first line: its own baseline is that of
    another line, though PDFium gives both in one."""
    opening = _INITIAL.match(text, start, start + len(text[start:stop].rstrip()))
    if opening is None:
        return None
    if opening[1] is None:
        # Nothing but the initial and the small quotation mark before it.
        last = opening.end() - 1
        return stop if probe.size(last) >= 1.6 * probe.size(start) else None
    initial, follow = opening.start(1), opening.start(2)
    small = probe.size(follow)
    if probe.size(initial) < 1.6 * small or probe.origin(follow)[1] - probe.origin(initial)[1] < 0.5 * small:
        return None
    # The apostrophe of `L’` or `I’` may be as large.
    last = opening.end(1) - 1
    return opening.end(1) if probe.size(last) >= 1.6 * small else initial + 1


def _initial_piece(probe: Probe, text: str, start: int, stop: int, page: int, pieces: list[Line]) -> Line:
    """A large initial as a line of its own; a quotation mark before it stands apart at the height of the first line."""
    last = stop - 1
    left, y = probe.origin(start)[0], probe.origin(last)[1]
    shown = show(text[start:stop]).strip()
    size = probe.size(last)
    if pieces and pieces[-1].text.strip() in _QUOTES and 0 <= left - pieces[-1].right < 0.5 * size:
        shown = f"{pieces.pop().text.strip()}{shown}"
    return Line(shown, left, probe.right(last), y, size, page, order=len(pieces))


def _piece(probe: Probe, text: str, start: int, stop: int, page: int, order: int, initial: bool = False) -> Line | None:
    """The line of a run of characters; `initial`: a large initial stands before it."""
    raw = text[start:stop].rstrip(" \t" + VOID)
    body = raw.rstrip(" \t" + VOID + _CUT + _HYPHEN)
    if raw.endswith(_HYPHEN) and not body[-1:].isalpha():
        body = raw
    first = start + len(raw) - len(raw.lstrip(" \t"))
    last = start + len(body) - 1
    if last < first:
        return None
    left, y = probe.origin(first)
    size = own = probe.size(first)
    if last - first > 3:
        # A raised figure or a small capital may come first: the size of most of the line counts.
        size, other = (probe.size(_no_space(text, first + (last - first) * third // 3)) for third in (1, 2))
        if abs(size - other) > 0.01 * size:
            size = sorted((own, size, other, probe.size(last)))[-2]
        if own < 0.85 * size:
            y = probe.origin((first + last) // 2)[1]
    shown = _lower_small_capitals(probe, text, first, last + 1, initial)
    shown = _mark_notes(probe, shown, first, last + 1, size, y)
    end = start + len(raw) - 1
    hyphen = end > last
    apart = hyphen and (text[end] == _HYPHEN or probe.is_apart(last, end))
    return Line(_repair(shown), left, probe.right(last), y, size, page, hyphen, order, apart)


def _no_space(text: str, index: int) -> int:
    """The place itself, or that of the next character that is no space: those that PDFium puts in have no true size."""
    while text[index].isspace():
        index += 1
    return index


def _lower_small_capitals(probe: Probe, text: str, first: int, stop: int, initial: bool = False) -> str:
    """The text of a page with the capitals of one line in lower case that stand for it: smaller ones amid larger."""
    if not _MIXED.search(text, first, stop):
        return text
    line = [bare(char) for char in text[first:stop]]
    sizes = [probe.size(first + index) if char.isalpha() else 0.0 for index, char in enumerate(line)]
    largest = max(sizes)
    small = [0.6 * largest < size < 0.88 * largest for size in sizes]
    if not any(small):
        return text
    # A full capital passes into small ones.
    passes = [abs(size - largest) < 0.01 and low for size, low in zip(sizes, small[1:], strict=False)]
    if not (
        any(passes) or (initial and small[0]) or _IN_LOWER.search("".join(line)) or _opens_small("".join(line), small)
    ):
        return text
    chars = list(text[first:stop])
    for index, char in enumerate(chars):
        if small[index]:
            chars[index] = chr(ord(char) - ord(line[index]) + ord(line[index].lower()))
        elif _is_full(line, small, passes, index):
            # Fonts may call the capital by the small letter that has its shape.
            chars[index] = chr(ord(char) - ord(line[index]) + ord(line[index].upper()[:1]))
    return text[:first] + "".join(chars) + text[stop:]


def _is_full(line: Sequence[str], small: Sequence[bool], passes: Sequence[bool], index: int) -> bool:
    """Whether a letter that is not small begins a word in small capitals, or is a word by itself before one."""
    if index and line[index - 1].isalpha():
        return False
    lone = line[index] in "aioàôy" and line[index + 1 : index + 2] == [" "] and small[index + 2 : index + 3] == [True]
    return lone or (index < len(passes) and passes[index])


def _opens_small(line: str, small: Sequence[bool]) -> bool:
    """Whether a line begins with a word of one full letter and goes on with two or more words in small capitals."""
    opening = re.match(r"\W?[AIOÀÔY] ((?:\w+[’',]? ?)*)", line)
    if opening is None or any(small[: opening.start(1)]):
        return False
    words = [match for match in re.finditer(r"\w+", line[: opening.end()]) if match.start() >= opening.start(1)]
    return len(words) > 1 and all(all(small[word.start() : word.end()]) for word in words[:2])


def _mark_notes(probe: Probe, text: str, first: int, stop: int, size: float, y: float) -> str:
    """The text with raised small figures between note marks."""
    if not _MARKS.search(text, first, stop):
        return text[first:stop]
    shown: list[str] = []
    position = first
    for match in _RAISED.finditer(text, first, stop):
        group = next(number for number in (1, 2, 3) if match[number])
        begin, end = match.span(group)
        _, height = probe.origin(begin)
        if (
            probe.size(begin) < 0.82 * size
            and height > y + 0.12 * size
            or (match[group][0] in "*†‡§¶‖" and begin > first)
        ):
            shown += [
                text[position : match.start()] if group == 1 else text[position:begin],
                MARK_OPEN,
                match[group],
                MARK_CLOSE,
            ]
            position = end
    shown.append(text[position:stop])
    return "".join(shown)


def _repair(text: str) -> str:
    text = show(text)
    if _CONTROL.search(text):
        return "".join(_T1.get(ord(char), char) if ord(char) < 32 else char for char in text)
    return text


def _join_pieces(pieces: Sequence[Line]) -> list[Line]:
    """Pieces that stand on one baseline, one right of the other, as one line."""
    joined: list[Line] = []
    for piece in pieces:
        last = joined[-1] if joined else None
        if last is not None and _is_label(last, piece):
            text = f"{MARK_OPEN}{last.text.strip()}{MARK_CLOSE}{piece.text}"
            joined[-1] = replace(piece, text=text, left=last.left, order=last.order)
            continue
        if last is not None and _same_line(last, piece):
            gap = piece.left - last.right
            raised = piece.y > last.y + 0.15 * last.size and piece.size < 0.85 * last.size
            text = piece.text
            if raised and re.fullmatch(r"\d{1,3}|[*†‡§¶‖]{1,3}", text):
                text = f"{MARK_OPEN}{text}{MARK_CLOSE}"
            space = " " if gap > 0.12 * last.size and not raised else ""
            big = last if last.size >= piece.size or len(last.text) > len(piece.text) else piece
            joined[-1] = replace(
                last,
                text=last.text + space + text,
                right=max(last.right, piece.right),
                size=big.size,
                hyphen=piece.hyphen,
                own=piece.own,
            )
            continue
        joined.append(piece)
    return joined


def is_initial(line: Line, beside: Line) -> bool:
    """Whether a piece is a large initial, which stands beside more lines than one."""
    return line.size >= 1.6 * beside.size and len(line.text.strip()) <= 3


def _is_label(last: Line, piece: Line) -> bool:
    """Whether a piece is the raised mark before a note's first words."""
    raised = 0.1 * piece.size < last.y - piece.y < 0.7 * piece.size and last.size < 0.85 * piece.size
    beside = -0.2 * piece.size <= piece.left - last.right <= COLUMN_GAP * piece.size
    return raised and beside and bool(_LABEL.fullmatch(last.text.strip()))


def _same_line(last: Line, piece: Line) -> bool:
    if is_initial(last, piece):
        return False
    size = max(last.size, piece.size)
    near = abs(piece.y - last.y) <= 0.2 * size or (
        min(last.size, piece.size) < 0.85 * size
        and -0.1 * size <= piece.y - last.y <= 0.55 * size
        and piece.size < last.size
    )
    return near and not last.hyphen and -0.3 * size <= piece.left - last.right <= COLUMN_GAP * size
