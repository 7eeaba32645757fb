"""Keeping out of what is learned what is held out elsewhere: in another stage, another source, an earlier run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from quire.books.book import SAID, Book, Passage, Split, turns_of
from quire.books.copies.held_out import RunIndex, found_in, texts_of, word_numbers
from quire.books.split import Atom, atoms_of


def whole_work(book: Book, number: int, split: Split) -> list[Passage]:
    """A work of a stream as passages, a chapter each."""
    chapters = [(index, chapter) for index, chapter in enumerate(book.chapters) if chapter.text]
    return [
        Passage(
            text=chapter.text,
            book=number,
            chapter=index,
            start=0,
            stop=len(chapter.text),
            split=split,
            ends_work=index == chapters[-1][0],
            turns=turns_of(chapter) if book.kind in SAID else (),
            kind=book.kind,
        )
        for index, chapter in chapters
    ]


def leave_out(book: Book, passages: Sequence[Passage], held: RunIndex) -> list[Passage]:
    """The passages of one work, where the paragraphs to be trained on that stand in `held` are `left`."""
    if not len(held) or not held.find(word_numbers("\n".join(texts_of(book)))):
        return list(passages)
    every = atoms_of(0, book)
    atoms = [(p, atom) for p in passages if p.split == "train" for atom in _inside(p, every)]
    texts = [_said(p) if p.turns else book.chapters[a.chapter].text[a.start : a.stop] for p, a in atoms]
    hits = {(a.chapter, a.start): hit for (_, a), hit in zip(atoms, found_in(held, texts), strict=True)}
    cut: list[Passage] = []
    for passage in passages:
        inside = _inside(passage, every) if passage.split == "train" else []
        cut += _parted(book, passage, inside, hits) if inside else [passage]
    return cut


def texts_held(passages: Iterable[Passage], splits: Sequence[Split] = ("validation", "test")) -> Iterator[str]:
    """The text of passages that an index is made of: of conversations the answers alone, for questions and personas
    come again everywhere."""
    return (_said(p) if p.turns else p.text for p in passages if p.split in splits)


def _said(passage: Passage) -> str:
    return "\n".join(passage.text[turn.start : turn.stop] for turn in passage.turns if turn.role == "character")


def _inside(passage: Passage, atoms: Iterable[Atom]) -> list[Atom]:
    return [a for a in atoms if a.chapter == passage.chapter and passage.start <= a.start and a.stop <= passage.stop]


def _parted(book: Book, passage: Passage, atoms: Sequence[Atom], hits: dict[tuple[int, int], bool]) -> list[Passage]:
    """A passage cut where text that stands elsewhere begins and ends."""
    text = book.chapters[passage.chapter].text
    parts: list[Passage] = []
    for atom in atoms:
        split: Split = "left" if hits[atom.chapter, atom.start] else "train"
        start = parts[-1].start if parts and parts[-1].split == split else atom.start
        if parts and parts[-1].split == split:
            parts.pop()
        parts.append(replace(passage, text=text[start : atom.stop], start=start, stop=atom.stop, split=split))
    return [replace(part, ends_work=passage.ends_work and part is parts[-1]) for part in parts]
