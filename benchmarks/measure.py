"""One book as a reader gives it, measured against its true text."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from benchmarks.align import Pairs, align
from quire.books.book import Book

_WORD = re.compile(r"\w+(?:[’'\-‐‑]\w+)*")
_SIGN = re.compile(r"\w+|[^\w\s]")
# What stands at the edge of many pages without being a running line.
_LABEL = re.compile(r"Fig\b|Fig\.")
_CUT = "\ufffe\x02\xad"
# Ligatures, soft hyphens, and the codes of fonts that name no characters.
_SIGNS_OF_FONTS = re.compile("[\ufb00-\ufb06\u00ad\u0002\u0010-\u001f\ufffe\ufffd]")
# Runs of characters that anchor within a passage where the words differ.
_LETTERS = (16, 8, 4)


@dataclass(frozen=True)
class Truth:
    """What a reader should get of a book, and what it should leave out or lay aside.

    `body` is its paragraphs in order, verse with its line ends.  `furniture` are running heads without their folios.
    `part` is set where only some of the paragraphs are known, `titled` where headings stand among the paragraphs.
    None stands for what is not known.
    """

    body: tuple[str, ...]
    headings: tuple[str, ...] | None = None
    notes: tuple[str, ...] | None = None
    furniture: tuple[str, ...] = ()
    breaks: int | None = None
    language: str = "en"
    part: bool = False
    titled: bool = False


@dataclass(frozen=True)
class Count:
    """So many right of so many."""

    right: int
    all: int

    @property
    def share(self) -> float:
        return self.right / self.all if self.all else 1.0

    def __str__(self) -> str:
        return f"{self.right}/{self.all}"


@dataclass
class Measured:
    """The figures of one book.  None where the truth does not say."""

    name: str
    group: str
    language: str
    words: int = 0
    recall: float = 0.0
    precision: float | None = None
    letters: float = 0.0
    edges: float | None = None
    paragraphs: float | None = None
    verse: Count | None = None
    verse_made_up: int = 0
    headings: Count | None = None
    headings_made_up: int = 0
    breaks: Count | None = None
    furniture: int = 0
    notes: Count | None = None
    notes_on_page: Count | None = None
    notes_leaked: int = 0
    moved: int = 0
    unrepaired: int = 0
    hyphens: Count | None = None
    chapters: int = 0
    dropped: int = 0
    pages: int = 0
    text_bytes: int = 0
    source_bytes: int = 0
    seconds: float = 0.0
    refused: str = ""
    examples: dict[str, list[str]] = field(default_factory=dict)

    @property
    def f1(self) -> float | None:
        if self.precision is None:
            return None
        both = self.recall + self.precision
        return 2 * self.recall * self.precision / both if both else 0.0

    def show(self, kind: str, items: Iterable[str], most: int = 5) -> None:
        """Keep the first few of what went wrong."""
        kept = [item[:160] for item in items][:most]
        if kept:
            self.examples[kind] = kept


def words_of(text: str) -> list[str]:
    return _WORD.findall(
        text.replace("\u2019", "'").replace("\u2011", "-").replace("\u2010", "-").replace("\u2060", "")
    )


def paragraphs_of(text: str) -> tuple[str, ...]:
    return tuple(piece.strip("\n") for piece in re.split(r"\n\s*\n", text) if piece.strip())


def measure(result: Measured, book: Book, truth: Truth, pages: Sequence[str] = ()) -> Measured:
    """Fill in the figures.  `pages` is the raw text of each page of a PDF."""
    ours = _blocks(book, truth.titled)
    true = [[*words_of(text)] for text in truth.body]
    found = [[*words_of(text)] for text in ours]
    a = [word for words in true for word in words]
    b = [word for words in found for word in words]
    pairs = align(a, b)
    result.words = len(b)
    result.recall = len(pairs) / max(1, len(a))
    result.letters = _letters(truth.body, ours)
    result.chapters, result.dropped = len(book.chapters), len(book.dropped)
    result.text_bytes = len(book.text.encode())
    result.unrepaired = len(_SIGNS_OF_FONTS.findall(book.text))
    if not truth.part:
        result.precision = len(pairs) / max(1, len(b))
        result.edges = _edges(true, found, pairs)
        result.paragraphs = _whole(true, found)
        _verse(result, truth, ours)
    if truth.breaks is not None:
        made = sum(block.kind == "break" for chapter in book.chapters for block in chapter.blocks)
        result.breaks = Count(made, truth.breaks)
    extra = _runs(found, {j for _, j in pairs})
    missing = _runs(true, {i for i, _ in pairs})
    result.show("missing", (" ".join(run) for run in sorted(missing, key=len, reverse=True)))
    result.show("extra", (" ".join(run) for run in sorted(extra, key=len, reverse=True)) if not truth.part else ())
    result.moved = len(_grams(missing, 8) & _grams(extra, 8))
    _headings(result, book, truth)
    _furniture(result, truth, extra, found, pages)
    _notes(result, book, truth, found if truth.part else extra, pages)
    if pages:
        result.pages = len(pages)
        result.hyphens = _hyphens(result, pages, a, {i for i, _ in pairs})
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


def _letters(true: Iterable[str], ours: Iterable[str]) -> float:
    """The share of the true characters, white space aside, that stand in ours in order."""
    a = [sign for text in true for sign in _SIGN.findall(text)]
    b = [sign for text in ours for sign in _SIGN.findall(text)]
    right = x = y = 0
    for i, j in [*align(a, b), (len(a), len(b))]:
        right += len(align("".join(a[x:i]), "".join(b[y:j]), _LETTERS))
        right += len(a[i]) if i < len(a) else 0
        x, y = i + 1, j + 1
    return right / max(1, sum(map(len, a)))


def _edges(true: list[list[str]], ours: list[list[str]], pairs: Pairs) -> float:
    """F1 of the places between two words where a paragraph ends."""
    to_true = {j: i for i, j in pairs}
    ends = set(_stops(true))
    made = _stops(ours)
    right = {place for j in made if (place := to_true.get(j, to_true.get(j + 1, 0) - 1)) in ends}
    return 2 * len(right) / max(1, len(ends) + len(made))


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


def _headings(result: Measured, book: Book, truth: Truth) -> None:
    """True headings that are headings, in order; others that are none."""
    lines = []
    for chapter in book.chapters:
        lines += chapter.heading.split("\n")
        lines += [line for block in chapter.blocks if block.kind == "heading" for line in block.text.split("\n")]
    ours = [_plain(line) for line in lines if _plain(line)]
    if truth.headings is None:
        return
    # What stands on the title page may be the book's title or be left out with that page.
    known = _plain(f"{book.title} {book.author} {' '.join(item.text for item in book.dropped)}")
    wanted = [_plain(line) for line in truth.headings if _plain(line)]
    joined = " | ".join(ours)
    place, right, lost = 0, 0, []
    for heading in wanted:
        found = re.compile(rf"(?<!\w){re.escape(heading)}(?!\w)").search(joined, place)
        if found:
            right, place = right + 1, found.end()
        elif heading in known and place == 0:
            right += 1
        else:
            lost.append(heading)
    result.headings = Count(right, len(wanted))
    made_up = [
        line
        for line in ours
        if not any(f" {heading} " in f" {line} " or f" {line} " in f" {heading} " for heading in wanted)
    ]
    result.headings_made_up = len(made_up)
    result.show("headings lost", lost)
    result.show("headings made up", made_up)


def _plain(text: str) -> str:
    return " ".join(words_of(text)).casefold()


def _runs(paragraphs: list[list[str]], aligned: set[int]) -> list[list[str]]:
    """The words without a partner, run by run; no run reaches over the edge of a paragraph."""
    runs: list[list[str]] = []
    place = 0
    for words in paragraphs:
        run: list[str] = []
        for word in words:
            if place in aligned and run:
                runs.append(run)
                run = []
            if place not in aligned:
                run.append(word)
            place += 1
        if run:
            runs.append(run)
    return runs


def _grams(runs: Iterable[list[str]], length: int) -> set[tuple[str, ...]]:
    return {tuple(run[n : n + length]) for run in runs for n in range(len(run) - length + 1)}


def _furniture(
    result: Measured, truth: Truth, extra: list[list[str]], ours: list[list[str]], pages: Sequence[str]
) -> None:
    """Lines of heads and folios that stand in the text."""
    if truth.part:
        # Whole lines at the edge of a page, with their folio: they stand nowhere else.
        text = " " + " | ".join(_plain(" ".join(words)) for words in ours) + " "
        edges = {_plain(line) for line in _edge_lines(pages) if not _LABEL.match(line)}
        leaked = [line for line in edges if re.search(r"\d", line) and not line.isdigit() and f" {line} " in text]
        leaked += [words[0] for words in ours if len(words) == 1 and words[0].isdigit() and words[0] in edges]
    else:
        heads = {_plain(head) for head in truth.furniture}
        heads.discard("")
        leaked = []
        for run in extra:
            text = f" {_plain(' '.join(run))} "
            if any(f" {head} " in text for head in heads) or (
                pages and len(run) < 3 and all(word.isdigit() for word in run)
            ):
                leaked.append(text.strip())
    result.furniture = len(leaked)
    result.show("furniture", leaked)


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


def _notes(result: Measured, book: Book, truth: Truth, extra: list[list[str]], pages: Sequence[str]) -> None:
    """Notes kept aside, those of them that name their page, and those whose words stand in the text."""
    if not truth.notes:
        return
    aside = [(note, _plain(note.text)) for note in book.notes]
    text = " | ".join(_plain(" ".join(run)) for run in extra)
    raw = [_plain(re.sub(rf"[{_CUT}]\s*|-\s*\n\s*", "", page)) for page in pages]
    right, placed, leaked, lost = 0, 0, [], []
    for note in truth.notes:
        if _share(note, text) > 0.5:
            leaked.append(note)
        kept = [block for block, words in aside if _share(note, words) >= 0.9]
        if not kept:
            lost.append(note)
            continue
        right += 1
        start = _plain(" ".join(note.split()[:3]))
        placed += any(
            block.place.unit == "page" and start in raw[block.place.number - 1]
            for block in kept
            if 0 < block.place.number <= len(raw)
        )
    result.notes = Count(right, len(truth.notes))
    result.notes_on_page = Count(placed, right) if pages else None
    result.notes_leaked = len(leaked)
    result.show("notes leaked", leaked)
    result.show("notes lost", lost)


def _share(note: str, text: str) -> float:
    """How much of a note's words, four at a time, a text holds."""
    words = _plain(note).split()
    size = min(4, len(words))
    grams = [" ".join(words[n : n + size]) for n in range(len(words) - size + 1)]
    return sum(f" {gram} " in f" {text} " for gram in grams) / max(1, len(grams))


def _hyphens(result: Measured, pages: Sequence[str], true: list[str], aligned: set[int]) -> Count:
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
