"""One book as a reader gives it, measured against its true text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from benchmarks.align import Pairs, align
from benchmarks.around import score_furniture, score_headings, score_hyphens, score_notes
from benchmarks.truth import Count, Measured, Truth, plain, words_of
from quire.books.book import Book

_SIGN = re.compile(r"\w+|[^\w\s]")
# Ligatures, soft hyphens, and the codes of fonts that name no characters.
_SIGNS_OF_FONTS = re.compile("[\ufb00-\ufb06\u00ad\u0002\u0010-\u001f\ufffe\ufffd]")
# Runs of characters that anchor within a passage where the words differ.
_LETTERS = (16, 8, 4)
# So many words in a row, missing here and too many there, have moved.
_MOVED = 5


def measure(result: Measured, book: Book, truth: Truth, pages: Sequence[str] = ()) -> Measured:
    """Fill in the figures.  `pages` is the raw text of each page of a PDF."""
    free = {plain(text) for text in truth.either}
    ours = [text for text in _blocks(book, truth.titled) if plain(text) not in free]
    true = [words_of(text) for text in truth.body]
    found = [words_of(text) for text in ours]
    a = [word for words in true for word in words]
    b = [word for words in found for word in words]
    pairs = align(a, b)
    aligned = {i for i, _ in pairs}
    extra = runs(found, {j for _, j in pairs})
    missing = runs(true, aligned)
    result.words = len(b)
    result.recall = len(pairs) / max(1, len(a))
    result.chapters, result.dropped = len(book.chapters), len(book.dropped)
    result.text_bytes = len(book.text.encode())
    result.unrepaired = len(_SIGNS_OF_FONTS.findall(book.text))
    result.letters = _letters(truth.body, ours, truth.part)
    if not truth.part:
        result.precision = len(pairs) / max(1, len(b))
        result.edges = _edges(result, true, found, pairs)
        result.paragraphs = _whole(true, found)
        _verse(result, truth, ours)
        result.show("extra", (" ".join(run) for run in sorted(extra, key=len, reverse=True)))
    if truth.breaks is not None:
        made = sum(block.kind == "break" for chapter in book.chapters for block in chapter.blocks)
        result.breaks = Count(made, truth.breaks)
    result.show("missing", (" ".join(run) for run in sorted(missing, key=len, reverse=True)))
    result.moved = len(_grams(missing, _MOVED) & _grams(extra, _MOVED))
    made_up, lost = score_headings(result, book, truth)
    # A word in other letters is no folio, and a heading that stands in the text is a heading that is lost.
    known = {plain(" ".join(run)) for run in missing} | set(lost)
    score_furniture(result, truth, [run for run in extra if plain(" ".join(run)) not in known], found, pages, made_up)
    score_notes(result, book, truth, found if truth.part else extra, pages)
    if pages:
        result.pages = len(pages)
        result.hyphens = score_hyphens(result, pages, a, aligned)
    return result


def _blocks(book: Book, titled: bool) -> list[str]:
    texts = []
    for chapter in book.chapters:
        if titled and chapter.title:
            texts.append(chapter.title)
        texts += [
            block.text for block in chapter.blocks if block.kind != "break" and (titled or block.kind != "heading")
        ]
    return [text for text in texts if words_of(text)]


def _letters(true: Iterable[str], ours: Iterable[str], part: bool) -> float:
    """F1 of the characters in order, white space aside; the share of the true ones where only a part is known."""
    a = [sign for text in true for sign in _SIGN.findall(text)]
    b = [sign for text in ours for sign in _SIGN.findall(text)]
    right = x = y = 0
    for i, j in [*align(a, b), (len(a), len(b))]:
        right += len(align("".join(a[x:i]), "".join(b[y:j]), _LETTERS))
        right += len(a[i]) if i < len(a) else 0
        x, y = i + 1, j + 1
    wanted, made = sum(map(len, a)), sum(map(len, b))
    return right / max(1, wanted) if part else 2 * right / max(1, wanted + made)


def _edges(result: Measured, true: list[list[str]], ours: list[list[str]], pairs: Pairs) -> float:
    """F1 of the places between two words where a paragraph ends."""
    to_true = {j: i for i, j in pairs}
    ends = set(_stops(true))
    made = {j: to_true.get(j, to_true.get(j + 1, 0) - 1) for j in _stops(ours)}
    right = ends & set(made.values())
    result.show("ends lost", _around(true, sorted(ends - right)))
    result.show("ends made up", _around(ours, [j for j, place in made.items() if place not in ends]))
    return 2 * len(right) / (len(ends) + len(made)) if ends or made else 1.0


def _around(paragraphs: list[list[str]], places: list[int]) -> list[str]:
    """The words on both sides of each place."""
    words = [word for one in paragraphs for word in one]
    return [f"{' '.join(words[max(0, at - 3) : at + 1])} | {' '.join(words[at + 1 : at + 5])}" for at in places]


def _stops(paragraphs: list[list[str]]) -> list[int]:
    """The index of the last word of every paragraph but the last."""
    stops, count = [], 0
    for words in paragraphs[:-1]:
        count += len(words)
        if words:
            stops.append(count - 1)
    return stops


def _whole(true: list[list[str]], ours: list[list[str]]) -> float:
    """F1 of paragraphs that have the same words, every one."""
    a, b = (Counter(" ".join(words) for words in side if words) for side in (true, ours))
    return 2 * (a & b).total() / max(1, a.total() + b.total())


def _verse(result: Measured, truth: Truth, ours: list[str]) -> None:
    a, b = (
        Counter(" ".join(words_of(line)) for text in side if "\n" in text for line in text.split("\n"))
        for side in (truth.body, ours)
    )
    a.pop("", None)
    b.pop("", None)
    result.verse = Count((a & b).total(), a.total()) if a else None
    result.verse_made_up = (b - a).total()
    result.show("verse lost", (a - b).elements())
    result.show("verse made up", (b - a).elements())


def runs(paragraphs: list[list[str]], aligned: set[int]) -> list[list[str]]:
    """The words without a partner, run by run; no run reaches over the edge of a paragraph."""
    found: list[list[str]] = []
    place = 0
    for words in paragraphs:
        run: list[str] = []
        for word in words:
            if place in aligned and run:
                found.append(run)
                run = []
            if place not in aligned:
                run.append(word)
            place += 1
        if run:
            found.append(run)
    return found


def _grams(found: Iterable[list[str]], length: int) -> set[tuple[str, ...]]:
    return {tuple(run[n : n + length]) for run in found for n in range(len(run) - length + 1)}
