"""TRL's SFTTrainer at its best: packed to the window, bf16, no activations computed twice, PEFT LoRA, one row a step.

Packing is `wrapped`: a book is one long text, and cut at the window it leaves no padding and no row of several texts.
Activations are kept, since they fit (TRL's default computes them twice, which is slower).  On a GPU with Liger's
kernels, and in nf4 through bitsandbytes where the job says so; that side has not been run, for want of a GPU.
Run in an environment of its own: `python -m benchmarks.peers.trl_sft JOB.json`
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.peers.job import job_of_command_line
from benchmarks.peers.meter import Meter
from benchmarks.peers.trainers import common_settings, device_notes, listen


def main() -> None:
    """Train and say how fast."""
    job = job_of_command_line()
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    text = Path(job.text).read_text(encoding="utf-8")
    settings: dict[str, Any] = common_settings(job, job.windows)
    settings |= {"bf16": True, "gradient_checkpointing": job.precision == "nf4"}
    settings |= {"max_length": job.window, "packing": True, "packing_strategy": "wrapped"}
    settings |= {"use_liger_kernel": job.device == "cuda"}
    load: dict[str, Any] = {"device_map": "cuda"} if job.device == "cuda" else {}
    if job.precision == "nf4":
        from transformers import BitsAndBytesConfig

        load["quantization_config"] = BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=torch.bfloat16
        )
    trainer = SFTTrainer(
        model=AutoModelForCausalLM.from_pretrained(job.base, dtype=torch.bfloat16, **load),
        args=SFTConfig(**settings),
        train_dataset=Dataset.from_list([{"text": text}]),
        processing_class=AutoTokenizer.from_pretrained(job.base),
        peft_config=LoraConfig(
            r=job.rank, lora_alpha=job.alpha, target_modules=job.peft_targets, lora_dropout=0.0, task_type="CAUSAL_LM"
        ),
    )
    meter = Meter()
    listen(trainer, meter)
    trainer.train()
    packages = ("torch", "transformers", "peft", "accelerate", "trl", "liger-kernel", "bitsandbytes")
    notes = {"precision": job.precision, "rows": "packed", **device_notes(job)}
    meter.say(job.warm, threads=torch.get_num_threads(), packages=packages, notes=notes)


if __name__ == "__main__":
    main()
