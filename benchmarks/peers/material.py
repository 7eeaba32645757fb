"""What every trainer is given: a base with random weights in transformers' layout, and the text of a book.

`python -m benchmarks.peers.material SHAPE FOLDER TOKENIZER` makes a base, in a process whose memory is then free again.
"""

from __future__ import annotations

import json
import lzma
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from benchmarks.peers.lineup import SHAPES, Shape

ROOT = Path(__file__).parents[2]
DATA = ROOT.parent / "shared" / "data"
BOOK = DATA / "books" / "jane-austen_pride-and-prejudice.epub"
SAMPLE = "sample:novella"
LARGEST_VOCABULARY = 49152  # of the tokenizer; a base with a larger one leaves the rest unused
LEARNED_FROM = 12_000_000  # characters
POSITIONS = 8192
SEED = 7


def base_of(shape: Shape, home: Path) -> Path:
    """The folder of the base, made once."""
    folder = home / f"base-{shape.name}"
    if not (folder / "config.json").exists():
        tokenizer = tokenizer_of(min(shape.vocabulary, LARGEST_VOCABULARY), home)
        print(f"making a base of the shape {shape.name}, once", flush=True)
        command = [sys.executable, "-m", "benchmarks.peers.material", shape.name, str(folder), str(tokenizer)]
        subprocess.run(command, check=True, cwd=ROOT)  # noqa: S603
    return folder


def tokenizer_of(vocabulary: int, home: Path) -> Path:
    """The folder of a byte-level BPE of that many tokens, learned from novels, made once."""
    from quire.tokens.make import make_tokenizer

    folder = home / f"tokenizer-{vocabulary}"
    if not folder.exists():
        print(f"learning a tokenizer of {vocabulary} tokens, once", flush=True)
        unfinished = folder.with_name(folder.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        make_tokenizer(novels(LEARNED_FROM), vocabulary, unfinished)
        unfinished.rename(folder)
    return folder


def novels(characters: int, folder: Path = DATA / "base_corpus") -> Iterator[str]:
    """Paragraphs of English novels, so many characters; the bundled novella where the corpus is not here."""
    parts = sorted(folder.glob("en-*.jsonl.xz"))
    if not parts:
        yield from book_text(SAMPLE).split("\n\n")
        return
    left = characters
    for part in parts:
        with lzma.open(part, "rt", encoding="utf-8") as lines:
            for line in lines:
                for paragraph in json.loads(line)["text"].split("\n\n"):
                    if left <= 0:
                        return
                    left -= len(paragraph)
                    yield paragraph


def book_text(source: str) -> str:
    """The clean text of a book, as Quire reads it."""
    import quire

    return quire.read(source).text


def default_book() -> str:
    """Pride and Prejudice where the project's data is, otherwise the bundled novella."""
    return str(BOOK) if BOOK.exists() else SAMPLE


def excerpt(text: str, tokenizer: Path, tokens: int) -> str:
    """The first paragraphs of `text`, at least so many tokens where it has them."""
    from tokenizers import Tokenizer

    core = Tokenizer.from_file(str(tokenizer / "tokenizer.json"))
    taken, count = [], 0
    for paragraph in text.split("\n\n"):
        taken.append(paragraph)
        count += len(core.encode(paragraph, add_special_tokens=False).ids) + 1
        if count >= tokens:
            break
    return "\n\n".join(taken) + "\n"


def make_base(shape: Shape, folder: Path, tokenizer: Path) -> None:
    """Random weights in bf16 and the tokenizer, written to `folder` when they are whole."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(tokenizer, unfinished)
    settings = json.loads((tokenizer / "tokenizer_config.json").read_text(encoding="utf-8"))
    vocabulary = json.loads((tokenizer / "tokenizer.json").read_text(encoding="utf-8"))
    number = {token["content"]: token["id"] for token in vocabulary["added_tokens"]}
    config = LlamaConfig(
        hidden_size=shape.hidden,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.key_value_heads,
        intermediate_size=shape.intermediate,
        vocab_size=shape.vocabulary,
        max_position_embeddings=POSITIONS,
        tie_word_embeddings=shape.tied,
        bos_token_id=number[settings["bos_token"]],
        eos_token_id=number[settings["eos_token"]],
        pad_token_id=number[settings["pad_token"]],
    )
    torch.manual_seed(SEED)
    torch.set_default_dtype(torch.bfloat16)
    LlamaForCausalLM(config).save_pretrained(unfinished)
    unfinished.rename(folder)


if __name__ == "__main__":
    name, place, learned = sys.argv[1:]
    make_base(SHAPES[name], Path(place), Path(learned))
