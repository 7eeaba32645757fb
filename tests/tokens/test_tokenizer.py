from __future__ import annotations

import json
from pathlib import Path

import pytest
from transformers import AutoTokenizer

from quire.errors import BaseModelError
from quire.tokens.make import BEGIN, END, make_tokenizer
from quire.tokens.tokenizer import load_tokenizer

VERSE = "Ô rivière, ô moulins,\nQuelle eau passe sans défaut ?\n\n— “No,” said he; ’tis 1848.\n"


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tokenizer")
    make_tokenizer([VERSE * 20, "The door opened, and the old man came in. " * 30], 400, folder)
    return folder


def test_a_text_comes_back_with_every_line_space_and_accent(own: Path) -> None:
    tokenizer = load_tokenizer(own)
    for text in (VERSE, "  two  spaces\t and a tab\n\n\n* * *", "日本語 🙂 \u202f« x »"):
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_encoding_adds_nothing_and_many_texts_are_encoded_like_one(own: Path) -> None:
    tokenizer = load_tokenizer(own)
    assert tokenizer.encode("") == []
    assert tokenizer.encode_all([VERSE, "x"]) == [tokenizer.encode(VERSE), tokenizer.encode("x")]


def test_a_book_cannot_spell_a_special_token(own: Path) -> None:
    tokenizer = load_tokenizer(own)
    ids = tokenizer.encode(f"the {END} of {BEGIN}")
    assert tokenizer.end_of_text not in ids
    assert tokenizer.start not in ids
    assert tokenizer.decode(ids) == f"the {END} of {BEGIN}"


def test_start_and_end_are_what_transformers_finds_in_the_same_files(own: Path) -> None:
    tokenizer = load_tokenizer(own)
    theirs = AutoTokenizer.from_pretrained(own)
    assert tokenizer.start == theirs("").input_ids[0] == theirs.bos_token_id
    assert tokenizer.end_of_text == theirs.eos_token_id
    assert theirs(VERSE).input_ids == [tokenizer.start, *tokenizer.encode(VERSE)]


def test_a_base_without_a_start_token_has_none(tiny_bases: dict[str, Path]) -> None:
    for folder in tiny_bases.values():
        expected = AutoTokenizer.from_pretrained(folder)("").input_ids
        assert load_tokenizer(folder).start == (expected[0] if expected else None)


def test_saving_copies_what_transformers_can_load(own: Path, tmp_path: Path) -> None:
    load_tokenizer(own).save(tmp_path)
    assert (
        AutoTokenizer.from_pretrained(tmp_path)(VERSE).input_ids == AutoTokenizer.from_pretrained(own)(VERSE).input_ids
    )


def test_a_folder_without_a_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(BaseModelError, match=r"no tokenizer\.json"):
        load_tokenizer(tmp_path)


@pytest.mark.parametrize("broken", ["{", "[]", '{"model": {"type": "BPE", "vocab": {}, "merges": ["a"]}}', ""])
def test_a_broken_tokenizer_is_an_error_and_no_crash(tmp_path: Path, broken: str) -> None:
    (tmp_path / "tokenizer.json").write_text(broken)
    with pytest.raises(BaseModelError, match="not a usable tokenizer"):
        load_tokenizer(tmp_path)


def test_a_tokenizer_that_names_no_end_is_refused(own: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((own / "tokenizer.json").read_bytes())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"bos_token": BEGIN}))
    with pytest.raises(BaseModelError, match="end-of-text"):
        load_tokenizer(tmp_path)
