"""A tokenizer for a base that is made from scratch: byte-level BPE (as GPT-2's), so that no text is unknown."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

from quire.prompts.shapes import CHARACTER, SYSTEM, USER, MarkedWriter

# Rows are padded by other programs alone.  Were they padded with end-of-text, as is often done, those programs would
# leave out every end-of-text from what is learned, and texts would never end.
END, BEGIN, PAD = "<|end|>", "<|begin|>", "<|pad|>"
SPECIAL = (END, BEGIN, SYSTEM, USER, CHARACTER, PAD)

# How text is cut before merges are looked for: words with the one sign before them, single digits, punctuation, white
# space.  It is what llama.cpp calls qwen2, sign for sign: it knows a few patterns by name and no others.
PATTERN = (
    r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# While merges are learned lines are apart, so that no token holds a line's end beside anything else: verse and
# paragraphs stay visible to the model.  What was never merged is not merged later, though PATTERN would let it be.
LINES = r"[^\n]+|\n+"


def make_tokenizer(texts: Iterable[str], vocabulary: int, folder: Path) -> None:
    """Learn a byte-level BPE of `vocabulary` tokens (special ones included) and write it to `folder`.

    The chat template goes along, so that other programs write conversations as Quire does.
    """
    core = tokenizers.Tokenizer(models.BPE())
    core.pre_tokenizer = _cut_by(LINES, PATTERN)
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    core.pre_tokenizer = _cut_by(PATTERN)
    begin = core.token_to_id(BEGIN)
    core.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", pair=f"{BEGIN} $A {BEGIN} $B", special_tokens=[(BEGIN, begin)]
    )
    core.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BEGIN,
        "eos_token": END,
        "pad_token": PAD,
        "additional_special_tokens": [SYSTEM, USER, CHARACTER],
        "model_input_names": ["input_ids", "attention_mask"],  # transformers 4 takes token_type_ids for granted
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    (folder / "chat_template.jinja").write_text(MarkedWriter(END, BEGIN).as_template(), encoding="utf-8")


def _cut_by(*patterns: str) -> pre_tokenizers.PreTokenizer:
    cuts = [pre_tokenizers.Split(tokenizers.Regex(pattern), behavior="isolated") for pattern in patterns]
    return pre_tokenizers.Sequence([*cuts, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
