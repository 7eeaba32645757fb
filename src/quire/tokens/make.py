"""A tokenizer for a base that is made from scratch: byte-level BPE (as GPT-2's), so that no text is unknown."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, processors, trainers

from quire.prompts.shapes import CHARACTER, SYSTEM, USER

END, BEGIN = "<|end|>", "<|begin|>"
SPECIAL = (END, BEGIN, SYSTEM, USER, CHARACTER)

# Words with the space before them, runs of letters, single digits, punctuation, white space: GPT-2's split with
# digits apart and with a line end never glued to a word, so that verse and paragraphs stay visible to the model.
PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}| ?[^\s\p{L}\p{N}]+|\n+|[^\S\n]+(?!\S)|[^\S\n]+"""


def make_tokenizer(texts: Iterable[str], vocabulary: int, folder: Path) -> None:
    """Learn a byte-level BPE of `vocabulary` tokens (special ones included) and write it to `folder`."""
    core = tokenizers.Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(tokenizers.Regex(PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(texts, trainer)
    begin = core.token_to_id(BEGIN)
    core.post_processor = processors.TemplateProcessing(
        single=f"{BEGIN} $A", pair=f"{BEGIN} $A {BEGIN} $B", special_tokens=[(BEGIN, begin)]
    )
    core.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": BEGIN,
        "eos_token": END,
        "pad_token": END,
        "additional_special_tokens": [SYSTEM, USER, CHARACTER],
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
