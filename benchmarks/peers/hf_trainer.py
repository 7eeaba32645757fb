"""transformers' Trainer as small projects on the web use it: fp32, ten sentences a row, one row a step, PEFT LoRA.

Rows are cut at the window and padded to the longest of their batch, which holds one: no padding is computed.
Run in an environment of its own: `python -m benchmarks.peers.hf_trainer JOB.json`
"""

from __future__ import annotations

import re
from pathlib import Path

from benchmarks.peers.job import Job, job_of_command_line
from benchmarks.peers.meter import Meter
from benchmarks.peers.trainers import common_settings, device_notes, listen

SENTENCES = 10
_END = re.compile(r"(?<=[.!?])\s+")


def chunks_of(text: str) -> list[str]:
    """Ten sentences each, parted by one space, as those projects make them."""
    sentences = [one.strip() for one in _END.split(text) if one.strip()]
    return [" ".join(sentences[at : at + SENTENCES]) for at in range(0, len(sentences), SENTENCES)]


def enough(lengths: list[int], job: Job) -> tuple[int, int]:
    """How many of the rows, of so many tokens each, warm up, and how many are trained in all: as much text as the
    windows of the job hold."""
    warm = _reach(lengths, job.warm * job.window)
    return warm, max(warm + 1, _reach(lengths, job.windows * job.window))


def _reach(lengths: list[int], tokens: int) -> int:
    total = 0
    for number, length in enumerate(lengths, 1):
        total += length
        if total >= tokens:
            return number
    return len(lengths)


def main() -> None:
    """Train and say how fast."""
    job = job_of_command_line()
    import torch
    from datasets import Dataset
    from peft import LoraConfig, get_peft_model
    from transformers import (
        AutoModelForCausalLM,
        AutoTokenizer,
        DataCollatorForLanguageModeling,
        Trainer,
        TrainingArguments,
    )

    tokenizer = AutoTokenizer.from_pretrained(job.base)
    chunks = chunks_of(Path(job.text).read_text(encoding="utf-8"))
    rows = [tokenizer(chunk, truncation=True, max_length=job.window) for chunk in chunks]
    warm, count = enough([len(row["input_ids"]) for row in rows], job)
    model = AutoModelForCausalLM.from_pretrained(job.base, dtype=torch.float32)
    lora = LoraConfig(
        r=job.rank, lora_alpha=job.alpha, target_modules=job.peft_targets, lora_dropout=0.0, task_type="CAUSAL_LM"
    )
    trainer = Trainer(
        model=get_peft_model(model, lora),
        args=TrainingArguments(**common_settings(job, count)),
        train_dataset=Dataset.from_list([dict(row) for row in rows[:count]]),
        data_collator=DataCollatorForLanguageModeling(tokenizer, mlm=False),
    )
    meter = Meter()
    listen(trainer, meter)
    trainer.train()
    packages = ("torch", "transformers", "peft", "accelerate")
    notes = {"precision": "fp32", "rows": "ten sentences", **device_notes(job)}
    meter.say(warm, threads=torch.get_num_threads(), packages=packages, notes=notes)


if __name__ == "__main__":
    main()
