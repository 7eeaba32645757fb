"""Conversations to token ids, with a mask of those to learn: the character's own words and the ends of its turns.

A conversation that is longer than the window comes in several pieces.  Each begins with the persona and a turn of the
user, as the prompt of a chat does that has forgotten its oldest turns, and has some of the turns before it to read
again; every answer is learned in exactly one of them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from quire.books.book import Passage, count_words
from quire.prompts.builder import Rendered
from quire.prompts.conversation import Conversation, asked_in, conversation_of
from quire.tokens.tokenizer import Tokenizer

# Of the window, what turns that were learned before may take in a later piece.
_READ_AGAIN = 0.5
# Marks of a base around a turn are about so many tokens; where they are more, more are foreseen.  What is longer than
# the window all the same is cut where rows are.
_AROUND = (8, 32)
_MOST_CHARACTERS = 16


@dataclass(frozen=True)
class Piece:
    """A run of a conversation, of which the answers from number `first` on are new to it; `last` where it ends."""

    conversation: Conversation
    first: int
    last: bool


@dataclass(frozen=True)
class Labelled:
    """Token ids (n,) of a conversation or a piece of it, and which are learned (n,): what a Stretch is made of.

    `learned_bytes` counts the UTF-8 bytes of the words alone that are learned here.
    """

    ids: NDArray[np.int32]
    learned: NDArray[np.bool_]
    ends_work: bool
    repeats: int
    words: tuple[int, int]
    learned_bytes: int


@dataclass(frozen=True)
class Encoded:
    """Token ids (n,) of a rendered conversation, the spans of text that they stand for, and which are learned."""

    ids: NDArray[np.int32]
    spans: list[tuple[int, int]]
    learned: NDArray[np.bool_]


def label(passage: Passage, tokenizer: Tokenizer, window: int | None = None, all_words: bool = False) -> list[Labelled]:
    """One conversation or completion; with a `window`, in pieces that fit into it as far as whole turns can.

    With `all_words` what the user and the persona say is learned too.  Raises BaseModelError where the base's chat
    template cannot write it.
    """
    labelled = label_conversation(conversation_of(passage), tokenizer, window)
    return list(map(_learned_whole, labelled)) if all_words else labelled


def _learned_whole(piece: Labelled) -> Labelled:
    """A piece of which all is learned that was not in an earlier one."""
    learned = np.arange(len(piece.ids)) >= piece.repeats
    return replace(piece, learned=learned, words=(sum(piece.words), 0))


def label_conversation(conversation: Conversation, tokenizer: Tokenizer, window: int | None = None) -> list[Labelled]:
    """`label` for a conversation that is in no passage."""
    whole = [Piece(conversation, 0, True)]
    if window is None or conversation.completes:
        return _label(whole, tokenizer)
    texts = (conversation.system, *(turn.text for turn in conversation.turns))
    # Longer than the window for certain, whatever the tokenizer: not even tried.
    if sum(map(len, texts)) <= _MOST_CHARACTERS * window:
        found = _label(whole, tokenizer)
        if all(len(one.ids) <= window for one in found):
            return found
    for around in _AROUND:
        pieces = pieces_of(conversation, tokenizer, window, around)
        found = _label(pieces, tokenizer)
        if all(len(one.ids) <= window for one in found) or all(len(p.conversation.answers) == 1 for p in pieces):
            break
    return found


def _label(pieces: Sequence[Piece], tokenizer: Tokenizer) -> list[Labelled]:
    found: list[Labelled] = []
    for piece in pieces:
        answers = len(piece.conversation.answers)
        texts = tokenizer.builder.render(piece.conversation, piece.first)
        # A base that writes an answer otherwise when more follows has a text for each of the new ones.
        each = (
            [range(piece.first, answers)] if len(texts) == 1 else [range(n, n + 1) for n in range(piece.first, answers)]
        )
        for rendered, new in zip(texts, each, strict=True):
            ends = piece.last and new.stop == answers
            behind = _behind(rendered, new.start) if found else 0
            words = _words(piece.conversation, new, opens=not found)
            found.append(_labelled(rendered, tokenizer, ends, behind, words))
    return found


def pieces_of(conversation: Conversation, tokenizer: Tokenizer, window: int, around: int) -> list[Piece]:
    """Runs of whole turns of a conversation that fit into the window.

    Lengths are foreseen from the words alone, with so many tokens `around` each turn's.  A single exchange that is
    longer than the window stays whole.
    """
    texts = [conversation.system, *(turn.text for turn in conversation.turns)]
    system, *turns = [len(ids) + around for ids in tokenizer.encode_all(texts)]
    exchanges = list(_exchanges(conversation))
    costs = [sum(turns[begin:end]) for begin, end in exchanges]
    pieces = []
    at = 0
    while at < len(exchanges):
        begin, room = at, _READ_AGAIN * window - system
        while begin > 0 and costs[begin - 1] <= room:
            begin -= 1
            room -= costs[begin]
        # What is new goes before what is read again.
        while begin < at and system + sum(costs[begin : at + 1]) > window:
            begin += 1
        end = at + 1
        while end < len(exchanges) and system + sum(costs[begin : end + 1]) <= window:
            end += 1
        said = conversation.turns[exchanges[begin][0] : exchanges[end - 1][1]]
        pieces.append(Piece(Conversation(said, conversation.system), at - begin, end == len(exchanges)))
        at = end
    return pieces


def _exchanges(conversation: Conversation) -> Iterator[tuple[int, int]]:
    """What is said up to an answer, with it: numbers of turns."""
    begin = 0
    for answer in conversation.answers:
        yield begin, answer + 1
        begin = answer + 1


def encode_rendered(rendered: Rendered, tokenizer: Tokenizer) -> Encoded:
    """The tokens of a text that a base's template wrote.

    Special tokens are those of the template alone: where somebody's words spell one, they stay words.  Where a token
    would lie across the beginning of an answer, the text is cut there, as a prompt ends there too.  The base's start
    token is left out, since whoever reads rows or prompts puts it before them.
    """
    ids, spans = _encode(rendered, tokenizer)
    ids, spans = _with_plain_words(ids, spans, rendered, tokenizer)
    if ids and ids[0] == tokenizer.start:
        ids, spans = ids[1:], spans[1:]
    learned = np.zeros(len(ids), dtype=np.bool_)
    starts = [start for start, _ in spans]
    for begin, end in rendered.learned:
        learned[bisect_left(starts, begin) : bisect_left(starts, end)] = True
    return Encoded(np.asarray(ids, dtype=np.int32), spans, learned)


@dataclass(frozen=True)
class Opening:
    """What a text is to go on from, as tokens; the tokens that end it, and texts that do."""

    ids: list[int]
    ends: frozenset[int]
    stops: tuple[str, ...]
    answers: bool


def opening_of(prompt: str, tokenizer: Tokenizer) -> Opening:
    """The tokens of a prompt: of plain text its own; of a conversation that is shown, those with which the base is
    asked for the next answer, which then ends with its turn.  RecipeError where it asks nothing."""
    conversation = asked_in(prompt)
    if conversation is None:
        return Opening(tokenizer.encode(prompt), frozenset((tokenizer.end_of_text,)), (), answers=False)
    if conversation.completes:
        return opening_of(conversation.turns[0].text.rstrip(), tokenizer)
    stops = tokenizer.builder.stop_texts()
    return Opening(prompt_ids(conversation, tokenizer), tokenizer.turn_ends, stops, answers=True)


def prompt_ids(conversation: Conversation, tokenizer: Tokenizer) -> list[int]:
    """What a chat asks the base with, as tokens, for the answer to the last turn."""
    rendered = tokenizer.builder.prompt(conversation)
    return [int(token) for token in encode_rendered(rendered, tokenizer).ids]


def _encode(rendered: Rendered, tokenizer: Tokenizer) -> tuple[list[int], list[tuple[int, int]]]:
    """Ids and spans of the whole text, or of its pieces between answers that would begin within a token."""
    whole = tokenizer.marked.encode(rendered.text, add_special_tokens=False)
    starts = {start for start, _ in whole.offsets}
    within = [begin for begin, _ in rendered.answers if begin not in starts and begin > 0]
    if not within:
        return list(whole.ids), list(whole.offsets)
    ids: list[int] = []
    spans: list[tuple[int, int]] = []
    for begin, end in zip([0, *within], [*within, len(rendered.text)], strict=True):
        encoding = tokenizer.marked.encode(rendered.text[begin:end], add_special_tokens=False)
        ids += encoding.ids
        spans += [(begin + start, begin + stop) for start, stop in encoding.offsets]
    return ids, spans


def _with_plain_words(
    ids: list[int], spans: list[tuple[int, int]], rendered: Rendered, tokenizer: Tokenizer
) -> tuple[list[int], list[tuple[int, int]]]:
    """Special tokens that stand within somebody's words, spelled as plain text."""
    begins = [said.start for said in rendered.said]
    special = tokenizer.special_ids

    def is_said(start: int, stop: int) -> bool:
        at = bisect_right(begins, start) - 1
        return at >= 0 and stop <= rendered.said[at].stop and stop > start

    if not any(token in special and is_said(*span) for token, span in zip(ids, spans, strict=True)):
        return ids, spans
    plain: list[int] = []
    where: list[tuple[int, int]] = []
    for token, (start, stop) in zip(ids, spans, strict=True):
        if token not in special or not is_said(start, stop):
            plain.append(token)
            where.append((start, stop))
            continue
        encoding = tokenizer.core.encode(rendered.text[start:stop], add_special_tokens=False)
        plain += encoding.ids
        where += [(start + a, start + b) for a, b in encoding.offsets]
    return plain, where


def _labelled(rendered: Rendered, tokenizer: Tokenizer, ends: bool, behind: int, words: tuple[int, int]) -> Labelled:
    """What follows the last learned token belongs to a turn that never came; end-of-text closes the conversation."""
    encoded = encode_rendered(rendered, tokenizer)
    upto = int(np.flatnonzero(encoded.learned)[-1]) + 1
    ids, learned = encoded.ids[:upto], encoded.learned[:upto]
    if ends and ids[-1] != tokenizer.end_of_text:
        ids = np.append(ids, np.int32(tokenizer.end_of_text))
        learned = np.append(learned, True)
    repeats = sum(stop <= behind for _, stop in encoded.spans[:upto])
    answers = [said for said in rendered.said if any(a <= said.start < b for a, b in rendered.learned)]
    size = sum(len(rendered.text[said.start : said.stop].encode("utf-8")) for said in answers)
    return Labelled(ids, learned, ends, repeats, words, size)


def _behind(rendered: Rendered, first: int) -> int:
    """Where, in characters, ends what an earlier piece has: the answer before the first new one, or the persona."""
    if first == 0:
        return next((said.stop for said in rendered.said if said.role == "system"), 0)
    if first < len(rendered.answers):
        return rendered.answers[first - 1][1]
    words = [said.stop for said in rendered.said if said.role == "character"]
    return words[first - 1]


def _words(piece: Conversation, new: range, opens: bool) -> tuple[int, int]:
    """Words that are learned here, and those that are read here first."""
    answers = piece.answers
    learned = sum(count_words(piece.turns[answers[number]].text) for number in new)
    begin = answers[new[0] - 1] + 1 if new[0] else 0
    said = [turn for turn in piece.turns[begin : answers[new[-1]] + 1] if turn.role != "character"]
    read = sum(count_words(turn.text) for turn in said)
    return learned, read + (count_words(piece.system) if opens else 0)
