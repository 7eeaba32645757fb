"""What trainings cost, reckoned step by step: from speeds that benchmarks/results/speed.json holds, and from makers'
specifications where nothing was measured.  The curriculum's stages are those of recipes/unfinished-novel.yaml.
`benchmarks.speed` writes the text into docs/performance.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quire.planner.memory import held_by, memory_of, sums_exactly
from quire.planner.schedule import choose_batch
from quire.planner.shape import BaseShape
from quire.recipe.load import load_recipe
from quire.recipe.method import Lora, Method
from quire.recipe.schema import TrainSettings
from quire.verbs.benching.roofline import work_of
from quire.verbs.benching.shapes import SHAPES

RECIPE = Path(__file__).parents[1] / "recipes" / "unfinished-novel.yaml"
WORDS, TOKENS_PER_WORD, EPOCHS = 100_000, 1.35, 3
NOVEL = round(WORDS * TOKENS_PER_WORD)
EMBEDDED_TOKENS_PER_WORD = 1.435  # counted: the bundled novella, 24,117 tokens of the embedded base, 16,802 words
OTHER = "adamw"  # the optimiser beside which the recipe's is told
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
    than 32 rows a step, or it would have too few steps to learn anything.

    `gradient`: bytes of each learning weight's gradient, as they are summed; `moved`: bytes that the optimiser's step
    reads and writes for it."""

    name: str
    rows: int
    window: int
    operations: float
    learned: int
    short: bool = False
    gradient: float = 4.0
    moved: float = 28.0

    def spread(self, gpus: int, rows: int) -> tuple[int, int]:
        """How many of so many GPUs have something to do, and how many rows a step has."""
        return (min(gpus, FEW_ROWS), FEW_ROWS) if self.short else (gpus, rows)

    def step(self, gpus: int, rows: int, card: Card, share: float) -> tuple[float, float, float]:
        """Seconds of a step of so many rows: products, summing the gradients, the optimiser.

        Gradients are summed when all are there: twice round the GPUs of a machine, each with its share of them
        (2 · 7/8 of the bytes, one way over its links), and then each GPU its eighth of them round the machines.
        """
        products = rows * self.window * self.operations / (gpus * share * card.peak)
        size = self.gradient * self.learned
        within, machines = min(gpus, NODE), -(-gpus // NODE)
        summing = 2 * (within - 1) / within * size / card.link if gpus > 1 else 0.0
        summing += 2 * (machines - 1) / machines * size / NODE / NETWORK
        return products, summing, self.moved * self.learned / card.bandwidth

    def seconds(self, gpus: int, rows: int, card: Card, share: float) -> float:
        return -(-self.rows // rows) * sum(self.step(gpus, rows, card, share))


def settings_of_recipe() -> tuple[TrainSettings, ...]:
    """The recipe's stages, each with the method that it goes on with where it inherits one."""
    stages: list[TrainSettings] = []
    method = Method()
    for stage in load_recipe(RECIPE).recipe.curriculum:
        method = method if stage.method.inherit else stage.method
        stages.append(stage.model_copy(update={"method": method}))
    return tuple(stages)


def precision_of(settings: TrainSettings) -> str:
    """What a GPU computes in where the recipe says nothing."""
    return "bf16" if settings.method.qlora is None else "nf4"


def curriculum() -> tuple[Stage, ...]:
    """The stages of the recipe on a base of TinyLlama's shape; one without a number of samples learns the novel."""
    shape, names = SHAPES["1B"].base, [stage.name for stage in load_recipe(RECIPE).recipe.curriculum]
    made = []
    for name, settings in zip(names, settings_of_recipe(), strict=True):
        lora, window = settings.method.adapter, settings.window
        operations = full_operations(shape, window) if lora is None else frozen_operations(shape, window, lora)
        learned = shape.parameters if lora is None else shape.lora_parameters(lora)
        rows = settings.samples or -(-NOVEL // (settings.stride or window)) * int(settings.epochs)
        gradient, moved = bytes_of(settings, shape, learned)
        made.append(Stage(name, rows, window, operations, learned, settings.samples is None, gradient, moved))
    return tuple(made)


def bytes_of(settings: TrainSettings, shape: BaseShape, learned: int) -> tuple[float, float]:
    """Of each learning weight: bytes of the gradient as it is summed; bytes that the optimiser's step moves.

    It reads weight, gradient and what it keeps, and writes the first and the last: 28 with AdamW, which keeps all in
    fp32.  Where few weights learn, their gradients are summed in float64.
    """
    held = held_by(settings, shape, precision_of(settings))
    weight = held.weights if settings.method.full else held.adapter
    return 8.0 if sums_exactly(learned) else held.gradients, 2 * (weight + held.optimiser) + held.gradients


def novel_text(entries: Sequence[Mapping[str, Any]]) -> str:
    """What a novel costs on the machine of the figures, which hold more than training, and on two GPUs."""
    tokens = NOVEL * EPOCHS
    training = [one for one in entries if one["of"].startswith("training/")]
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
    if (embedded := _embedded_line(entries)) is not None:
        lines.append(embedded)
    for shape in SHAPES:
        best = _best(shape, training)
        if best is not None:
            rate = best["found"]["tokens_per_second"]
            how, seconds = f"{best['precision']}, {best['window']:,}", tokens / rate
            cells = (shape, how, f"{tokens:,} / {show_rate(rate)}", duration(seconds), energy(seconds * LAPTOP_WATTS))
            lines.append(f"| {' | '.join(cells)} |")
    if embedded is not None:
        words = f"{WORDS:,} words × {EMBEDDED_TOKENS_PER_WORD} tokens × {EPOCHS} epochs = {_embedded_tokens():,}"
        lines += ["", f"The embedded base's tokenizer knows few words: {words} (counted on the bundled novella)."]
    return "\n".join([counted, "", *lines, "", _gpu_text(tokens)])


def _embedded_line(entries: Sequence[Mapping[str, Any]]) -> str | None:
    """The embedded base with the settings that it has by default, where its training was measured."""
    rates = [one["value"] for one in entries if one["of"] == "base" and one["name"] == "training"]
    if not rates:
        return None
    tokens = _embedded_tokens()
    seconds = tokens / rates[0]
    cells = ("embedded, 7M", "as by default", f"{tokens:,} / {show_rate(rates[0])}")
    return f"| {' | '.join((*cells, duration(seconds), energy(seconds * LAPTOP_WATTS)))} |"


def _embedded_tokens() -> int:
    return round(WORDS * EMBEDDED_TOKENS_PER_WORD) * EPOCHS


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
    """What the curriculum costs on 1, 8 and 64 GPUs, what its first stage's optimiser saves, why not a processor."""
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
            f" weights learn, {stage.gradient * stage.learned / 1e9:.2f} GB of gradients a step."
        )
    lines += ["", _stage_table(stages, card, share), "", _optimisers_text(card), "", _cpu_text(stages[0], training)]
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


def _optimisers_text(card: Card) -> str:
    """The first stage with the recipe's optimiser, and with the other one."""
    first, shape = settings_of_recipe()[0], SHAPES["1B"].base
    learned, precision = shape.parameters, precision_of(first)
    told = (
        f"The first stage with the recipe's `{first.optimizer}` and with `{OTHER}` (bytes as the planner counts them; a"
        " step of rows one by one on one GPU, activations kept and, in brackets, computed twice; the optimiser's time:"
        " weight, gradient and what it keeps, read and written once; what comes between in fp32, 16 MiB at a time, is"
        " not counted):"
    )
    head = "| optimiser | weight + gradient + kept, bytes | of all weights | memory of a step | gradients to sum "
    lines = [told, "", f"{head}| optimiser's step on {card.name} |", "|---" * 6 + "|"]
    for name in dict.fromkeys((first.optimizer, OTHER)):
        settings = first.model_copy(update={"optimizer": name, "batch": 1})
        held = held_by(settings, shape, precision)
        each = (held.weights, held.gradients, held.optimiser)
        gradient, moved = bytes_of(settings, shape, learned)
        seconds = moved * learned / card.bandwidth
        kept, twice = (
            memory_of(one, shape, choose_batch(one), precision, learned, "cuda").step / 1e9
            for one in (settings.model_copy(update={"checkpointing": again}) for again in (False, True))
        )
        cells = (
            name,
            " + ".join(f"{size:.3g}" for size in each),
            f"{sum(each) * learned / 1e9:.1f} GB",
            f"{kept:.1f} ({twice:.1f}) GB",
            f"{gradient * learned / 1e9:.2f} GB",
            f"{moved:.1f} × {learned / 1e9:.2f} G / {card.bandwidth / 1e12:.1f} T = {1000 * seconds:.1f} ms",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _cpu_text(stage: Stage, training: Sequence[Mapping[str, Any]]) -> str:
    """The first stage on the processor of the table."""
    best = next((one for one in training if one["of"] == "training/1B/bf16/512" and one["found"]), None)
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
