"""Put the voice of a pretraining run into the package as the embedded base: weights rounded to bf16, plain layout.

python tools/embed_base.py runs/embedded-base
"""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path

import torch
from transformers import GenerationConfig

from quire.model.base import load_model
from quire.run.folder import RunFolder
from quire.tokens.tokenizer import load_tokenizer


def embed(run: Path) -> Path:
    """Replace the embedded base's model and tokenizer files; its README.md is written by hand and stays."""
    voice = RunFolder(run).voice
    target = Path(str(resources.files("quire"))) / "assets" / "embedded"
    model = load_model(voice, "fp32").to(torch.bfloat16)
    tokenizer = load_tokenizer(voice)
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.start, eos_token_id=tokenizer.end_of_text, pad_token_id=tokenizer.pad
    )
    model.save_pretrained(target)
    tokenizer.save(target)
    for file in target.iterdir():
        file.chmod(0o644)  # safetensors makes its files readable by their owner alone
    return target


if __name__ == "__main__":
    print(embed(Path(sys.argv[1])))
