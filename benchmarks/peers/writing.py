"""How many tokens a second are written, and by what a user would write with instead: greedy text, same weights.

`python -m benchmarks.peers.writing [--shape 135M|360M|1B] [--precision bf16|int8|fp32] [--texts 1] [--prompt 32]
[--new 128] [--rounds 3] [--threads 2]`

Round after round, each writer in turn, in a process of its own.  `whole` counts from the prompt to the last token,
`after` from the first new token on; both are new tokens, of all texts, over seconds.  `work` is new tokens over the
seconds that all threads worked together: with `--threads 1` it is what others on the machine hinder least.  llama.cpp
comes through the package xllamacpp, in an environment of its own, and has the precision that is nearest: q8_0 for int8,
and both bf16 and f16 for bf16.  transformers is its `generate` on the base as `from_pretrained` loads it, in bf16 and
in fp32, for on a processor either may be the quicker one.  Several texts have prompts of their own, all of one length,
and every writer reads each of them (Quire by its readers; `write_texts` itself goes on from one prompt, which it reads
once).  Written to benchmarks/results/writing.json, which keeps the other cases' figures.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import facts
from benchmarks.peers.lineup import SHAPES
from benchmarks.peers.meter import MARK

ROOT = Path(__file__).parents[2]
HOME = ROOT / ".bench"
RESULTS = ROOT / "benchmarks" / "results" / "writing.json"
FIGURES = ("whole", "after", "work")
WRITERS = {
    "bf16": ("quire", "transformers bf16", "transformers fp32", "llama.cpp bf16", "llama.cpp f16"),
    "int8": ("quire", "transformers bf16", "transformers fp32", "llama.cpp q8_0"),
    "fp32": ("quire", "transformers fp32", "llama.cpp f32"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the rounds, print and keep the figures."""
    from benchmarks.peers.material import base_of
    from benchmarks.peers.results import Onlooker

    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers.writing", description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, default="135M")
    parser.add_argument("--precision", choices=WRITERS, default="bf16")
    parser.add_argument("--writers", help="names, parted by commas")
    parser.add_argument("--texts", type=int, default=1, help="that are written side by side")
    parser.add_argument("--prompt", type=int, default=32, help="tokens of the prompt")
    parser.add_argument("--new", type=int, default=128, help="tokens that are written")
    parser.add_argument("--rounds", type=int, default=3, help="in which every writer has its turn")
    parser.add_argument("--repeats", type=int, default=2, help="of each turn; the first texts of a process are warm-up")
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--patience", type=float, default=20.0, help="seconds to wait for others to be quiet")
    parser.add_argument("--results", type=Path, default=RESULTS)
    asked = parser.parse_args(arguments)
    base = base_of(SHAPES[asked.shape], HOME)
    draw = random.Random(7)
    vocabulary = SHAPES[asked.shape].vocabulary
    job = {
        "base": str(base),
        "precision": asked.precision,
        "ids": [[draw.randrange(300, vocabulary) for _ in range(asked.prompt)] for _ in range(asked.texts)],
        "prompt": asked.prompt,
        "new": asked.new,
        "texts": asked.texts,
        "rounds": asked.repeats,
        "threads": asked.threads,
    }
    writers = asked.writers.split(",") if asked.writers else WRITERS[asked.precision]
    if unknown := [writer for writer in writers if writer not in WRITERS[asked.precision]]:
        parser.error(f"no writer is called {', '.join(unknown)}: there are {', '.join(WRITERS[asked.precision])}")
    machine = facts.machine()
    seconds: dict[str, list[list[float]]] = {writer: [] for writer in writers}
    others: list[float] = []
    for _ in range(asked.rounds):
        for writer in writers:
            command = _command(writer, base, job)
            onlooker = Onlooker()
            onlooker.wait_for_quiet(asked.patience)
            seconds[writer] += _run(command, asked.threads)["rounds"]
            others.append(onlooker.others() or 0.0)
    tokens = asked.new * asked.texts
    figures = {writer: _figures(rounds, tokens, asked.texts) for writer, rounds in seconds.items()}
    print(f"{asked.shape} {asked.precision}, {asked.texts} texts: tokens/s, best (median); others {max(others):.0%}")
    for writer, told in figures.items():
        shown = (f"{key} {told[key]:.1f} ({told[key + '_median']:.1f})" for key in FIGURES)
        ratios = [f"{figures['quire'][key] / told[key]:.2f}" for key in FIGURES] if "quire" in figures else []
        print(f"  {writer:<20}" + "".join(f"{one:<22}" for one in shown) + "quire is " + " / ".join(ratios) + " ×")
    case = f"{asked.shape} {asked.precision}, texts {asked.texts}, threads {asked.threads}"
    told = {"machine": machine, "prompt": asked.prompt, "prompts": asked.texts, "new": asked.new}
    facts.write(
        asked.results, facts.read(asked.results) | {case: {**told, "writers": figures, "others": round(max(others), 2)}}
    )
    return 0


def _figures(rounds: list[list[float]], tokens: int, texts: int) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for key, written, taken in zip(FIGURES, (tokens, tokens - texts, tokens), zip(*rounds, strict=True), strict=True):
        rates = [written / one for one in taken]
        told |= {key: round(max(rates), 2), f"{key}_median": round(statistics.median(rates), 2)}
    return {**told, "rounds": [[round(one, 3) for one in taken] for taken in rounds]}


def _command(writer: str, base: Path, job: dict[str, Any]) -> list[str]:
    if not writer.startswith("llama.cpp"):
        return [sys.executable, "-m", "benchmarks.peers.writing", "--as", writer, json.dumps(job)]
    python, kind = _llama_python(HOME / "envs" / "llama"), writer.split()[1]
    file = HOME / f"{base.name}-{kind}.gguf"
    llama = [str(python), "-m", "benchmarks.peers.llama_cpp"]
    if not file.exists():
        subprocess.run([*llama, "gguf", str(base), str(file), kind], check=True, cwd=ROOT)  # noqa: S603
    return [*llama, "write", json.dumps({**job, "file": str(file)})]


def _llama_python(folder: Path) -> Path:
    python = folder / "bin" / "python"
    if not (folder / "made").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)  # noqa: S603
        wanted = ["xllamacpp", "gguf", "numpy"]
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *wanted], check=True)  # noqa: S603
        (folder / "made").touch()
    return python


def _run(command: list[str], threads: int) -> dict[str, Any]:
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=ROOT, env=environment)  # noqa: S603
    told = [line for line in done.stdout.splitlines() if line.startswith(MARK)]
    if not told:
        raise RuntimeError(f"{' '.join(command[:4])} failed:\n{done.stderr[-2000:]}")
    return dict(json.loads(told[-1].removeprefix(MARK)))


def write_as(writer: str, job: dict[str, Any]) -> None:
    """Write in this process as Quire or as transformers' generate, and say how many seconds each round took."""
    import torch

    torch.set_num_threads(job["threads"])
    model = load(writer, Path(job["base"]), job["precision"])
    model.generation_config.eos_token_id = None
    model.eval()
    way: Callable[..., tuple[float, float, list[int]]] = _with_quire if writer == "quire" else _with_transformers
    way(model, job["ids"], 8)
    rounds: list[list[float]] = []
    written: list[int] = []
    for _ in range(job["rounds"]):
        worked = time.process_time()
        whole, after, written = way(model, job["ids"], job["new"])
        rounds.append([whole, after, time.process_time() - worked])
    print(MARK + json.dumps({"rounds": rounds, "written": written}), flush=True)


def load(writer: str, base: Path, precision: Any) -> Any:
    """The base as that writer's users load it."""
    import torch
    from transformers import AutoModelForCausalLM

    from quire.model.base import load_model

    if writer == "quire":
        return load_model(base, precision)
    dtype = {"bf16": torch.bfloat16, "fp32": torch.float32}[writer.split()[1]]
    return AutoModelForCausalLM.from_pretrained(base, dtype=dtype, local_files_only=True)


def _with_quire(model: Any, prompts: list[list[int]], new: int) -> tuple[float, float, list[int]]:
    """Seconds in all, seconds after the first token, tokens of the first text."""
    import torch

    from quire.writing.reader import read_each

    began = time.perf_counter()
    with torch.inference_mode():
        readers = readers_of(model, len(prompts))
        tokens = [int(reader.read(ids).argmax()) for reader, ids in zip(readers, prompts, strict=True)]
        first, written = time.perf_counter(), [tokens[0]]
        for _ in range(new - 1):
            tokens = read_each(readers, tokens).argmax(dim=1).tolist()
            written.append(tokens[0])
    ended = time.perf_counter()
    return ended - began, ended - first, written


def readers_of(model: Any, count: int) -> list[Any]:
    """Readers side by side, as `quire.writing.reader.side_by_side` makes them, that have read nothing yet."""
    from quire.model.kernels.decode import Texts, decoder_of
    from quire.writing.reader import Place, Reader

    decoder = decoder_of(model)
    if decoder is None:
        return [Reader(model, None) for _ in range(count)]
    texts = Texts(decoder, count)
    return [Reader(model, None, Place(texts, number)) for number in range(count)]


def _with_transformers(model: Any, prompts: list[list[int]], new: int) -> tuple[float, float, list[int]]:
    import torch
    from transformers import StoppingCriteria

    times: list[float] = []

    class Clock(StoppingCriteria):
        def __call__(self, input_ids: Any, scores: Any, **_more: object) -> Any:
            del scores
            times.append(time.perf_counter())
            return torch.zeros(len(input_ids), dtype=torch.bool)

    ids = torch.tensor(prompts)
    began = time.perf_counter()
    out = model.generate(
        ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=new,
        min_new_tokens=new,
        do_sample=False,
        pad_token_id=0,
        stopping_criteria=[Clock()],
    )
    ended = time.perf_counter()
    assert out.shape[1] == ids.shape[1] + new
    return ended - began, ended - times[0], out[0, ids.shape[1] :].tolist()


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "--as":
        write_as(sys.argv[2], json.loads(sys.argv[3]))
    else:
        sys.exit(main())
