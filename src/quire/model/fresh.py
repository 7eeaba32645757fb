"""A base from nothing: a tokenizer learned from the training text and a small Llama with random weights."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from quire.recipe.fresh import Fresh
from quire.tokens.make import make_tokenizer
from quire.tokens.tokenizer import load_tokenizer

# Depth-scaled start (GPT-2): the layers' outputs add up, so each starts smaller the more there are.
INITIAL_STD = 0.02


def make_base(fresh: Fresh, texts: Iterable[str], folder: Path, seed: int) -> None:
    """Write tokenizer, config and random weights to `folder`; the same texts and seed give the same bytes."""
    make_tokenizer(texts, fresh.vocabulary, folder)
    tokenizer = load_tokenizer(folder)
    config = LlamaConfig(
        vocab_size=tokenizer.size,
        hidden_size=fresh.hidden,
        intermediate_size=fresh.intermediate,
        num_hidden_layers=fresh.layers,
        num_attention_heads=fresh.heads,
        num_key_value_heads=fresh.key_value_heads,
        max_position_embeddings=fresh.positions,
        tie_word_embeddings=True,
        initializer_range=INITIAL_STD,
        bos_token_id=tokenizer.start,
        eos_token_id=tokenizer.end_of_text,
        pad_token_id=tokenizer.pad,
        dtype="float32",
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
        for name, weight in model.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                torch.nn.init.normal_(weight, std=INITIAL_STD / (2 * fresh.layers) ** 0.5)
    model.save_pretrained(folder)
