"""How much memory a training takes on each device, part by part, from shapes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

from quire.planner.facts import MachineFacts
from quire.planner.schedule import BatchChoice
from quire.planner.shape import BaseShape, Linear
from quire.recipe.method import Lora
from quire.recipe.schema import TrainSettings

BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}
LOW_BITS = ("int8", "nf4")

# Four bits, and with double quantisation 8 bits for each block of 64 and 32 for each 256 blocks (arXiv 2305.14314).
NF4_BITS = 4 + 8 / 64 + 32 / (64 * 256)

# So many learning weights at most have their gradients summed in float64 over a step: half a gigabyte.
EXACT_SUMS = 2**26

# Several processes sum their gradients so many bytes at a time (training.together.ranks).
BUCKET_BYTES = 32 * 2**20

# Two moments in 8 bits, and two fp32 scales for each block of 256.
MOMENTS_8BIT = 2 + 8 / 256

# Bytes of a base's file that are held while its layers are changed to few bits (model.lowbit).
FILE_AT_ONCE = 2**28

# Python with torch, transformers, peft and accelerate, and what the book and the loop take beside any model (measured:
# benchmarks/plan.py).
RUNTIME = 450 * 2**20

# A GPU's context and the kernels that are loaded into it; no tensor, so that torch's own count leaves it out.
CONTEXT = 600 * 2**20

# The C library's heap keeps holes between what lives long and what is freed soon: a CPU's activations take so much more
# than their bytes (measured, benchmarks/plan.py).  On a GPU torch's own allocator rounds far less.
SCATTERED = {"cpu": 1.34, "cuda": 1.05}
SCATTERED_FP32 = {"cpu": 1.5, "cuda": 1.05}

# Tensors of so many bytes leave the process when they are freed and leave no holes (model.machine.keep_small_memory).
VERY_LARGE = 2**22
SCATTERED_LARGE = 1.05

# Families whose layers are exchanged for ours (model.quick), and those whose loss is formed without all logits at once
# (model.ending).
QUICK = ("llama", "mistral", "qwen2", "qwen3")
PLAIN_ENDINGS = (*QUICK, "gpt2", "gpt_neo", "gpt_neox")
# The loss's blocks (model.kernels.head): bytes of logits, and rows at least; twice as many where the head is in 8 bits.
LOSS_BLOCK, LOSS_ROWS = 16 * 2**20, 256

# With activations computed twice, two layers' worth is there at once; what is freed leaves the process then
# (model.machine.give_freed_memory_back), but for some.
LAYERS_AT_ONCE = 2.0
HOLES = {"cpu": 0.05, "cuda": 0.02}


@dataclass(frozen=True)
class Memory:
    """Bytes on one device at the peak of a step; `loading` and `checking` are the peaks before the first step and when
    the saved voice is loaded beside the learner, `melting` that of an earlier adapter becoming part of its base, where
    that happens first.  On a CPU loading and checking count pages of the base's own file, as the system
    counts them too; `filed` of the bytes when checking it would take back before anything fails."""

    weights: int
    adapter: int
    gradients: int
    optimiser: int
    activations: int
    logits: int
    runtime: int = RUNTIME
    loading: int = field(default=0, kw_only=True)
    checking: int = field(default=0, kw_only=True)
    filed: int = field(default=0, kw_only=True)
    melting: int = field(default=0, kw_only=True)

    @property
    def step(self) -> int:
        """What a step takes, everything together."""
        apart = ("loading", "checking", "filed", "melting")
        return sum(int(vars(self)[item.name]) for item in fields(self) if item.name not in apart)

    @property
    def total(self) -> int:
        """The peak of the whole training, as the system tells it afterwards."""
        return max(self.step, self.loading, self.checking, self.melting)

    @property
    def needed(self) -> int:
        """What must be free for it."""
        return max(self.step, self.checking - self.filed, self.melting)


@dataclass(frozen=True)
class Held:
    """Bytes that each of the base's weights, of the learning ones, of their gradients and moments takes."""

    weights: float
    adapter: float
    gradients: float
    optimiser: float
    copies: float  # of the multiplied weights, as autocast makes them for the length of a pass


def is_lean(settings: TrainSettings, precision: str) -> bool:
    """Whether full training keeps its weights in 16 bits and the lower half of each in the optimiser."""
    return settings.method.full and settings.optimizer != "adamw" and precision == "bf16"


def held_by(settings: TrainSettings, shape: BaseShape, precision: str) -> Held:
    """How training.learner and training.optimizer keep their numbers.

    An adapter and its gradients are fp32 beside a base in `precision`.  Full training keeps fp32 and computes in
    `precision`; with an optimiser made to save memory and bf16 it keeps 16 bits of each weight and the 16 lower ones in
    the optimiser.  AdamW keeps two fp32 numbers for each learning weight.
    """
    moments = {"adamw": 8.0, "adamw_8bit": MOMENTS_8BIT, "adafactor": 0.02, "muon": 4.0}[settings.optimizer]
    if settings.optimizer == "muon":  # AdamW's second moment, for embeddings and head alone
        moments += 4.0 * shape.embedding_parameters / shape.parameters
    if settings.method.adapter is not None:
        return Held(base_bytes(shape, precision) / shape.parameters, 4, 4, moments, 0)
    if is_lean(settings, precision):
        return Held(2, 0, 2, 2 + moments, 0)
    return Held(4, 0, 4, moments, BYTES[precision] if precision in ("bf16", "fp16") else 0)


def sums_exactly(trainable: int) -> bool:
    """Whether the gradients of so many learning weights are summed in float64 (training.together.sums)."""
    return trainable <= EXACT_SUMS


def base_bytes(shape: BaseShape, precision: str) -> float:
    """Bytes of a base's weights.  In few bits lie the layers' matrices, in 8 embeddings and head too but for Gemma's;
    all else keeps 16."""
    if precision not in LOW_BITS:
        return shape.parameters * BYTES[precision]
    rest = 2 * (shape.parameters - shape.linear_parameters)
    if precision == "nf4":
        return shape.linear_parameters * NF4_BITS / 8 + rest
    scales = shape.layers * sum(linear.outputs for linear in shape.linears)
    if not shape.family.startswith("gemma"):
        rest -= shape.embedding_parameters
        scales += shape.embedding_parameters // shape.hidden
    return shape.linear_parameters + 4 * scales + rest


def memory_of(
    settings: TrainSettings,
    shape: BaseShape,
    choice: BatchChoice,
    precision: str,
    trainable: int,
    device: str = "cpu",
    processes: int = 1,
    kernels: bool = False,
) -> Memory:
    """The memory, on each of `processes` devices, of a step of `choice.batch` rows of a full window.

    With `parallel: ddp` every device holds everything, and one bucket of gradients more while they are summed up; with
    `fsdp` each holds its share and, for a moment, two layers whole; an adapter it holds whole.  `kernels`: a processor
    computes with Quire's compiled ones.
    """
    held = held_by(settings, shape, precision)
    tokens = choice.batch * settings.window
    learned = trainable
    shared = processes if settings.parallel == "fsdp" else 1
    weights = held.weights * shape.parameters / shared + held.copies * shape.multiplied / shared
    lora = settings.method.adapter
    sliced = shared if lora is None else 1
    gradients = held.gradients * learned / sliced
    if sliced == 1 and sums_exactly(learned):
        gradients += 8 * learned
    if lora is not None and lora.dora and precision in LOW_BITS:  # peft keeps what it dequantises for the backward pass
        weights += 2 * shape.layers * sum(linear.parameters for linear in shape.targets(lora)) / shared
    if processes > 1:
        gathered = 2 * shape.linear_parameters / shape.layers * held.weights if shared > 1 else 0
        weights += gathered
        gradients += min(held.gradients * learned, BUCKET_BYTES) if sliced == 1 else 0
    runtime = RUNTIME if device == "cpu" else CONTEXT
    step = Memory(
        weights=round(weights),
        adapter=round(held.adapter * learned),
        gradients=round(gradients),
        optimiser=round(held.optimiser * learned / sliced),
        activations=round(tokens * _activations_per_token(settings, shape, precision, device, tokens, kernels)),
        logits=_loss_bytes(tokens, shape, precision, shared > 1),
        runtime=runtime,
    )
    fresh, own = _loaded(settings, shape, precision, held, device)
    let_go = fresh if lora is not None and own == 0 else 0  # pages of the base's file, into which the voice looks next
    return replace(
        step,
        loading=round(runtime + fresh),
        checking=round(runtime + weights - let_go + step.adapter + step.optimiser + fresh),
        filed=round(fresh - own),
    )


def needs_checkpointing(
    settings: TrainSettings,
    shape: BaseShape,
    choice: BatchChoice,
    precision: str,
    trainable: int,
    machine: MachineFacts | None,
    processes: int = 1,
) -> bool:
    """Whether activations are computed twice: as the recipe says, with `auto` where they would not fit otherwise."""
    if settings.checkpointing != "auto":
        return settings.checkpointing
    if machine is None:
        return False
    made = memory_of(settings, shape, choice, precision, trainable, machine.device, processes, machine.kernels)
    return made.step > machine.room


def disk_of(trainable: int, keep: int) -> int:
    """Bytes on disk: `keep` checkpoints (weights and two moments), the best one, one being written, and the voice."""
    return trainable * 4 * (3 * (keep + 2) + 1) + 16 * 2**20


def melted_bytes(shape: BaseShape) -> int:
    """Bytes of a base with an adapter melted in, in memory and on disk: always fp32."""
    return 4 * shape.parameters


def with_melting(memory: Memory, shape: BaseShape, device: str) -> Memory:
    """The memory of a stage before which an earlier adapter becomes part of the base, which a processor does."""
    return replace(memory, melting=memory.runtime + melted_bytes(shape)) if device == "cpu" else memory


def logit_bytes(precision: str) -> int:
    """Bytes for each token and word of the vocabulary at the loss: logits and the gradients of them in the number
    format of the computation, and their softmax with its gradient in fp32."""
    return 2 * BYTES.get(precision, 2) + 8


def _loaded(settings: TrainSettings, shape: BaseShape, precision: str, held: Held, device: str) -> tuple[float, float]:
    """Bytes that a process is told to hold while a base is loaded, and how many of them are not pages of its file.

    Weights in the file's own 16 bits are views of it.  Where they are changed to fp32, the file's pages and the new
    weights are there together for a while (measured: 5.8 bytes a weight); where to 8 bits, some of the pages are, and
    those of the embeddings.
    """
    weights = held.weights * shape.parameters
    if device != "cpu" or precision == "nf4":
        return weights, weights
    if settings.method.adapter is not None and precision == "int8":
        return weights + min(2 * shape.parameters, FILE_AT_ONCE + 2 * shape.vocabulary * shape.hidden), weights
    if weights <= 2 * shape.parameters:
        return weights, 0
    return weights + 2 * shape.parameters, weights


def _loss_bytes(tokens: int, shape: BaseShape, precision: str, sliced: bool) -> int:
    """Bytes at the loss: all logits, or a block of them and the gradient of what the head reads."""
    if sliced or shape.family not in PLAIN_ENDINGS:
        return tokens * shape.vocabulary * logit_bytes(precision)
    size = BYTES.get(precision, 2)
    rows = min(tokens, max(LOSS_ROWS * (2 if precision == "int8" else 1), LOSS_BLOCK // (shape.vocabulary * size)))
    return rows * shape.vocabulary * (size if size == 2 else 3 * size) + 2 * tokens * shape.hidden * size


def _is_quick(settings: TrainSettings, shape: BaseShape, precision: str, device: str, kernels: bool) -> bool:
    """Whether our own layers compute, and keep what they need alone."""
    lora = settings.method.adapter
    halves = BYTES.get(precision, 2) == 2
    return shape.family in QUICK and halves and lora is not None and not lora.dora and (kernels or device == "cuda")


def _quick_layer_per_token(shape: BaseShape, lora: Lora, size: int, device: str) -> float:
    """Bytes that one of our layers keeps of a token: what goes into both norms; queries, keys, values and what
    attention makes of them, with a sum for each head; both inputs of the gate; and on a GPU, where a layer is not one
    step, what goes into an adapter, once."""
    linears = {linear.name: linear for linear in shape.linears}
    targets = shape.targets(lora)
    named = {linear.name for linear in targets}
    kept = 2 * shape.hidden + 2 * shape.intermediate + linears["q_proj"].outputs
    kept += sum(linears[name].outputs for name in ("q_proj", "k_proj", "v_proj"))
    if device == "cuda":
        kept += shape.hidden * (bool(named & {"q_proj", "k_proj", "v_proj"}) + bool(named & {"gate_proj", "up_proj"}))
        kept += shape.intermediate * ("down_proj" in named)
        kept += sum(linear.inputs for linear in targets) * (lora.dropout > 0)
    return size * kept + 4 * (shape.heads + 2 + lora.rank * len(targets))


def _activations_per_token(
    settings: TrainSettings, shape: BaseShape, precision: str, device: str, tokens: int, kernels: bool
) -> float:
    """Bytes kept for the backward pass, for each token."""
    size = BYTES.get(precision, 2)
    lora = settings.method.adapter
    quick = _is_quick(settings, shape, precision, device, kernels)
    if quick:
        assert lora is not None
        layer = _quick_layer_per_token(shape, lora, size, device)
    else:
        layer = _layer_per_token(settings, shape, size, device)
    if settings.checkpointing is True:
        return shape.layers * (shape.hidden * size + layer * HOLES[device]) + LAYERS_AT_ONCE * layer
    if quick and tokens * shape.intermediate * size >= VERY_LARGE:
        return shape.layers * layer * SCATTERED_LARGE
    scattered = SCATTERED_FP32 if size == 4 or settings.method.full else SCATTERED
    return shape.layers * layer * scattered[device]


def _layer_per_token(settings: TrainSettings, shape: BaseShape, size: int, device: str) -> float:
    """Bytes that one layer keeps of a token: what goes into every matrix and what comes out, and both norms' work in
    fp32.

    A matrix with an adapter keeps its input once more in fp32 where the base is not, and with dropout what is left of
    it and the mask (on a CPU a number, on a GPU a byte, and the input itself is then let go).
    """
    linears: Sequence[Linear] = shape.linears
    layer: float = size * sum(linear.inputs + linear.outputs for linear in linears) + 2 * 4 * shape.hidden * 2
    lora = settings.method.adapter
    if lora is None:  # under autocast what runs beside the matrices stays in fp32: the residuals, the turned queries
        return layer + (6 * 4 * shape.hidden if size < 4 else 0)
    targets = shape.targets(lora)
    inputs, outputs = sum(linear.inputs for linear in targets), sum(linear.outputs for linear in targets)
    if lora.dropout and device == "cuda":
        layer += 5 * inputs
    else:
        layer += inputs * 4 * ((2 if lora.dropout else 0) + (1 if size < 4 else 0))
    if lora.dora:  # the base's and the adapter's outputs, and their sum, before the magnitude is learned
        layer += 3 * 4 * outputs
    return layer
