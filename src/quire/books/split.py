"""Cutting a shelf into train, validation and test text, before anything else is made of it.

What is held out is whole: works where there are at least eight, else chapters where there are at least eight, else
blocks of whole paragraphs spread over the text.  So no paragraph has a half on either side, and no chance of windows
can bring one near the other.
"""

from __future__ import annotations

import random
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from quire.books.book import BLOCK_GAP, SAID, Book, Chapter, Passage, Shelf, Split, count_words, turns_of
from quire.books.copies.duplicates import Repeats, block_offsets, find_copies, find_repeats
from quire.books.sentences import split_sentences
from quire.errors import BookError

WHOLE_UNITS = 8
BLOCK_WORDS = 300
SMALLEST_BLOCK_WORDS = 120
# A "paragraph" this long is a text without paragraphs: it is cut between sentences.
LONGEST_PARAGRAPH_WORDS = 1500
_TRIES = 64
LEAST_OWN_WORDS = 1000


@dataclass(frozen=True, slots=True)
class Atom:
    """What is never cut: a paragraph or stanza, with the headings right before it; a whole conversation.  Offsets into
    `Chapter.text`."""

    book: int
    chapter: int
    start: int
    stop: int
    words: int


Unit = list[int]
"""Indices of atoms that stay together, in reading order."""
Mode = Literal["works", "chapters", "blocks"]


def cut(
    shelf: Shelf,
    validation: float,
    test: float,
    parts: int = 1,
    seed: int = 7,
    repeats: Repeats | None = None,
    shares: Sequence[tuple[float, float]] | None = None,
) -> list[Passage]:
    """Every character of the shelf in one passage (but white space between passages), in reading order.

    `validation` and `test` are shares of the words, held out as exactly as whole units allow and never empty when
    asked for; `shares` are such pairs for each book, where they differ: books of the same pair are cut together.  A
    data set's own splits are kept.  With several `parts`, test text is held out first; the rest is cut in reading order
    into contiguous slices of about the same number of words, each with validation text of its own.
    Copies follow what they repeat: a work, a chapter, a paragraph that stands twice, nearly so too, is on one side.
    `repeats` are those of this shelf, where they are known.  Raises BookError when the shelf is too short.
    """
    atoms = [atom for number, book in enumerate(shelf.books) for atom in atoms_of(number, book)]
    splits: list[Split] = ["train"] * len(atoms)
    part_of = [0] * len(atoms)
    originals = _originals(repeats or find_repeats(shelf), atoms)
    own = {book.split for book in shelf if book.split}
    for index, atom in enumerate(atoms):
        splits[index] = shelf.books[atom.book].split or "train"
    free = [index for index in range(len(atoms)) if originals[index] == index and splits[index] == "train"]
    chooser = _Chooser(shelf, atoms, random.Random(seed))
    pairs = shares or [(validation, test)] * len(shelf)
    groups = {pair: {n for n, other in enumerate(pairs) if other == pair} for pair in dict.fromkeys(pairs)}

    def of_group(books: set[int], among: Sequence[int], split: Split | None = None) -> list[int]:
        """Atoms of a group of books; with `split`, those that may be held out as such."""
        mine = [i for i in among if atoms[i].book in books]
        return [i for i in mine if not (split in own and shelf.books[atoms[i].book].split)] if split else mine

    modes = {pair: chooser.mode(of_group(books, free)) for pair, books in groups.items()}
    for pair, books in groups.items():
        if pair[1] > 0:
            needed = 3 if pair[0] > 0 else 2
            _hold_out(chooser, of_group(books, free, "test"), pair[1], "test", splits, modes[pair], needed)
    free = [index for index in free if splits[index] == "train"]
    if parts > 1:
        held = [(pair[0], books, set(of_group(books, free, "validation"))) for pair, books in groups.items()]
        _cut_parts(chooser, free, held, parts, splits, part_of)
    for pair, books in groups.items() if parts == 1 else ():
        if pair[0] > 0:
            open_to = of_group(books, free, "validation")
            tested = [i for i, split in enumerate(splits) if split == "test" and atoms[i].book in books]
            total = chooser.words(of_group(books, free)) + chooser.words(tested)
            share = pair[0] * total / max(1, chooser.words(open_to)) if not own else pair[0]
            _hold_out(chooser, open_to, share, "validation", splits, modes[pair], needed=2)
    for index, original in enumerate(originals):
        if shelf.books[atoms[index].book].split is None:
            splits[index], part_of[index] = splits[original], part_of[original]
    return _passages(shelf, atoms, splits, part_of)


def atoms_of(number: int, book: Book) -> list[Atom]:
    """What is never cut of a work, in reading order; `number` is what the atoms call the book."""
    found: list[Atom] = []
    for index, chapter in enumerate(book.chapters):
        if book.kind in SAID:
            found.append(Atom(number, index, 0, len(chapter.text), chapter.words))
            continue
        for start, stop in _paragraph_spans(chapter, book.language):
            found.append(Atom(number, index, start, stop, count_words(chapter.text[start:stop])))
    return found


def _paragraph_spans(chapter: Chapter, language: str) -> list[tuple[int, int]]:
    """Spans of what is never cut.  Headings and scene breaks go with the paragraph that follows them."""
    text = chapter.text
    pieces: list[tuple[int, int, bool]] = []
    position = 0
    if chapter.title:
        pieces.append((0, len(chapter.title), True))
        position = len(chapter.title) + len(BLOCK_GAP)
    for block in chapter.blocks:
        pieces.append((position, position + len(block.text), block.kind in ("heading", "break")))
        position += len(block.text) + len(BLOCK_GAP)
    spans: list[tuple[int, int]] = []
    begin: int | None = None
    for start, stop, leads in pieces:
        begin = start if begin is None else begin
        if leads:
            continue
        if count_words(text[start:stop]) > LONGEST_PARAGRAPH_WORDS:
            sentences = [(start + a, start + b) for a, b in split_sentences(text[start:stop], language)]
            spans.append((begin, sentences[0][1]))
            spans.extend(sentences[1:])
        else:
            spans.append((begin, stop))
        begin = None
    if begin is not None:
        if spans:
            spans[-1] = (spans[-1][0], pieces[-1][1])
        else:
            spans.append((begin, pieces[-1][1]))
    return spans


def _originals(repeats: Repeats, atoms: Sequence[Atom]) -> list[int]:
    """For each atom the earlier one that it repeats, itself in most cases.

    Of a text that repeats itself so much that little would be left to choose from, nothing follows.
    """
    starts: dict[tuple[int, int], list[int]] = {}
    for index, atom in enumerate(atoms):
        starts.setdefault((atom.book, atom.chapter), []).append(index)

    def atom_at(block: tuple[int, int, int]) -> int:
        book, chapter, number = block
        among = starts[book, chapter]
        offset = block_offsets(repeats.shelf.books[book].chapters[chapter])[number]
        return among[bisect_right(among, offset, key=lambda index: atoms[index].start) - 1]

    originals = list(range(len(atoms)))
    for copy, first in find_copies(repeats).items():
        index, original = atom_at(copy), atom_at(first)
        originals[index] = min(originals[index], originals[original])
    own = [index for index, original in enumerate(originals) if original == index]
    enough = len(own) >= WHOLE_UNITS and sum(atoms[index].words for index in own) >= LEAST_OWN_WORDS
    return originals if enough else list(range(len(atoms)))


@dataclass(frozen=True)
class _Chooser:
    """Groups atoms into units and draws from them."""

    shelf: Shelf
    atoms: list[Atom]
    random: random.Random

    def words(self, unit: Sequence[int]) -> int:
        return sum(self.atoms[index].words for index in unit)

    def mode(self, among: Sequence[int]) -> Mode:
        """Works if there are eight and none is most of the text, else chapters if there are eight, else blocks."""
        works = self._by(among, chapters=False)
        if len(works) >= WHOLE_UNITS and max(map(self.words, works)) <= 0.5 * self.words(among):
            return "works"
        return "chapters" if len(self.chapters(among)) >= WHOLE_UNITS else "blocks"

    def works(self, among: Sequence[int]) -> list[Unit]:
        return self._by(among, chapters=False)

    def chapters(self, among: Sequence[int]) -> list[Unit]:
        return self._with_part_titles(self._by(among, chapters=True))

    def not_last(self, units: Sequence[Unit], least: int) -> list[Unit]:
        """Without the units that end a work, if `least` others are there: a voice should learn how its work ends."""
        last = {atom.book: index for index, atom in enumerate(self.atoms)}
        others = [unit for unit in units if not any(last[self.atoms[index].book] == index for index in unit)]
        return others if len(others) >= least else list(units)

    def _by(self, among: Sequence[int], chapters: bool) -> list[Unit]:
        units: dict[tuple[int, int], Unit] = {}
        for index in among:
            atom = self.atoms[index]
            units.setdefault((atom.book, atom.chapter if chapters else 0), []).append(index)
        return list(units.values())

    def _with_part_titles(self, units: list[Unit]) -> list[Unit]:
        """A chapter without paragraphs is the title of a part: it goes with the chapter that follows."""
        joined: list[Unit] = []
        waiting: Unit = []
        for unit in units:
            atom = self.atoms[unit[0]]
            if waiting and self.atoms[waiting[-1]].book != atom.book:
                joined.append(waiting)
                waiting = []
            if len(unit) == 1 and not self.shelf.books[atom.book].chapters[atom.chapter].blocks:
                waiting = waiting + unit
                continue
            joined.append(waiting + unit)
            waiting = []
        return [*joined, waiting] if waiting else joined

    def blocks(self, among: Sequence[int], size: int) -> list[Unit]:
        """Runs of whole paragraphs of about `size` words within a chapter; poems and conversations stay whole."""
        units: list[Unit] = []
        for chapter in self.chapters(among):
            if self.shelf.books[self.atoms[chapter[0]].book].kind in ("poems", *SAID):
                units.append(chapter)
                continue
            runs: list[Unit] = [[]]
            for index in chapter:
                last = self.words(runs[-1])
                gap = bool(runs[-1]) and index != runs[-1][-1] + 1
                if gap or last >= size or (last >= 0.6 * size and last + self.atoms[index].words > 1.35 * size):
                    runs.append([])
                runs[-1].append(index)
            if len(runs) > 1 and self.words(runs[-1]) < 0.5 * size and runs[-1][0] == runs[-2][-1] + 1:
                runs[-2].extend(runs.pop())
            units.extend(runs)
        return units

    def spread(self, units: Sequence[Unit], target: float) -> list[Unit]:
        """One unit from each stretch of the text, so many that they hold about `target` words; the best of some
        draws.
        """
        mean = sum(map(self.words, units)) / len(units)
        count = min(len(units) - 1, max(1, round(target / mean)))
        best: list[Unit] = []
        for _ in range(_TRIES):
            edges = [round(i * len(units) / count) for i in range(count + 1)]
            drawn = [units[self.random.randrange(a, b)] for a, b in zip(edges, edges[1:], strict=False)]
            if not best or abs(self._sum(drawn) - target) < abs(self._sum(best) - target):
                best = drawn
        return best

    def fill(self, units: Sequence[Unit], target: float) -> list[Unit]:
        """Units drawn at random that together come nearest to `target` words; at least one, never all."""
        best: list[Unit] = [min(units, key=lambda unit: abs(self.words(unit) - target))]
        for _ in range(_TRIES):
            order = list(units)
            self.random.shuffle(order)
            drawn: list[Unit] = []
            filled = 0
            for unit in order:
                words = self.words(unit)
                if filled + words <= 1.1 * target:
                    drawn.append(unit)
                    filled += words
                if filled >= 0.97 * target:
                    break
            better = abs(filled - target) < abs(self._sum(best) - target)
            if drawn and len(drawn) < len(units) and better:
                best = drawn
            if abs(self._sum(best) - target) <= 0.05 * target:
                break
        return best

    def _sum(self, units: Sequence[Unit]) -> int:
        return sum(map(self.words, units))


def _hold_out(
    chooser: _Chooser, among: Sequence[int], share: float, split: Split, splits: list[Split], mode: Mode, needed: int
) -> None:
    """Give `share` of the words of `among` to `split`.  Nothing to choose from means the data set has its own."""
    if not among:
        return
    target = share * chooser.words(among)
    chosen: list[Unit] = []
    if mode != "blocks":
        units = chooser.works(among) if mode == "works" else chooser.not_last(chooser.chapters(among), needed)
        chosen = chooser.fill(units, target) if len(units) > 1 else []
    if sum(map(chooser.words, chosen)) < 0.3 * target:
        size = round(max(SMALLEST_BLOCK_WORDS, min(BLOCK_WORDS, target)))
        blocks = chooser.blocks(among, size)
        if len(blocks) < needed:
            raise _too_short(chooser, among)
        chosen = chooser.spread(chooser.not_last(blocks, 2), target)
    for unit in chosen:
        for index in unit:
            splits[index] = split


def _too_short(chooser: _Chooser, among: Sequence[int]) -> BookError:
    words = chooser.words(among)
    return BookError(
        f"{chooser.shelf.title} is too short to hold anything out: {words} words",
        then="add more text, a few thousand words at least",
    )


def _cut_parts(
    chooser: _Chooser,
    free: Sequence[int],
    held: Sequence[tuple[float, set[int], set[int]]],
    parts: int,
    splits: list[Split],
    part_of: list[int],
) -> None:
    """Slices of about the same number of words, and validation text in each.

    `held` are the shares to hold out, each with the books it holds for and the atoms that are open to it.
    """
    total = chooser.words(free)
    most = max(share for share, _, _ in held)
    size = round(max(SMALLEST_BLOCK_WORDS / 2, min(BLOCK_WORDS, max(most, 0.05) * total / parts)))
    blocks = chooser.blocks(free, size)
    if len(chapters := chooser.chapters(free)) >= WHOLE_UNITS * parts:
        blocks = chapters
    least = 2 if most > 0 else 1
    if len(blocks) < least * parts:
        raise BookError(
            f"{chooser.shelf.title} is too short for {parts} parts: {total} words",
            then=f"set train.parts to {max(1, len(blocks) // (2 * least))} or add more text",
        )
    for number, slice_ in enumerate(_slices(blocks, [chooser.words(block) for block in blocks], parts, least)):
        inside = [index for block in slice_ for index in block]
        for index in inside:
            part_of[index] = number
        for share, books, open_to in held:
            mine = [index for index in inside if chooser.atoms[index].book in books]
            candidates = [block for block in slice_ if all(index in open_to for index in block)]
            if share > 0 and len(candidates) >= 2:
                for block in chooser.spread(chooser.not_last(candidates, 2), share * chooser.words(mine)):
                    for index in block:
                        splits[index] = "validation"


def _slices(blocks: Sequence[Unit], words: Sequence[int], parts: int, least: int) -> list[list[Unit]]:
    """`parts` contiguous runs of blocks, each with about its share of the words and at least `least` blocks."""
    total = sum(words)
    slices: list[list[Unit]] = []
    start = 0
    done = 0
    for number in range(parts):
        left = parts - number - 1
        stop = start + least
        goal = total * (number + 1) / parts
        reached = done + sum(words[start:stop])
        while stop < len(blocks) - least * left and (
            left == 0 or abs(reached + words[stop] - goal) <= abs(reached - goal)
        ):
            reached += words[stop]
            stop += 1
        slices.append(list(blocks[start:stop]))
        start, done = stop, reached
    return slices


def _passages(shelf: Shelf, atoms: Sequence[Atom], splits: Sequence[Split], part_of: Sequence[int]) -> list[Passage]:
    """Neighbours of one chapter that went the same way, as one passage."""
    last_of = {atom.book: index for index, atom in enumerate(atoms)}
    passages: list[Passage] = []
    first = 0
    for index, atom in enumerate(atoms):
        following = atoms[index + 1] if index + 1 < len(atoms) else None
        goes_on = (
            following is not None
            and (following.book, following.chapter) == (atom.book, atom.chapter)
            and (splits[index + 1], part_of[index + 1]) == (splits[index], part_of[index])
        )
        if goes_on:
            continue
        start, stop = atoms[first].start, atom.stop
        book = shelf.books[atom.book]
        chapter = book.chapters[atom.chapter]
        text, ends = chapter.text[start:stop], last_of[atom.book] == index
        turns = turns_of(chapter) if book.kind in SAID else ()
        passages.append(
            Passage(text, atom.book, atom.chapter, start, stop, splits[index], part_of[index], ends, turns, book.kind)
        )
        first = index + 1
    return passages
