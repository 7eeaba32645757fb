"""Tokens to text while they come: whole characters only, and nothing of a text that ends the writing."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from quire.tokens.tokenizer import Tokenizer

_HALF = "\ufffd"  # what decoding gives for the bytes of a character that is not complete yet
_REBASE = 32  # tokens decoded again with every new one, at most about so many


def decode_pieces(tokens: Iterable[int], tokenizer: Tokenizer, before: Sequence[int] = ()) -> Iterator[str]:
    """Text pieces that, joined, are the decoded text of all `tokens`.

    `before` are the ids of the prompt: decoding in their sight keeps a space that the first token begins with (some
    tokenizers drop one at the beginning of a text).  A piece never ends within a character: what is incomplete is
    held back until its bytes have come, or until the end.
    """
    context = list(before)
    base = len(tokenizer.decode(context))
    pending: list[int] = []
    shown = 0
    for token in tokens:
        pending.append(token)
        text = tokenizer.decode(context + pending)[base:]
        whole = text.rstrip(_HALF)
        if len(whole) > shown:
            yield whole[shown:]
            shown = len(whole)
        if len(pending) >= _REBASE and shown == len(text):
            context, pending, shown = pending, [], 0
            base = len(tokenizer.decode(context))
    rest = tokenizer.decode(context + pending)[base:]
    if len(rest) > shown:
        yield rest[shown:]


def without_lead(pieces: Iterable[str]) -> Iterator[str]:
    """The pieces without the white space that they begin with."""
    begun = False
    for piece in pieces:
        text = piece if begun else piece.lstrip()
        if text:
            begun = True
            yield text


def cut_at_stops(pieces: Iterable[str], stops: Sequence[str]) -> Iterator[str]:
    """Pass the pieces on up to the first of the `stops`, which is not shown, not even in part."""
    held = ""
    for piece in pieces:
        held += piece
        found = [at for stop in stops if (at := held.find(stop)) >= 0]
        if found:
            if held[: min(found)]:
                yield held[: min(found)]
            return
        safe = len(held) - _begun(held, stops)
        if safe > 0:
            yield held[:safe]
            held = held[safe:]
    if held:
        yield held


def _begun(text: str, stops: Sequence[str]) -> int:
    """Length of the longest ending of `text` that a stop begins with."""
    longest = 0
    for stop in stops:
        for length in range(min(len(stop) - 1, len(text)), longest, -1):
            if text.endswith(stop[:length]):
                longest = length
                break
    return longest
