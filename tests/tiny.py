"""Base models small enough for tests: random weights, but the real architectures and a real tokenizer."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GPT2Config,
    GPTNeoConfig,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
)

END = "<|end|>"
WINDOW = 256
_TEXT = """The ferryman opened the door and looked at the water for a long time.
“You ask me why we do not go on,” she said. “We do not go on because the river is not there.”
— Eh bien, dit-il, où donc est passée la rivière ? — Elle reviendra, répondit l’enfant."""

FAMILIES = ("llama", "mistral", "qwen", "gemma", "gpt2", "gpt-neo", "gpt-neox")


def build_tokenizer() -> PreTrainedTokenizerFast:
    """Byte-level BPE: 256 bytes, the end token, and what the sample text teaches."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=384,
        special_tokens=[END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([_TEXT] * 8, trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, clean_up_tokenization_spaces=False, model_max_length=WINDOW
    )


def build_config(family: str, vocabulary: int, end: int) -> PreTrainedConfig:
    """Two layers, width 32, four heads; local attention and sliding windows are short enough to be felt."""
    ids = {"bos_token_id": end, "eos_token_id": end}
    llama_like = ids | {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": WINDOW,
    }
    match family:
        case "llama":
            return LlamaConfig(**llama_like, tie_word_embeddings=True)
        case "mistral":
            return MistralConfig(**llama_like, sliding_window=32)
        case "qwen":
            return Qwen2Config(**llama_like, tie_word_embeddings=True)
        case "gemma":
            return Gemma2Config(**llama_like, head_dim=8, sliding_window=32)
        case "gpt2":
            return GPT2Config(vocab_size=vocabulary, n_positions=WINDOW, n_embd=32, n_layer=2, n_head=4, **ids)
        case "gpt-neo":
            return GPTNeoConfig(
                vocab_size=vocabulary,
                max_position_embeddings=WINDOW,
                hidden_size=32,
                num_layers=2,
                num_heads=4,
                attention_types=[[["global", "local"], 1]],
                window_size=32,
                **ids,
            )
        case "gpt-neox":
            return GPTNeoXConfig(
                vocab_size=vocabulary,
                max_position_embeddings=WINDOW,
                hidden_size=32,
                intermediate_size=64,
                num_hidden_layers=2,
                num_attention_heads=4,
                **ids,
            )
    raise AssertionError(f"no tiny model of the family {family}")


def build_model(family: str, tokenizer: PreTrainedTokenizerFast, seed: int = 7) -> PreTrainedModel:
    """Random weights of a seed, in float32, not training."""
    config = build_config(family, len(tokenizer), tokenizer.eos_token_id)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()


@cache
def _tokenizer() -> PreTrainedTokenizerFast:
    return build_tokenizer()


def save_base(folder: Path, family: str, seed: int = 7) -> Path:
    """Weights (safetensors), config and tokenizer, as a hub repository holds them; returns the folder."""
    build_model(family, _tokenizer(), seed).save_pretrained(folder)
    _tokenizer().save_pretrained(folder)
    return folder
