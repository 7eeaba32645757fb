"""Unsloth at its best: FastLanguageModel in bf16, full windows, no activations computed twice, one row a step.

Since 2026.10.9 it trains on a CPU by itself where torch finds no GPU (releases before that refuse).  There it turns
packing off, since its attention would see other texts of a row; so the book is cut into full windows beforehand, which
is what packing would make of it.  On a GPU it is run as its notebooks do, in nf4 where the job says so; that side has
not been run, for want of a GPU.
Run in an environment of its own: `python -m benchmarks.peers.unsloth_sft JOB.json`
"""

from __future__ import annotations

from pathlib import Path

from benchmarks.peers.job import job_of_command_line, seek_windows
from benchmarks.peers.meter import Meter
from benchmarks.peers.trainers import common_settings, device_notes, listen

LINEAR = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def main() -> None:
    """Train and say how fast."""
    job = job_of_command_line()
    from unsloth import FastLanguageModel  # isort: skip (it must come before the libraries that it changes)
    import torch
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    twice = "unsloth" if job.precision == "nf4" else False
    model, tokenizer = FastLanguageModel.from_pretrained(
        job.base,
        max_seq_length=job.window,
        dtype=torch.bfloat16,
        load_in_4bit=job.precision == "nf4",
        use_gradient_checkpointing=twice,
    )
    model = FastLanguageModel.get_peft_model(
        model,
        r=job.rank,
        lora_alpha=job.alpha,
        target_modules=list(LINEAR if job.targets == ("all-linear",) else job.targets),
        lora_dropout=0.0,
        bias="none",
        use_gradient_checkpointing=twice,
        random_state=job.seed,
    )
    tokens = tokenizer(Path(job.text).read_text(encoding="utf-8"))["input_ids"]
    rows = [{"input_ids": row} for row in seek_windows(tokens, job.window, job.windows)]
    settings = common_settings(job, job.windows)
    settings |= {"bf16": True, "gradient_checkpointing": bool(twice), "max_length": job.window, "packing": False}
    trainer = SFTTrainer(
        model=model, processing_class=tokenizer, train_dataset=Dataset.from_list(rows), args=SFTConfig(**settings)
    )
    meter = Meter()
    listen(trainer, meter)
    trainer.train()
    packages = ("torch", "transformers", "peft", "accelerate", "trl", "unsloth", "unsloth_zoo", "bitsandbytes")
    notes = {"precision": job.precision, "rows": "windows", **device_notes(job)}
    meter.say(job.warm, threads=torch.get_num_threads(), packages=packages, notes=notes)


if __name__ == "__main__":
    main()
