from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer
from transformers import AutoTokenizer, DataCollatorForLanguageModeling

from quire.tokens.make import SPECIAL, make_tokenizer
from quire.tokens.tokenizer import load_tokenizer

TEXT = "the cat sat on the mat, and the dog sat on the log.\n\nthe end of the tale\n" * 50


def test_the_vocabulary_has_the_asked_size_and_holds_the_special_tokens_first(tmp_path: Path) -> None:
    make_tokenizer([TEXT], 280, tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.size == 280
    assert [tokenizer.core.token_to_id(token) for token in SPECIAL] == list(range(len(SPECIAL)))


def test_frequent_words_become_single_tokens(tmp_path: Path) -> None:
    make_tokenizer([TEXT], 330, tmp_path)
    assert len(load_tokenizer(tmp_path).encode(" the")) == 1


def test_a_line_end_is_never_part_of_a_word(tmp_path: Path) -> None:
    make_tokenizer([TEXT], 400, tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    pieces = [tokenizer.decode([i]) for i in tokenizer.encode(TEXT)]
    assert all(piece.strip("\n") in ("", piece) for piece in pieces)


def test_the_same_text_makes_the_same_tokenizer(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        make_tokenizer([TEXT], 350, tmp_path / name)
    files = [(tmp_path / name / "tokenizer.json").read_bytes() for name in ("one", "two")]
    assert files[0] == files[1]


def test_a_line_end_stands_by_itself_behind_any_sign(tmp_path: Path) -> None:
    """The saved pattern would let ".\\n\\n" be one token; merges are learned with lines apart, so that none is."""
    texts = ["“Yes.”\n\n— Oui ?\n\n" * 400]
    make_tokenizer(texts, 400, tmp_path)
    core = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    pieces = [core.decode([token]) for token in core.encode(texts[0], add_special_tokens=False).ids]
    assert "\n\n" in pieces
    assert all(piece.strip("\n") in ("", piece) for piece in pieces)


def test_rows_are_padded_with_a_token_of_its_own(tmp_path: Path) -> None:
    """transformers' collator leaves padding out of what is learned: end-of-text must not be among it."""
    make_tokenizer([TEXT], 300, tmp_path)
    tokenizer = load_tokenizer(tmp_path)
    assert tokenizer.pad != tokenizer.end_of_text
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    ends = theirs(["the cat<|end|>", "the cat sat on the mat<|end|>"])["input_ids"]
    batch = DataCollatorForLanguageModeling(theirs, mlm=False)(ends)
    assert (batch["labels"] == tokenizer.end_of_text).sum() == 2
