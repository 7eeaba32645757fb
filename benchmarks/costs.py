"""What trainings cost, reckoned step by step: from speeds that benchmarks/results/speed.json holds, and from makers'
specifications where nothing was measured.  `benchmarks.speed` writes the text into docs/performance.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from quire.planner.memory import memory_of
from quire.planner.schedule import choose_batch
from quire.planner.shape import BaseShape
from quire.recipe.method import Lora
from quire.recipe.schema import TrainSettings
from quire.verbs.benching.roofline import work_of
from quire.verbs.benching.shapes import SHAPES

WORDS, TOKENS_PER_WORD, EPOCHS = 100_000, 1.35, 3
NOVEL = round(WORDS * TOKENS_PER_WORD)
LAPTOP_WATTS = 45
SHARES = (0.5, 0.25)  # of a GPU's peak: the goal, and half of it


@dataclass(frozen=True)
class Card:
    """A GPU by its maker's specifications: dense bf16 products with sums in fp32 (FLOP/s), bytes, bytes a second to its
    memory and one way to its neighbours, watts."""

    name: str
    peak: float
    memory: float
    bandwidth: float
    link: float
    watts: int


SMALL = Card("RTX 3060, 12 GB", 25e12, 12e9, 360e9, 0.0, 170)
LARGE = Card("H200", 989e12, 141e9, 4.8e12, 450e9, 700)
NETWORK = 50e9  # bytes a second of each GPU to other machines: 400 Gbit/s
NODE = 8  # GPUs of a machine
FEW_ROWS = 32
SPREADS = ((1, FEW_ROWS), (8, FEW_ROWS), (64, 64), (64, 512))  # GPUs, rows a step


def frozen_operations(shape: BaseShape, window: int, lora: Lora) -> float:
    """Of a token, where an adapter learns: four for each weight, six for each of the adapter's, and attention."""
    return work_of(shape, window).total / window + 6 * shape.lora_parameters(lora)


def full_operations(shape: BaseShape, window: int) -> float:
    """Of a token, where all weights learn: two more for each, the gradient of the weight itself."""
    work = work_of(shape, window)
    return (work.total + (work.layers + work.head) / 2) / window


@dataclass(frozen=True)
class Stage:
    """A training: its rows, the operations of a token, and how many weights learn.  One that is `short` takes no more
    than 32 rows a step, or it would have too few steps to learn anything."""

    name: str
    rows: int
    window: int
    operations: float
    learned: int
    short: bool = False

    def spread(self, gpus: int, rows: int) -> tuple[int, int]:
        """How many of so many GPUs have something to do, and how many rows a step has."""
        return (min(gpus, FEW_ROWS), FEW_ROWS) if self.short else (gpus, rows)

    def step(self, gpus: int, rows: int, card: Card, share: float) -> tuple[float, float, float]:
        """Seconds of a step of so many rows: products, summing the gradients, the optimiser.

        Gradients are fp32 and are summed when all are there: twice round the GPUs of a machine, each with its share of
        them (2 · 7/8 of the bytes, one way over its links), and then each GPU its eighth of them round the machines.
        AdamW reads weight, gradient and two moments and writes three of them: 28 bytes a weight.
        """
        products = rows * self.window * self.operations / (gpus * share * card.peak)
        size = 4 * self.learned
        within, machines = min(gpus, NODE), -(-gpus // NODE)
        summing = 2 * (within - 1) / within * size / card.link if gpus > 1 else 0.0
        summing += 2 * (machines - 1) / machines * size / NODE / NETWORK
        return products, summing, 28 * self.learned / card.bandwidth

    def seconds(self, gpus: int, rows: int, card: Card, share: float) -> float:
        return -(-self.rows // rows) * sum(self.step(gpus, rows, card, share))


def curriculum() -> tuple[Stage, ...]:
    """The three stages of DESIGN.md's recipe on a base of TinyLlama's shape."""
    shape, lora = SHAPES["1B"].base, Lora(rank=128, alpha=128)
    adapter = shape.lora_parameters(lora)
    long = frozen_operations(shape, 2048, lora)
    return (
        Stage("acculturate", 1_000_000, 512, full_operations(shape, 512), shape.parameters),
        Stage("narrative-arc", 250_000, 2048, long, adapter),
        Stage("imprint", -(-NOVEL // 512), 2048, long, adapter, short=True),
    )


def novel_text(training: Sequence[Mapping[str, Any]]) -> str:
    """What a novel costs on the machine of the figures and on two GPUs."""
    tokens = NOVEL * EPOCHS
    counted = (
        f"{WORDS:,} words × {TOKENS_PER_WORD} tokens a word (assumed: an English tokenizer of some 50,000 words) = "
        f"{NOVEL:,} tokens; × {EPOCHS} epochs = **{tokens:,} tokens**."
    )
    lines = [
        f"*On the processor of the table* (tokens a second: measured here; energy: at an assumed {LAPTOP_WATTS} W):",
        "",
        "| base | precision, window | arithmetic | time | energy |",
        "|---|---|---|---|---|",
    ]
    for shape in SHAPES:
        best = _best(shape, training)
        if best is not None:
            rate = best["found"]["tokens_per_second"]
            how, seconds = f"{best['precision']}, {best['window']:,}", tokens / rate
            cells = (shape, how, f"{tokens:,} / {show_rate(rate)}", duration(seconds), energy(seconds * LAPTOP_WATTS))
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join([counted, "", *lines, "", _gpu_text(tokens)])


def _gpu_text(tokens: int) -> str:
    lora = Lora()
    told = (
        f"*On a GPU* (nothing was measured on one): LoRA of rank {lora.rank} on all matrices. Operations of a token: "
        "four for each weight, six for each of the adapter's, and attention; half as many again where activations are "
        "computed twice. Peak rates are the makers', of dense bf16 products with sums in fp32: "
        f"{SMALL.name} {SMALL.peak / 1e12:.0f} TFLOP/s (101 are published, with sparsity and sums in fp16, a factor "
        f"of two each), {LARGE.name} {LARGE.peak / 1e12:.0f}. The share of them is assumed: {SHARES[0]:.0%} is the "
        f"goal, {SHARES[1]:.0%} half of it. Memory is what the planner foretells, the window the longest of up to "
        "2,048 tokens that fits."
    )
    lines = [
        "| GPU | base | window | memory | operations | time at 50 % | at 25 % |",
        "|---|---|---|---|---|---|---|",
    ]
    for card, name, precision in (
        (SMALL, "1B", "bf16"),
        (SMALL, "8B", "nf4"),
        (LARGE, "1B", "bf16"),
        (LARGE, "8B", "bf16"),
    ):
        shape = SHAPES[name].base
        window, size, twice = gpu_memory(shape, precision, lora, card)
        each = frozen_operations(shape, window, lora) * (1.5 if twice else 1)
        fits = f"{size / 1e9:.1f} GB" + (", activations twice" if twice else "")
        times = [duration(tokens * each / (share * card.peak)) for share in SHARES]
        cells = (card.name, f"{name}, {precision}", f"{window:,}", fits, f"{tokens:,} × {each / 1e9:.2f} G", *times)
        lines.append(f"| {' | '.join(cells)} |")
    more = (
        "Starting, loading, validations and the voice's samples come on top: some minutes, on a large card more than "
        "the training itself. What it takes to make 16 bits of 4 is not counted."
    )
    return "\n".join([told, "", *lines, "", more])


def gpu_memory(shape: BaseShape, precision: str, lora: Lora, card: Card) -> tuple[int, int, bool]:
    """The longest window of which a row fits, the bytes that the planner foretells for it, and whether activations are
    computed twice."""
    for window in (2048, 1024, 512):
        for twice in (False, True):
            method = {"qlora" if precision == "nf4" else "lora": lora}
            settings = TrainSettings.model_validate(
                {"method": method, "window": window, "batch": 1, "precision": precision, "checkpointing": twice}
            )
            made = memory_of(settings, shape, choose_batch(settings), precision, shape.lora_parameters(lora), "cuda")
            if made.step <= card.memory:
                return window, made.step, twice
    raise ValueError(f"no row fits on {card.name}")


def curriculum_text(training: Sequence[Mapping[str, Any]]) -> str:
    """What the curriculum costs on 1, 8 and 64 GPUs, and why not on a processor."""
    stages = curriculum()
    shape = SHAPES["1B"].base
    card, share = LARGE, SHARES[0]
    told = (
        f"A base of TinyLlama's shape ({shape.parameters:,} weights, of which a token is multiplied with "
        f"{shape.multiplied:,}) on {card.name}s: {card.peak / 1e12:.0f} TFLOP/s, {card.bandwidth / 1e12:.1f} TB/s of "
        f"memory, {card.link / 1e9:.0f} GB/s one way between the eight of a machine (published), "
        f"{NETWORK / 1e9:.0f} GB/s each between machines (assumed: 400 Gbit/s), {share:.0%} of the peak (the goal; "
        "nothing was measured on a GPU)."
    )
    lines = [told, ""]
    for stage in stages:
        total = stage.rows * stage.window
        lines.append(
            f"- **{stage.name}**: {stage.rows:,} rows × {stage.window:,} = {total / 1e6:,.1f} M tokens × "
            f"{stage.operations / 1e9:.2f} G operations = {total * stage.operations:.2e}; {stage.learned / 1e6:,.0f} M"
            f" weights learn, {4 * stage.learned / 1e9:.2f} GB of gradients a step."
        )
    lines += ["", _stage_table(stages, card, share), "", _cpu_text(stages[0], training)]
    return "\n".join(lines)


def _stage_table(stages: Sequence[Stage], card: Card, share: float) -> str:
    lines = [
        "| stage | GPUs | rows a step | products + summing + optimiser | steps | time | GPU-hours |",
        "|---|---|---|---|---|---|---|",
    ]
    totals: dict[tuple[int, int], float] = {}
    for stage in stages:
        told = set()
        for spread in SPREADS:
            gpus, rows = stage.spread(*spread)
            seconds = stage.seconds(gpus, rows, card, share)
            totals[spread] = totals.get(spread, 0.0) + seconds
            if (gpus, rows) in told:
                continue
            told.add((gpus, rows))
            parts = " + ".join(f"{1000 * part:.1f}" for part in stage.step(gpus, rows, card, share))
            steps, hours = -(-stage.rows // rows), f"{gpus * seconds / 3600:.2f}"
            lines.append(f"| {stage.name} | {gpus} | {rows} | {parts} ms | {steps:,} | {duration(seconds)} | {hours} |")
    for (gpus, rows), seconds in totals.items():
        hours = f"{gpus * seconds / 3600:.1f}"
        lines.append(f"| **all** | **{gpus}** | {rows} | | | **{duration(seconds)}** | **{hours}** |")
    return "\n".join(lines)


def _cpu_text(stage: Stage, training: Sequence[Mapping[str, Any]]) -> str:
    """The first stage on the processor of the table."""
    best = next((one for one in training if one["key"] == "training/1B/bf16/512" and one["found"]), None)
    if best is None:
        return ""
    shape = SHAPES["1B"].base
    rate = best["found"]["tokens_per_second"]
    more = stage.operations / (work_of(shape, 512).total / 512)
    seconds = stage.rows * stage.window / rate * more
    return (
        f"On the processor of the table the first stage alone would take {stage.rows * stage.window:,} tokens / "
        f"{show_rate(rate)} a second (1B, bf16, window 512, measured with an adapter) × {more:.2f} (the operations "
        f"where all weights learn) = {duration(seconds)}. `recipes/unfinished-novel-small.yaml` is the curriculum for "
        "such a machine."
    )


def _best(shape: str, training: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The fastest measured training of a shape, in windows of 1,024 where there are such."""
    found = [one for one in training if one["shape"] == shape and one["found"]]
    usual = [one for one in found if one["window"] == 1024] or found
    return max(usual, key=lambda one: float(one["found"]["tokens_per_second"]), default=None)


def show_rate(rate: float) -> str:
    """Tokens a second, in three figures."""
    return f"{rate:,.0f}" if rate >= 100 else f"{rate:.1f}"


def duration(seconds: float) -> str:
    """In the unit in which one would say it."""
    for unit, size in (("days", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * size:
            return f"{seconds / size:,.1f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"


def energy(joules: float) -> str:
    """In kilowatt-hours."""
    return f"{joules / 3.6e6:.2g} kWh"
