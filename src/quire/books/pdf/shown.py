"""What of a PDF page a reader sees: the page turned upright, with hidden text, watermarks and slugs taken out first.

All of it happens on PDFium's page objects, before the text of the page is asked for: what is taken out is not there
when lines are made.
"""

from __future__ import annotations

import ctypes
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import pypdfium2.raw as pdfium

from quire.books.pdf.boxes import (
    MOST_STRIPES,
    SAME,
    Box,
    Matrix,
    area,
    is_outside,
    lies_in,
    quarter,
    share_covered,
    times,
    turning,
)

# Forms nest, and files from strangers may nest them without end, or draw without end.
MOST_DEPTH = 8
MOST_OBJECTS = 200_000
# An invisible layer over pictures is what text recognition leaves, when they cover so much of the page.
SCAN_COVERAGE = 0.78
# Text smaller than a point is not there to be read, unless the page is drawn that small throughout.
TINY = 1.0
_INVISIBLE, _CLIP = 3, 7
# Marks nest, a few deep; and of the shapes on a page the largest are what white text stands on.
MOST_MARKS = 32
MOST_GROUNDS = 300

Hiding = Literal[
    "hidden text", "text outside the page", "text set sideways", "text that cannot be read", "running head"
]


@dataclass(slots=True)
class _Text:
    """A text object: its box on the page, the direction of its writing in quarter turns (None for a slant), and how
    it is drawn."""

    handle: Any
    box: Box
    turn: int | None
    size: float
    weight: float
    mirrored: bool
    unseen: bool
    white: bool
    artifact: bool
    off: bool
    order: int
    # Whether anything of this (but where it stands) may be a reason to leave it out.
    odd: bool


@dataclass
class _Drawing:
    """Everything on a page, sorted by what it is."""

    texts: list[_Text] = field(default_factory=list)
    pictures: list[tuple[Box, int]] = field(default_factory=list)
    # Coloured shapes and pictures that white text may stand on.
    grounds: list[Box] = field(default_factory=list)
    shapes: int = 0
    count: int = 0


@dataclass
class Shown:
    """A page made ready: its size as text is read on it, what was taken out, how much pictures cover, whether its text
    is a layer that a machine recognised, and how many pieces of text are left."""

    width: float
    height: float
    hidden: list[tuple[Hiding, str]]
    coverage: float
    shapes: int
    recognised: bool
    texts: int


class Sight:
    """Looks at the pages of one document, without new buffers for each."""

    def __init__(self, tagged: bool, layers: Callable[[], frozenset[str]] = frozenset) -> None:
        """`layers` gives the names of the layers that are off; it is asked only where a page has any."""
        self._tagged = tagged
        self._layers = layers
        self._off: frozenset[str] | None = None
        self._box = [ctypes.c_float() for _ in range(4)]
        self._edges = tuple(ctypes.byref(edge) for edge in self._box)
        self._matrix = pdfium.FS_MATRIX()
        self._at = ctypes.byref(self._matrix)
        self._size = ctypes.c_float()
        self._at_size = ctypes.byref(self._size)
        self._colour = [ctypes.c_uint() for _ in range(4)]
        self._inks = tuple(ctypes.byref(ink) for ink in self._colour)
        self._name = (ctypes.c_ushort * 128)()
        self._length = ctypes.c_ulong()

    def prepare(self, page: Any) -> Shown:
        """Take out of an open page what is not seen, and turn it so that most of its text stands upright."""
        raw = page.raw
        # The box that is shown: PDFium puts the media box and the crop box together, whatever way round they are given.
        left, bottom, right, top = page.get_bbox()
        drawing = _Drawing()
        self._walk(drawing, raw, SAME, False, 0)
        # The writing says which way is up; PDFium would sort lines by how the page is to be turned for display.
        upright = _main_turn(drawing.texts)
        pdfium.FPDFPage_SetRotation(raw, 0)
        coverage = share_covered([box for box, _ in drawing.pictures], (left, bottom, right, top))
        recognised = coverage >= SCAN_COVERAGE and _is_layer(drawing)
        gone = self._sort_out(drawing, (left, bottom, right, top), upright, recognised)
        hidden = _take_out(raw, gone) if gone else []
        width, height = right - left, top - bottom
        turn = turning(upright, left, bottom, right, top)
        if turn != SAME:
            for number in range(pdfium.FPDFPage_CountObjects(raw)):
                pdfium.FPDFPageObj_Transform(pdfium.FPDFPage_GetObject(raw, number), *turn)
            if upright % 2:
                width, height = height, width
        # What is drawn twice in one place for weight is one piece of text.
        texts = len({text.box for text in drawing.texts}) - len({text.box for _, text in gone})
        return Shown(width, height, hidden, coverage, drawing.shapes, recognised, texts)

    def _walk(self, drawing: _Drawing, holder: Any, outer: Matrix, off: bool, depth: int) -> None:
        """See everything on a page (at depth 0), or in a form on it."""
        count, item = (
            (pdfium.FPDFFormObj_CountObjects(holder), pdfium.FPDFFormObj_GetObject)
            if depth
            else (pdfium.FPDFPage_CountObjects(holder), pdfium.FPDFPage_GetObject)
        )
        for number in range(count):
            drawing.count += 1
            if drawing.count > MOST_OBJECTS:
                return
            handle = item(holder, number)
            kind = pdfium.FPDFPageObj_GetType(handle)
            if kind == pdfium.FPDF_PAGEOBJ_TEXT:
                self._see_text(drawing, handle, outer, off)
            elif kind == pdfium.FPDF_PAGEOBJ_FORM:
                if depth < MOST_DEPTH:
                    inner = times(self._matrix_of(handle), outer)
                    self._walk(drawing, handle, inner, off or self._marks(handle)[1], depth + 1)
            elif kind in (pdfium.FPDF_PAGEOBJ_IMAGE, pdfium.FPDF_PAGEOBJ_SHADING):
                box = self._bounds(handle, outer)
                drawing.grounds.append(box)
                if kind == pdfium.FPDF_PAGEOBJ_IMAGE:
                    drawing.pictures.append((box, drawing.count))
            elif kind == pdfium.FPDF_PAGEOBJ_PATH:
                drawing.shapes += 1
                if not self._is_white(handle):
                    drawing.grounds.append(self._bounds(handle, outer))

    def _see_text(self, drawing: _Drawing, handle: Any, outer: Matrix, off: bool) -> None:
        a, b, c, d, _, _ = times(self._matrix_of(handle), outer)
        artifact, switched_off = self._marks(handle)
        pdfium.FPDFTextObj_GetFontSize(handle, self._at_size)
        size = self._size.value
        if size < 0:
            a, b, c, d, size = -a, -b, -c, -d, -size
        box = self._bounds(handle, outer)
        mode = pdfium.FPDFTextObj_GetTextRenderMode(handle)
        size *= math.hypot(c, d)
        length = min(1e4, max(box[2] - box[0], box[3] - box[1]))
        mirrored, unseen, off = a * d - b * c < 0, mode in (_INVISIBLE, _CLIP), off or switched_off
        white = mode == 0 and self._is_white(handle)
        drawing.texts.append(
            _Text(
                handle=handle,
                box=box,
                turn=quarter(a, b),
                size=size,
                weight=length,
                mirrored=mirrored,
                unseen=unseen,
                white=white,
                artifact=artifact,
                off=off,
                order=drawing.count,
                odd=mirrored or unseen or white or artifact or off or size < TINY,
            )
        )

    def _matrix_of(self, handle: Any) -> Matrix:
        if not pdfium.FPDFPageObj_GetMatrix(handle, self._at):
            return SAME
        matrix = self._matrix
        return (matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f)

    def _bounds(self, handle: Any, outer: Matrix) -> Box:
        if not pdfium.FPDFPageObj_GetBounds(handle, *self._edges):
            return (0.0, 0.0, 0.0, 0.0)
        west, south, east, north = self._box
        left, bottom, right, top = west.value, south.value, east.value, north.value
        if not math.isfinite(left + bottom + right + top):
            return (0.0, 0.0, 0.0, 0.0)
        if outer is SAME:
            return (left, bottom, right, top)
        a, b, c, d, e, f = outer
        xs = [a * x + c * y + e for x in (left, right) for y in (bottom, top)]
        ys = [b * x + d * y + f for x in (left, right) for y in (bottom, top)]
        return (min(xs), min(ys), max(xs), max(ys))

    def _is_white(self, handle: Any) -> bool:
        """Whether a thing is filled with white, or with nothing."""
        if not pdfium.FPDFPageObj_GetFillColor(handle, *self._inks):
            return False
        red, green, blue, alpha = self._colour
        return alpha.value <= 8 or (red.value >= 250 and green.value >= 250 and blue.value >= 250)

    def _marks(self, handle: Any) -> tuple[bool, bool]:
        """Whether the document says that a thing is no part of its text (a head, a folio), and whether it lies on a
        layer that is off."""
        artifact = off = False
        for number in range(min(MOST_MARKS, pdfium.FPDFPageObj_CountMarks(handle))):
            mark = pdfium.FPDFPageObj_GetMark(handle, number)
            if not pdfium.FPDFPageObjMark_GetName(mark, self._name, 256, ctypes.byref(self._length)):
                continue
            name = self._read_name()
            if name == "Artifact":
                artifact = self._tagged
            elif name == "OC" and pdfium.FPDFPageObjMark_GetParamStringValue(
                mark, b"Name", self._name, 256, ctypes.byref(self._length)
            ):
                if self._off is None:
                    self._off = self._layers()
                off = off or self._read_name() in self._off
        return artifact, off

    def _read_name(self) -> str:
        return bytes(self._name)[: max(0, min(256, self._length.value) - 2)].decode("utf-16-le", "replace")

    def _sort_out(self, drawing: _Drawing, crop: Box, upright: int, recognised: bool) -> list[tuple[Hiding, _Text]]:
        """The texts that are not for reading, each with the reason."""
        texts = drawing.texts
        doubtful = [text for text in texts if text.turn != upright or text.odd or is_outside(text.box, crop)]
        if not doubtful:
            return []
        usual = _usual_size(texts)
        grounds = sorted(drawing.grounds, key=area)[-MOST_GROUNDS:]
        # What holds for most of a page's text is how the page is made, and hides nothing.
        layer = recognised or _most(texts, [text.unseen for text in texts], 0.75)
        pale = _most(texts, [text.white for text in texts], 0.5)
        mirror = _most(texts, [text.mirrored for text in texts], 0.5)
        slanted = _most(texts, [text.turn is None for text in texts], 0.5)
        artifacts = sum(text.weight for text in texts if text.artifact)
        # On the last page of a chapter the head may be longer than the line of text under it.
        a_head = artifacts <= crop[2] - crop[0] and any(not text.artifact for text in texts)
        tagged = a_head or not _most(texts, [text.artifact for text in texts], 0.4)
        gone: list[tuple[Hiding, _Text]] = []
        for text in texts if mirror else doubtful:
            if is_outside(text.box, crop):
                gone.append(("text outside the page", text))
            elif (
                text.off
                or (text.unseen and not layer)
                or (text.white and not text.unseen and not pale and not _has_ground(text, grounds))
                or (text.mirrored != mirror)
                or (text.size < TINY and text.box[3] - text.box[1] < TINY and usual >= 4 * TINY)
            ):
                gone.append(("hidden text", text))
            elif text.turn != upright and not text.mirrored and not slanted:
                gone.append(("text set sideways", text))
            elif text.artifact and tagged:
                gone.append(("running head", text))
        return gone


def _most(texts: Sequence[_Text], which: Sequence[bool], share: float) -> bool:
    """Whether texts of some kind are more than a share of a page's."""
    weight = sum(text.weight for text, chosen in zip(texts, which, strict=True) if chosen)
    return weight > share * sum(text.weight for text in texts)


def _main_turn(texts: Sequence[_Text]) -> int:
    """The direction in which most of a page is written."""
    weights: Counter[int] = Counter()
    for text in texts:
        if text.turn is not None:
            weights[text.turn] += 1 + int(text.weight)
    return weights.most_common(1)[0][0] if weights else 0


def _usual_size(texts: Sequence[_Text]) -> float:
    sizes: Counter[float] = Counter()
    for text in texts:
        sizes[round(text.size, 1)] += 1 + int(text.weight)
    return sizes.most_common(1)[0][0] if sizes else 0.0


def _has_ground(text: _Text, grounds: Sequence[Box]) -> bool:
    """Whether something coloured lies behind the middle of a white text (or over it: typesetters knock it out)."""
    return any(lies_in(text.box, ground) for ground in grounds)


def _is_layer(drawing: _Drawing) -> bool:
    """Whether the text over or under a page's pictures is not drawn to be seen: invisible, or painted over."""
    texts, pictures = drawing.texts, drawing.pictures[:MOST_STRIPES]
    covered = [
        text.unseen or any(text.order < order and lies_in(text.box, box) for box, order in pictures) for text in texts
    ]
    return _most(texts, covered, 0.5)


def _take_out(raw: Any, gone: Sequence[tuple[Hiding, _Text]]) -> list[tuple[Hiding, str]]:
    """Switch the texts off; what they said, line by line as they stand in the file."""
    text_page = pdfium.FPDFText_LoadPage(raw)
    said: list[tuple[Hiding, str]] = []
    last: tuple[Hiding, Box] | None = None
    for reason, text in gone:
        words, box = _said_by(text.handle, text_page), text.box
        if last is not None and last[0] == reason and _goes_on(last[1], box):
            apart = "" if abs(box[0] - last[1][2]) < 1 or abs(box[1] - last[1][3]) < 1 else " "
            said[-1] = (reason, f"{said[-1][1]}{apart}{words}")
        else:
            said.append((reason, words))
        last = (reason, box)
    pdfium.FPDFText_ClosePage(text_page)
    for _, text in gone:
        pdfium.FPDFPageObj_SetIsActive(text.handle, False)
    return said


def _goes_on(box: Box, following: Box) -> bool:
    """Whether two pieces of text stand in one line, or one above the other."""
    return abs(box[0] - following[0]) < 1 or abs(box[1] - following[1]) < 1


def _said_by(handle: Any, text_page: Any) -> str:
    size = pdfium.FPDFTextObj_GetText(handle, text_page, None, 0)
    if size <= 2:
        return ""
    buffer = (ctypes.c_ushort * (size // 2 + 1))()
    pdfium.FPDFTextObj_GetText(handle, text_page, buffer, size)
    text = bytes(buffer)[: size - 2].decode("utf-16-le", "replace")
    return "".join(char if char.isprintable() else " " for char in text)
