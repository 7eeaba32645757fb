"""Small pretrainings beside one another, to choose the embedded base's optimiser, rate, batch, shape and vocabulary.

    python -m benchmarks.base.sweep CORPUS [NAME…]        # all cases that have no result yet, or those named
    python -m benchmarks.base.sweep --docs                # only write the table into docs/embedded-base.md

Each case learns from the same text in the same order and is measured in bits per byte on the same works that it has
not seen, so that tokenizers can be compared.  A run is far too short to tell how good a base will be; it tells what
is better at equal text, and beside it how many tokens a second it takes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import lzma
import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from tokenizers import Tokenizer
from transformers import PreTrainedModel

from quire.model.base import load_model
from quire.model.fresh import make_base
from quire.model.quick import quicken
from quire.model.scoring import score_blocks
from quire.planner.schedule import learning_rate_at
from quire.recipe.fresh import Fresh
from quire.recipe.method import Method
from quire.recipe.schema import TrainSettings
from quire.tokens.tokenizer import load_tokenizer
from quire.training.compute import Batch, Computation, summed_loss
from quire.training.optimizers.optimizer import gradient_norm, make_optimizer, set_learning_rate
from quire.units import Warmup

RESULTS = Path(__file__).parents[1] / "results" / "base-sweep.json"
PAGE = Path(__file__).parents[2] / "docs" / "embedded-base.md"
START, END = "<!-- sweep -->\n", "<!-- end of sweep -->"
CACHE = Path(".bench/base")
SEED = 7
HELD_OUT, HELD_OUT_BYTES = 5, 40_000  # works in each language, and how much of each
TOKENIZER_WORKS = 120  # half of them French: what a vocabulary is learned from here
AT_ONCE = 4096  # tokens in one pass


@dataclass(frozen=True)
class Case:
    """One small pretraining."""

    name: str
    shape: Fresh = field(default_factory=Fresh)
    optimizer: Literal["adamw", "muon"] = "muon"
    rate: float = 6e-3
    window: int = 512
    step: int = 8192  # tokens
    text: int = 6_000_000  # bytes that are learned, whatever the tokenizer makes of them
    decay: float = 0.1


@dataclass(frozen=True)
class Work:
    """A work of the corpus."""

    id: str
    lang: str
    text: str


def _cases() -> tuple[Case, ...]:
    base = Case("muon 6e-3")
    wide = Fresh(hidden=384, layers=5, heads=6, key_value_heads=2, intermediate=1024)
    return (
        replace(base, name="adamw 3e-3", optimizer="adamw", rate=3e-3),
        base,
        replace(base, name="muon 1.2e-2", rate=1.2e-2),
        replace(base, name="muon 2.4e-2", rate=2.4e-2),
        replace(base, name="muon 3e-3", rate=3e-3),
        replace(base, name="adamw 1.5e-3", optimizer="adamw", rate=1.5e-3),
        replace(base, name="adamw 6e-3", optimizer="adamw", rate=6e-3),
        replace(base, name="muon 6e-3, 16k a step", step=16384),
        replace(base, name="10 layers", shape=Fresh(layers=10)),
        replace(base, name="width 384, 5 layers", shape=wide),
        replace(base, name="vocabulary 12k", shape=Fresh(vocabulary=12288)),
        replace(base, name="vocabulary 16k", shape=Fresh(vocabulary=16384)),
    )


CASES = _cases()


def main() -> None:
    """Run the cases and keep their results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path, nargs="?")
    parser.add_argument("names", nargs="*")
    parser.add_argument("--docs", action="store_true")
    arguments = parser.parse_args()
    if arguments.docs:
        PAGE.write_text(with_table(PAGE.read_text("utf-8"), json.loads(RESULTS.read_text("utf-8"))), encoding="utf-8")
        return
    if arguments.corpus is None:
        parser.error("where is the corpus?")
    known = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    for case in CASES:
        if case.name in arguments.names or (not arguments.names and case.name not in known):
            known[case.name] = {**asdict(case), **run(case, arguments.corpus)}
            known[case.name]["shape"] = case.shape.model_dump()
            RESULTS.write_text(json.dumps(known, indent=1) + "\n", encoding="utf-8")
            print(case.name, {key: known[case.name][key] for key in ("en", "fr", "tokens_per_second")}, flush=True)


def with_table(page: str, results: Mapping[str, Mapping[str, Any]]) -> str:
    """The page with the table of all results between its marks."""
    rows = [
        f"| {name} | {one['weights'] / 1e6:.1f} M | {one['tokens'] / 1e6:.2f} M | {one['en']:.3f} | {one['fr']:.3f} |"
        for name, one in results.items()
    ]
    head = ["| | weights | tokens | English, bits per byte | French |", "|---|---:|---:|---:|---:|"]
    before, _, rest = page.partition(START)
    return before + START + "\n".join([*head, *rows]) + "\n" + END + rest.partition(END)[2]


def run(case: Case, corpus: Path) -> dict[str, float]:
    """Learn, and measure on the held-out works: bits per byte by language, tokens, weights, tokens a second."""
    folder = tokenizer_for(case.shape, corpus)
    ids = learning_text(folder, corpus, case.text)
    model = load_model(folder, "fp32" if case.optimizer == "adamw" else "bf16")
    weights = sum(p.numel() for p in model.parameters())
    quicken(model)
    seconds = learn(model, ids, case)
    tokenizer = load_tokenizer(folder)
    model.eval()  # type: ignore[no-untyped-call]
    found = {"weights": float(weights), "tokens": float(len(ids)), "tokens_per_second": len(ids) / seconds}
    for lang in ("en", "fr"):
        texts = [work.text[:HELD_OUT_BYTES] for work in held_out(corpus) if work.lang == lang]
        blocks = score_blocks(model, tokenizer, texts, case.window)
        found[lang] = sum(b.nats for b in blocks) / math.log(2) / sum(b.bytes for b in blocks)
    return found


def learn(model: PreTrainedModel, ids: np.ndarray, case: Case) -> float:
    """Train on all of `ids` once; the seconds that it took."""
    settings = TrainSettings(
        method=Method(full=True), optimizer=case.optimizer, learning_rate=case.rate, weight_decay=case.decay,
        window=case.window, warmup=Warmup(share=0.1), precision="bf16",
    )  # fmt: skip
    optimizer = make_optimizer(model, settings)
    autocast = torch.bfloat16 if case.optimizer == "adamw" else None
    computation = Computation(True, autocast, "cpu")
    rows = torch.from_numpy(ids.astype(np.int64))
    count = (len(ids) - 1) // case.window
    rows = torch.stack([rows[i * case.window : (i + 1) * case.window + 1] for i in range(count)])
    rows = rows[torch.randperm(count, generator=torch.Generator().manual_seed(SEED))]
    steps = count * case.window // case.step
    started = time.perf_counter()
    for step in range(steps):
        taken = rows[step * case.step // case.window : (step + 1) * case.step // case.window]
        inputs, targets = taken[:, :-1], taken[:, 1:]
        total = 0.0
        at_once = AT_ONCE // case.window
        for first in range(0, len(inputs), at_once):
            part = slice(first, first + at_once)
            places = torch.arange(case.window).expand(len(inputs[part]), -1).contiguous()
            batch = Batch(inputs[part].contiguous(), places, targets[part].contiguous(), (case.window,))
            loss = summed_loss(model, batch, computation) / case.step
            torch.autograd.backward(loss)
            total += float(loss.detach())
        gradient_norm(model, settings.clip)
        set_learning_rate(optimizer, learning_rate_at(step, steps, settings))
        optimizer.step()
        optimizer.zero_grad()
        if step % 20 == 0:
            rate = (step + 1) * case.step / (time.perf_counter() - started)
            print(f"  {case.name}: step {step} of {steps}, loss {total:.3f}, {rate:.0f} tokens/s", flush=True)
    return time.perf_counter() - started


def tokenizer_for(shape: Fresh, corpus: Path) -> Path:
    """A folder with a tokenizer and random weights of the shape, made once."""
    folder = CACHE / "-".join(str(number) for number in shape.model_dump().values())
    if not (folder / "model.safetensors").exists():
        folder.mkdir(parents=True, exist_ok=True)
        texts = [work.text for work in _learning(corpus)][:TOKENIZER_WORKS]
        make_base(shape, texts, folder, SEED)
    return folder


def learning_text(folder: Path, corpus: Path, size: int) -> np.ndarray:
    """Token ids of works in turn from both languages, `size` bytes of text in all, an end of text behind each."""
    core = Tokenizer.from_file(str(folder / "tokenizer.json"))
    end = load_tokenizer(folder).end_of_text
    ids: list[np.ndarray] = []
    for work in _learning(corpus):
        text = work.text.encode("utf-8")[:size].decode("utf-8", "ignore")
        size -= len(text.encode("utf-8"))
        ids.append(np.array([*core.encode(text, add_special_tokens=False).ids, end], dtype=np.uint16))
        if size <= 0:
            break
    return np.concatenate(ids)


def held_out(corpus: Path) -> list[Work]:
    """The works that no case learns from: the first few of each language in the order of their drawn numbers."""
    return [work for lang in ("en", "fr") for work in _of(corpus, lang)[:HELD_OUT]]


def _learning(corpus: Path) -> Iterator[Work]:
    """All other works, English and French by turns."""
    for pair in zip(_of(corpus, "en")[HELD_OUT:], _of(corpus, "fr")[HELD_OUT:], strict=False):
        yield from pair


def _of(corpus: Path, lang: str) -> list[Work]:
    if not _WORKS:
        for part in sorted(corpus.glob("*.jsonl.xz")):
            with lzma.open(part, "rt", encoding="utf-8") as lines:
                _WORKS.extend(Work(row["id"], row["lang"], row["text"]) for row in map(json.loads, lines))
        _WORKS.sort(key=lambda work: hashlib.sha256(f"{SEED} {work.id}".encode()).digest())
    return [work for work in _WORKS if work.lang == lang]


_WORKS: list[Work] = []

if __name__ == "__main__":
    main()
