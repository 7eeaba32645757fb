"""Quire's own training, through its Python API: `python -m benchmarks.peers.quire_train JOB.json`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.peers.job import Job, job_of_command_line
from benchmarks.peers.meter import Meter


def settings_of(job: Job) -> dict[str, Any]:
    """The job in a recipe's keys: one row a step as all others have, and nothing but steps until the last."""
    targets: Any = "all-linear" if job.targets == ("all-linear",) else list(job.targets)
    adapter = {"rank": job.rank, "alpha": job.alpha, "dropout": 0.0, "targets": targets}
    few = job.precision in ("int8", "nf4")
    return {
        "seed": job.seed,
        "train.method": {"qlora" if few else "lora": adapter},
        "train.precision": job.precision if few else "auto",
        "train.window": job.window,
        "train.effective_batch": 1,
        "train.steps": job.windows,
        "train.evaluate_every": job.windows,
        "train.learning_rate": job.learning_rate,
        "write.max_new_tokens": 4,
    }


def main() -> None:
    """Train and say how fast."""
    job = job_of_command_line()
    import torch

    import quire
    from quire.recipe.resolved import load_resolved
    from quire.run.folder import RunFolder

    meter = Meter()

    def listen(event: quire.Event) -> None:
        if event.kind == "step":
            meter.step(int(str(event.values["tokens"])))
            meter.losses.append(float(str(event.values["loss"])))

    run = quire.train(job.text, base=job.base, run=Path(job.out) / "run", settings=settings_of(job), listener=listen)
    decided = load_resolved(RunFolder(run.path).recipe_file).decided
    stage = decided.stages[0].model_dump(mode="json")
    notes: dict[str, object] = {"precision": stage["precision"], "rows": "windows", "decided": stage}
    if job.device == "cuda":
        notes["gpu_peak_bytes"] = torch.cuda.max_memory_allocated()
    packages = ("torch", "transformers", "quire")
    meter.say(job.warm, threads=decided.threads, packages=packages, notes=notes)


if __name__ == "__main__":
    main()
