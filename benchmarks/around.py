"""What stands around the paragraphs of a book: headings, running lines, notes, and the hyphens at line ends."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from benchmarks.align import align
from benchmarks.truth import Count, Measured, Truth, plain, words_of
from quire.books.book import Book

# What stands at the edge of many pages without being a running line.
_LABEL = re.compile(r"Fig\b|Fig\.")
_CUT = "\ufffe\x02\xad"
_MARKS = re.compile("[*†‡§¶‖⁎¹²³⁴-⁹]")
_FOLIO = re.compile(
    r"\d{1,4}|[ivxlc]{1,7}|(?:page|p) \d{1,4}|(?:page )?\d{1,4} (?:of|sur|de|/) \d{1,4}|\d{1,3} \d{1,4}"
)
# The share of a note's words that makes a page its own.
_ON_PAGE = 0.3
# Lines of headings that may be one, and headings that may be one line.
_MOST = 4


def score_headings(result: Measured, book: Book, truth: Truth) -> tuple[list[str], list[str]]:
    """True headings that are headings, in order; returns those that are none, and true ones that are lost."""
    lines = []
    for chapter in book.chapters:
        lines += chapter.heading.split("\n")
        lines += [line for block in chapter.blocks if block.kind == "heading" for line in block.text.split("\n")]
    ours = [plain(line) for line in lines if plain(line)]
    if truth.headings is None:
        return [], []
    # What stands on the title page may be the book's title or be left out with that page.
    known = plain(f"{book.title} {book.author} {' '.join(item.text for item in book.dropped)}")
    wanted = [plain(line) for line in truth.headings if plain(line)]
    right: set[int] = set()
    used: set[int] = set()
    place = 0
    for n in range(len(wanted)):
        if n in right:
            continue
        match = _find(wanted, n, ours, place)
        if match:
            place, taken, shown = match
            right |= set(range(n, n + taken))
            used |= set(range(place - shown, place))
        elif place == 0 and f" {wanted[n]} " in f" {known} ":
            right.add(n)
    result.headings = Count(len(right), len(wanted))
    titles = Counter(plain(name) for name in (book.title, book.author))
    made_up = []
    for m, line in enumerate(ours):
        if m in used:
            continue
        if titles[line] > 0:
            titles[line] -= 1
        else:
            made_up.append(line)
    result.headings_made_up = len(made_up)
    lost = [wanted[n] for n in range(len(wanted)) if n not in right]
    result.show("headings lost", lost)
    result.show("headings made up", made_up)
    return made_up, lost


def _find(wanted: list[str], n: int, ours: list[str], place: int) -> tuple[int, int, int] | None:
    """Where heading `n` stands from `place` on: the place after it, how many headings that took, and lines.

    A heading may be set in several lines, and several may be one line; a part of a line is none.
    """
    for m in range(place, len(ours)):
        for count in range(1, _MOST):
            if " ".join(wanted[n : n + count]) == ours[m]:
                return m + 1, min(count, len(wanted) - n), 1
            if " ".join(ours[m : m + count]) == wanted[n]:
                shown = min(count, len(ours) - m)
                return m + shown, 1, shown
    return None


def score_furniture(
    result: Measured,
    truth: Truth,
    extra: list[list[str]],
    ours: list[list[str]],
    pages: Sequence[str],
    made_up: Sequence[str],
) -> None:
    """Lines of heads and folios that stand in the text, or that were taken for headings."""
    if truth.part:
        # Whole lines at the edge of a page, with their folio: they stand nowhere else.
        text = " " + " | ".join(plain(" ".join(words)) for words in ours) + " "
        edges = {plain(line) for line in _edge_lines(pages) if not _LABEL.match(line)}
        leaked = [line for line in edges if re.search(r"\d", line) and not line.isdigit() and f" {line} " in text]
        leaked += [words[0] for words in ours if len(words) == 1 and words[0].isdigit() and words[0] in edges]
    else:
        heads = {plain(head) for head in truth.furniture} - {""}
        alone = {plain(" ".join(words)) for words in ours if len(words) < _MOST}
        leaked = []
        for run in extra:
            line = plain(" ".join(run))
            if _is_mark(line, truth) and line not in alone:
                # The number of a note amid a paragraph.
                result.marks_left += 1
                continue
            if any(f" {head} " in f" {line} " for head in heads) or (pages and _FOLIO.fullmatch(line)):
                leaked.append(line)
        if pages:
            leaked += [line for line in made_up if _without_folio(line) in heads or line.isdigit()]
    result.furniture = len(leaked)
    result.show("furniture", leaked)


def _is_mark(line: str, truth: Truth) -> bool:
    return bool(truth.notes) and line.isdigit() and 0 < int(line) <= len(truth.notes or ())


def _without_folio(line: str) -> str:
    return re.sub(r"^\d+ | \d+$", "", line)


def _edge_lines(pages: Sequence[str]) -> list[str]:
    """First and last lines of pages, where at least two others are alike but for their figures."""
    edges = []
    for page in pages:
        lines = [line.strip() for line in page.splitlines() if line.strip()]
        edges += [*lines[:1], *lines[1:][-1:]]
    masks = Counter(re.sub(r"\d+", "#", line) for line in edges)
    return [line for line in edges if masks[re.sub(r"\d+", "#", line)] > 2]


def furniture_of(pages: Sequence[str]) -> tuple[str, ...]:
    """Running heads as the raw text shows them, without their figures."""
    return tuple(sorted({re.sub(r"\d+", "", line).strip() for line in _edge_lines(pages)} - {""}))


def score_notes(result: Measured, book: Book, truth: Truth, extra: list[list[str]], pages: Sequence[str]) -> None:
    """Notes kept aside, those of them that name their page, and those of which a line or their mark stands in the text.

    Each note wants a note of its own: two that are joined count once.
    """
    if not truth.notes:
        return
    aside = [(note, plain(note.text)) for note in book.notes]
    text = " | ".join(plain(" ".join(run)) for run in extra)
    # In the raw text a note's number touches its first word.
    raw = [_unhyphened(re.sub(r"\b\d{1,3}(?=[^\W\d_])", " ", page)) for page in pages]
    right, placed, leaked, lost = 0, 0, [], []
    free = set(range(len(aside)))
    for note in truth.notes:
        grams = _grams_of(note)
        if sum(f" {gram} " in f" {text} " for gram in grams) >= min(2, len(grams)):
            leaked.append(note)
        kept = [n for n in sorted(free) if share(note, aside[n][1]) >= 0.9]
        if not kept:
            lost.append(note)
            continue
        free.discard(kept[0])
        right += 1
        place = aside[kept[0]][0].place
        # A third of its words: the raw text may have other signs for ligatures, and a long note goes on overleaf.
        on_page = 0 < place.number <= len(raw) and share(_unhyphened(note), raw[place.number - 1]) >= _ON_PAGE
        placed += place.unit == "page" and on_page
    result.notes = Count(right, len(truth.notes))
    result.notes_on_page = Count(placed, right) if pages else None
    result.notes_leaked = len(leaked)
    if not truth.part:
        blocks = [block.text for chapter in book.chapters for block in chapter.blocks if block.kind != "break"]
        left = Counter(_MARKS.findall("\n".join(blocks))) - Counter(_MARKS.findall("\n".join(truth.body)))
        result.marks_left += left.total()
        result.show("marks left", left.elements())
    result.show("notes leaked", leaked)
    result.show("notes lost", lost)


def _unhyphened(text: str) -> str:
    """The words without any hyphen, so that it matters not which of them a line end cuts."""
    return plain(re.sub(rf"(?:[{_CUT}]|[-‐])\s*", "", text))


def _grams_of(note: str) -> list[str]:
    """The words of a note, four at a time."""
    words = plain(note).split()
    size = min(4, len(words))
    return [" ".join(words[n : n + size]) for n in range(len(words) - size + 1)]


def share(note: str, text: str) -> float:
    """How much of a note's words, four at a time, a text holds."""
    grams = _grams_of(note)
    return sum(f" {gram} " in f" {text} " for gram in grams) / max(1, len(grams))


def score_hyphens(result: Measured, pages: Sequence[str], true: list[str], aligned: set[int]) -> Count:
    """Words that a line end cuts in the raw text: how many of them came out as in the true text."""
    raw: list[str] = []
    cuts: list[int] = []
    for page in pages:
        for piece in re.split(rf"(?<=\w)(?:[{_CUT}]|[-‐]\r?\n)", page):
            raw += words_of(piece)
            cuts.append(len(raw) - 1)
        cuts.pop()
    right, count, wrong = 0, 0, []
    partner = {j: i for i, j in align(true, raw)}
    for cut in cuts:
        place = partner.get(cut - 1, -2) + 1
        if place < 0:
            after = partner.get(cut + 2)
            place = after - 1 if after else -1
        if not 0 <= place < len(true):
            continue
        word, half = true[place], raw[cut]
        if len(word) > len(half) and word.startswith(half):
            count += 1
            right += place in aligned
            if place not in aligned:
                wrong.append(f"{half}- → {word}")
    result.show("hyphens", wrong)
    return Count(right, count)
