"""Passages to token ids: one array for each unbroken stretch of a work.

Neighbouring passages of one split and part are joined as they stand in the book, so that a chapter's end leads into the
next one; where held-out text lies between, the stretch ends.  Only the end of a work gets the end-of-text token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quire.books.book import BLOCK_GAP, CHAPTER_GAP, Passage, Split
from quire.books.sentences import split_sentences
from quire.tokens.labels import Labelled, label
from quire.tokens.tokenizer import Tokenizer

Ids = NDArray[np.int32]


@dataclass(frozen=True)
class Stretch:
    """Token ids (n,) of an unbroken run of text of one work; the last one is end-of-text where the work ends here.

    `learned` (n,) says which of them may be a target; None where all may.  Of a conversation, or a piece of one,
    `words` are those of the text that are learned and those that are only read, for marks of the template are no
    words; it stays in one segment.  Its first `repeats` tokens were counted with an earlier piece already.
    """

    ids: Ids
    book: int
    ends_work: bool
    learned: NDArray[np.bool_] | None = None
    repeats: int = 0
    words: tuple[int, int] | None = None

    @property
    def text_tokens(self) -> int:
        """Tokens of the text itself."""
        return len(self.ids) - int(self.ends_work)


def join_passages(passages: Sequence[Passage], split: Split, part: int | None = None) -> list[list[Passage]]:
    """Groups of passages that follow one another without a gap.  `passages` is the whole cut, in reading order."""
    groups: list[list[Passage]] = []
    before: Passage | None = None
    for passage in passages:
        wanted = passage.split == split and (part is None or passage.part == part)
        if wanted:
            follows = before is not None and groups and before is groups[-1][-1] and before.book == passage.book
            if follows:
                groups[-1].append(passage)
            else:
                groups.append([passage])
        before = passage
    return groups


def text_of(group: Sequence[Passage]) -> str:
    """The text of neighbouring passages, with the blank lines that stand between them in the book."""
    pieces = [group[0].text]
    for before, passage in zip(group, group[1:], strict=False):
        pieces.append(BLOCK_GAP if before.chapter == passage.chapter else CHAPTER_GAP)
        pieces.append(passage.text)
    return "".join(pieces)


def encode(
    passages: Sequence[Passage],
    tokenizer: Tokenizer,
    split: Split,
    part: int | None = None,
    sentences: int | None = None,
    language: str = "",
    window: int | None = None,
    all_words: bool = False,
) -> list[Stretch]:
    """The stretches of one split and part.  With `sentences`, each run of so many sentences is a stretch of its own.

    Conversations come after all other text, those that are longer than `window` in pieces; the answers alone are
    learned, or with `all_words` all that is said.
    """
    texts: list[str] = []
    marks: list[tuple[int, bool]] = []
    said: list[Stretch] = []
    for group in join_passages(passages, split, part):
        if group[0].turns:
            said += [_said(piece, group[0].book) for piece in label(group[0], tokenizer, window, all_words)]
            continue
        chunks = _chunks(text_of(group), sentences, language)
        for number, chunk in enumerate(chunks, start=1):
            texts.append(chunk)
            marks.append((group[-1].book, group[-1].ends_work and number == len(chunks)))
    told = [
        _stretch(ids, book, ends, tokenizer)
        for ids, (book, ends) in zip(tokenizer.encode_all(texts), marks, strict=True)
        if ids
    ]
    return told + said


def _said(piece: Labelled, book: int) -> Stretch:
    return Stretch(piece.ids, book, piece.ends_work, piece.learned, piece.repeats, piece.words)


def _stretch(ids: list[int], book: int, ends_work: bool, tokenizer: Tokenizer) -> Stretch:
    if ends_work:
        ids = [*ids, tokenizer.end_of_text]
    return Stretch(np.asarray(ids, dtype=np.int32), book, ends_work)


def _chunks(text: str, sentences: int | None, language: str) -> list[str]:
    """`text` cut after every `sentences` sentences; all of it is in exactly one chunk, white space at cuts left out."""
    if sentences is None:
        return [text]
    spans = split_sentences(text, language)
    return [text[group[0][0] : group[-1][1]] for group in _groups(spans, sentences)]


def _groups(spans: list[tuple[int, int]], size: int) -> list[list[tuple[int, int]]]:
    return [spans[i : i + size] for i in range(0, len(spans), size)]
