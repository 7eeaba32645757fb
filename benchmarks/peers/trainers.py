"""What the scripts that use transformers' Trainer, or one that is built on it, share: listening to its steps.

For the peers' own environments; transformers is imported late.
"""

from __future__ import annotations

from typing import Any

from benchmarks.peers.job import Job
from benchmarks.peers.meter import Meter


def common_settings(job: Job, steps: int) -> dict[str, Any]:
    """TrainingArguments that all peers share: one row a step, a loss for every step, nothing saved or reported."""
    return {
        "output_dir": job.out,
        "max_steps": steps,
        "per_device_train_batch_size": 1,
        "gradient_accumulation_steps": 1,
        "learning_rate": job.learning_rate,
        "lr_scheduler_type": "constant",
        "logging_steps": 1,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "seed": job.seed,
        "use_cpu": job.device == "cpu",
        "dataloader_pin_memory": job.device != "cpu",
    }


def listen(trainer: Any, meter: Meter) -> None:
    """Let `meter` hear of every batch, step and loss of `trainer`."""
    from transformers import TrainerCallback

    class Listener(TrainerCallback):
        def on_step_end(self, *_given: Any, **_values: Any) -> None:
            wait_for_device()
            meter.step_done()

        def on_log(self, *_given: Any, **values: Any) -> None:
            if "loss" in (values.get("logs") or {}):
                meter.losses.append(float(values["logs"]["loss"]))

    trainer.data_collator = meter.counting(trainer.data_collator)
    trainer.add_callback(Listener())


def wait_for_device() -> None:
    """A GPU works on while Python goes ahead; a time is only true when it has caught up."""
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def device_notes(job: Job) -> dict[str, object]:
    """The most memory that the GPU gave, where there is one."""
    import torch

    return {"gpu_peak_bytes": torch.cuda.max_memory_allocated()} if job.device == "cuda" else {}
