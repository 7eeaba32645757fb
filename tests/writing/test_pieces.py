from __future__ import annotations

from pathlib import Path

import pytest
import tokenizers
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import decoders, models

from quire.tokens.tokenizer import Tokenizer, load_tokenizer
from quire.writing.pieces import cut_at_stops, decode_pieces, without_lead

SIZE = 384


@pytest.fixture(scope="session")
def tokenizer(tiny_base: Path) -> Tokenizer:
    return load_tokenizer(tiny_base)


@settings(max_examples=150, deadline=None)
@given(ids=st.lists(st.integers(1, SIZE - 1), max_size=120))
def test_pieces_of_any_tokens_join_to_the_decoded_text(tokenizer: Tokenizer, ids: list[int]) -> None:
    assert "".join(decode_pieces(ids, tokenizer)) == tokenizer.decode(ids)


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=150), prompt=st.text(max_size=20))
def test_no_piece_holds_half_a_character(tokenizer: Tokenizer, text: str, prompt: str) -> None:
    text = text.replace("\ufffd", "")
    pieces = list(decode_pieces(tokenizer.encode(text), tokenizer, tokenizer.encode(prompt)))
    assert "".join(pieces) == text
    assert all(piece and "\ufffd" not in piece for piece in pieces)


def test_a_character_of_four_bytes_comes_at_once(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("a🦉b")
    assert len(ids) == 6
    assert list(decode_pieces(ids, tokenizer)) == ["a", "🦉", "b"]


def test_bytes_that_never_become_a_character_are_shown_at_the_end(tokenizer: Tokenizer) -> None:
    ids = tokenizer.encode("a🦉")[:-1]
    assert list(decode_pieces(ids, tokenizer)) == ["a", "\ufffd"]


def test_the_space_of_a_first_word_survives_a_tokenizer_that_drops_it() -> None:
    """SentencePiece tokenizers (Llama 2, TinyLlama) lose the space before a text's first word."""
    vocabulary = {"▁The": 0, "▁ferry": 1, "man": 2, "▁slept": 3}
    core = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token="man"))
    core.decoder = decoders.Metaspace()
    tokenizer = Tokenizer(core, Path(), None, 9, 9)
    assert tokenizer.decode([3]) == "slept"
    assert "".join(decode_pieces([1, 2, 3] * 40, tokenizer, before=[0])) == " ferryman slept" * 40


def pieces_of(text: str, size: int) -> list[str]:
    return [text[i : i + size] for i in range(0, len(text), size)]


@settings(max_examples=200, deadline=None)
@given(
    text=st.text("ab\n", max_size=40),
    stops=st.lists(st.text("ab\n", min_size=1, max_size=4), max_size=3),
    size=st.integers(1, 5),
)
def test_text_ends_before_the_first_stop(text: str, stops: list[str], size: int) -> None:
    """With one-letter pieces the first stop to be complete ends the text; with larger ones the leftmost in view."""
    shown = "".join(cut_at_stops(pieces_of(text, size), stops))
    assert text.startswith(shown)
    assert not any(stop in shown for stop in stops)
    if any(stop in text for stop in stops):
        assert any(text[len(shown) :].startswith(stop) for stop in stops)
    else:
        assert shown == text


def test_a_stop_that_is_begun_but_not_finished_is_shown_after_all() -> None:
    assert list(cut_at_stops(["Enter ", "HOL", "D and"], ["HOLMES:"])) == ["Enter ", "HOLD and"]


def test_without_stops_every_piece_passes_at_once() -> None:
    assert list(cut_at_stops(["a", "b"], [])) == ["a", "b"]


def test_white_space_before_the_first_word_goes_and_no_other() -> None:
    assert list(without_lead(["", " ", "\n Well", " then", " "])) == ["Well", " then", " "]
    assert list(without_lead([" "])) == []
