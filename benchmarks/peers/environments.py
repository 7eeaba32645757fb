"""An environment for each peer and kind of device, made once with pip from the package index, in `.bench/envs` (which
git ignores): `trl` is for a CPU, `trl-cuda` for a GPU.

torch is installed first and held, so that no peer draws in another build of it.  Unsloth needs two things more on a
machine without a GPU.  Its requirements bring a torchvision that is built for CUDA, which does not load beside a torch
for CPUs, and Unsloth then refuses to start: it is taken out again, text needs none.  And only from 2026.10.9 on does it
train without a GPU; where pip chooses an earlier one, because a library that it asks for is not on the index yet, that
release is put in its place without its requirements, which the earlier one's fulfil.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

TORCH = "torch==2.13.0"
UNSLOTH = ("unsloth==2026.10.9", "unsloth_zoo==2026.10.9")

# What pip is asked to do, in turn, after torch is there.
STEPS: Mapping[str, Sequence[Sequence[str]]] = {
    "hf": (("install", "transformers", "peft", "accelerate", "datasets"),),
    "trl": (("install", "trl", "peft"),),
    "unsloth": (("install", "unsloth"), ("install", "--no-deps", *UNSLOTH, "json5")),
}
ONLY_CPU: Mapping[str, Sequence[Sequence[str]]] = {"unsloth": (("uninstall", "--yes", "torchvision"),)}
ONLY_CUDA: Mapping[str, Sequence[Sequence[str]]] = {"trl": (("install", "liger-kernel", "bitsandbytes"),)}


def python_of(peer: str, home: Path, device: str) -> Path:
    """The Python of a peer's environment, which is made where it is not whole; Quire's is this one."""
    if peer == "quire":
        return Path(sys.executable)
    folder = folder_of(peer, home, device)
    python, done = folder / "bin" / "python", folder / f"made-for-{device}"
    if not done.exists():
        print(f"making an environment for {peer} on {device}: some minutes, once", flush=True)
        _make(peer, folder, python, device)
        done.touch()
    return python


def folder_of(peer: str, home: Path, device: str) -> Path:
    """Where it lies.  What is taken out of, or put into, the one for a CPU has no part in the one for a GPU."""
    return home / (peer if device == "cpu" else f"{peer}-{device}")


def steps_of(peer: str, device: str) -> list[list[str]]:
    """pip's arguments, command by command."""
    more = ONLY_CPU if device == "cpu" else ONLY_CUDA
    return [["install", TORCH], *(list(step) for step in (*STEPS[peer], *more.get(peer, ())))]


def _make(peer: str, folder: Path, python: Path, device: str) -> None:
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)  # noqa: S603
    held = folder / "held.txt"
    held.write_text(TORCH + "\n", encoding="utf-8")
    for step in steps_of(peer, device):
        verb, *rest = step
        holding = ["--constraint", str(held)] if verb == "install" else []
        command = [str(python), "-m", "pip", verb, "--quiet", "--disable-pip-version-check", *holding, *rest]
        subprocess.run(command, check=True)  # noqa: S603
