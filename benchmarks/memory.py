"""Memory of a training step, measured beside what the plan foretells: `python benchmarks/memory.py`.

Each case runs in a process of its own, so that its peak is its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

SHAPES: dict[str, dict[str, int]] = {
    "7M": {"hidden": 256, "layers": 6, "heads": 4, "key_value_heads": 2, "intermediate": 704, "vocabulary": 8192},
    "135M": {"hidden": 576, "layers": 30, "heads": 9, "key_value_heads": 3, "intermediate": 1536, "vocabulary": 49152},
}
QV: dict[str, Any] = {"lora": {"rank": 8, "targets": ["q_proj", "v_proj"]}}
CASES: list[dict[str, Any]] = [
    {"shape": "7M", "precision": "bf16", "train": {"method": "lora", "window": 256, "batch": 8}},
    {"shape": "7M", "precision": "bf16", "train": {"method": "full", "window": 1024, "batch": 1}},
    {"shape": "135M", "precision": "bf16", "train": {"method": QV, "window": 1024, "batch": 1}},
    {"shape": "135M", "precision": "bf16", "train": {"method": "lora", "window": 512, "batch": 1}},
    {"shape": "135M", "precision": "fp32", "train": {"method": "lora", "window": 512, "batch": 1}},
]


def main() -> None:
    """Print a table: case, foretold and measured bytes, their ratio."""
    print("| shape | precision | training | foretold | measured | ratio |\n|---|---|---|---|---|---|")
    for case in CASES:
        foretold, measured = measure(case)
        row = (case["shape"], case["precision"], json.dumps(case["train"]), f"{foretold / 2**30:.2f} GiB")
        print(f"| {' | '.join(row)} | {measured / 2**30:.2f} GiB | {foretold / measured:.2f} |", flush=True)


def measure(case: dict[str, Any]) -> tuple[int, int]:
    """(foretold, measured) bytes at the peak of two steps of `case`."""
    with tempfile.TemporaryDirectory() as folder:
        for step in ("make", "step"):
            command = [sys.executable, "-W", "ignore", __file__, step, folder, json.dumps(case)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    foretold, measured = json.loads(done.stdout.splitlines()[-1])
    return foretold, measured


def make(folder: Path, case: dict[str, Any]) -> None:
    """Write a base of the case's shape, with random weights and a small tokenizer."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from quire.tokens.make import make_tokenizer

    shape = SHAPES[case["shape"]]
    config = LlamaConfig(
        hidden_size=shape["hidden"],
        num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"],
        num_key_value_heads=shape["key_value_heads"],
        intermediate_size=shape["intermediate"],
        vocab_size=shape["vocabulary"],
        tie_word_embeddings=True,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    make_tokenizer(["The sea was not there. La mer n'y était pas."] * 4, 300, folder)


def step(folder: Path, case: dict[str, Any]) -> tuple[int, int]:
    """Take two steps as training does; return what the plan says and the peak of this process."""
    import resource

    import torch

    from quire.model.kernels.native import native
    from quire.planner.bases import BaseFiles
    from quire.planner.memory import memory_of
    from quire.planner.schedule import choose_batch
    from quire.planner.shape import read_shape
    from quire.recipe.schema import TrainSettings
    from quire.training.compute import Batch, summed_loss
    from quire.training.learner import make_learner
    from quire.training.optimizers.optimizer import make_optimizer

    settings = TrainSettings.model_validate(case["train"])
    choice = choose_batch(settings)
    learner = make_learner(BaseFiles(str(folder), folder, "", "folder"), settings, case["precision"], "cpu", 7)
    optimizer = make_optimizer(learner.model, settings)
    learner.model.train()
    ids = torch.randint(0, 256, (choice.batch, settings.window))
    positions = torch.arange(settings.window).expand(choice.batch, -1)
    for _ in range(2):
        loss = summed_loss(learner.model, Batch(ids, positions, ids, (settings.window,)), learner.computation)
        (loss / ids.numel()).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    kernels = native() is not None
    foretold = memory_of(settings, read_shape(folder), choice, case["precision"], learner.trainable, kernels=kernels)
    return foretold.total, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


if __name__ == "__main__":
    if len(sys.argv) == 1:
        main()
    elif sys.argv[1] == "make":
        make(Path(sys.argv[2]), json.loads(sys.argv[3]))
    else:
        print(json.dumps(step(Path(sys.argv[2]), json.loads(sys.argv[3]))))
