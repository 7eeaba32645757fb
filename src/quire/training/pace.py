"""A few seconds' measurement: how fast this machine trains a base of this shape, with this method, in these rows.

The real computation is measured, not a stand-in: a model of the base's own config with a few of its layers, random
weights, the adapter, the loss and the optimiser that training will use, at the micro-batch and window it will have.
What a layer takes is what more layers took longer; embeddings, head and loss are measured without any layer, on a part
of the vocabulary where it is large.
"""

from __future__ import annotations

import copy
import hashlib
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel
from transformers.initialization import no_init_weights

from quire.model.base import weights_dtype
from quire.model.lowbit import to_int8, to_nf4
from quire.model.machine import Precision, device_name
from quire.model.mode import evaluating
from quire.planner.pace import Pace
from quire.planner.schedule import BatchChoice
from quire.planner.shape import BaseShape, read_shape
from quire.recipe.schema import TrainSettings
from quire.training.compute import Batch, Computation, summed_loss
from quire.training.learner import learning_form, precision_of_weights
from quire.training.optimizers.optimizer import gradient_norm, make_optimizer, trainable
from quire.training.together.ranks import ALONE
from quire.training.together.sums import GradientSum

SECONDS = 1.0  # for each of the things measured, but for one round of each, however long it takes
ROUNDS = 8
# A small model's few layers stay in the caches, and its memory in the heap; a whole one's do not.
WORKING_SET = 192 * 2**20
MOST_VOCABULARY = 32_768
SAVED = 8 * 2**20
TINY_VOCABULARY = 64


@dataclass(frozen=True)
class Took:
    """Seconds of one model: forward and backward of a micro-batch, forward of a row, a step's rest, one token."""

    batch: float
    row: float
    step: float
    token: float


def measure_pace(
    folder: Path,
    settings: TrainSettings,
    choice: BatchChoice,
    precision: Precision,
    checkpointing: bool = False,
    run: Path | None = None,
    clock: Callable[[], float] = time.perf_counter,
) -> Pace:
    """Measure training on the base in `folder` (only its config.json is read) by `settings`.

    `run` is where the run will lie: how fast its disk keeps a checkpoint is measured beside it.  Random numbers and the
    number of threads are left as they were.
    """
    began = clock()
    shape = read_shape(folder)
    device = device_name()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        depth = _depth(shape, settings, choice)
        vocabulary = min(shape.vocabulary, MOST_VOCABULARY)

        def took(layers: int, words: int) -> Took:
            return _measure(_build(folder, layers, words), settings, choice, precision, device, checkpointing, clock)

        head = took(0, vocabulary)
        if depth == shape.layers and vocabulary == shape.vocabulary:
            whole = took(depth, vocabulary)
        else:
            few = took(depth, TINY_VOCABULARY)
            whole = _whole(few, took(0, TINY_VOCABULARY), head, shape, depth, vocabulary)
    trainable = shape.lora_parameters(settings.method.adapter) if settings.method.adapter else shape.parameters
    per_byte = _disk(run or Path.cwd(), clock)
    weights = 2 * shape.parameters
    return Pace(
        batch=whole.batch,
        tokens=choice.batch * settings.window,
        row=whole.row,
        step=whole.step,
        token=whole.token,
        save=per_byte * 12 * trainable + 0.02,
        load=weights * per_byte / 4 + 0.2,
        threads=torch.get_num_threads(),
        took=clock() - began,
    )


def pace_or_none(
    folder: Path,
    settings: TrainSettings,
    choice: BatchChoice,
    precision: Precision,
    checkpointing: bool = False,
    run: Path | None = None,
) -> Pace | None:
    """`measure_pace`; None for a base that cannot be cut to a few layers, or where there is no memory to try."""
    try:
        return measure_pace(folder, settings, choice, precision, checkpointing, run)
    except Exception:  # families differ in what their configs allow; a plan without a measured time is still one
        return None


def _whole(few: Took, none: Took, head: Took, shape: BaseShape, depth: int, vocabulary: int) -> Took:
    """All layers and the whole vocabulary, reckoned up from a few layers and a part of it."""

    def up(name: str) -> float:
        empty = vars(none)[name]
        words = (vars(head)[name] - empty) * (shape.vocabulary - TINY_VOCABULARY) / (vocabulary - TINY_VOCABULARY)
        return float(max(0.0, (vars(few)[name] - empty) * shape.layers / depth) + empty + max(0.0, words))

    return Took(up("batch"), up("row"), up("step"), up("token"))


def _depth(shape: BaseShape, settings: TrainSettings, choice: BatchChoice) -> int:
    """Layers to measure: so many that what they keep is larger than the caches, and at least one."""
    tokens = choice.batch * settings.window
    layer = tokens * sum(linear.inputs + linear.outputs for linear in shape.linears) * 6
    return max(1, min(shape.layers, round(WORKING_SET / layer)))


def _build(folder: Path, layers: int, vocabulary: int) -> PreTrainedModel:
    """A model of the base's config with so many layers and words; its weights are small numbers."""
    config = _cut(AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False), layers)
    text = config.get_text_config()
    text.vocab_size = vocabulary
    text.pad_token_id = text.bos_token_id = text.eos_token_id = None
    with no_init_weights():
        model = AutoModelForCausalLM.from_config(config, dtype=torch.float32)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.01)
    assert isinstance(model, PreTrainedModel)
    return model


def _cut(config: Any, layers: int) -> Any:
    """The config with fewer layers, by whatever names its family has for them."""
    config = copy.deepcopy(config)
    text = config.get_text_config()
    text.num_hidden_layers = layers
    if text.model_type == "gpt_neo":  # says the kinds of its layers one by one
        kinds = (text.attention_layers * layers)[:layers]
        text.attention_layers, text.attention_types = kinds, [[[kind], 1] for kind in kinds]
    elif (kinds := text.to_dict().get("layer_types")) is not None:
        text.layer_types = kinds[:layers]
    return config


def _measure(
    model: PreTrainedModel,
    settings: TrainSettings,
    choice: BatchChoice,
    precision: Precision,
    device: str,
    checkpointing: bool,
    clock: Callable[[], float],
) -> Took:
    """Time one model as training would compute it.  One without layers has no adapter, and its norm learns instead."""
    layered = model.config.get_text_config().num_hidden_layers > 0
    words = model.config.get_text_config().vocab_size
    learner: PreTrainedModel = model
    if layered or settings.method.full:
        _to_format(model, precision_of_weights(settings, precision), device)
        formed, computation = learning_form(model, settings, precision, device, 0, checkpointing)
        learner = formed  # type: ignore[assignment]  # a PeftModel is called as its base is
    else:
        computation = _bare(model, precision, device)
    learner.train()
    optimizer = make_optimizer(learner, settings)
    summed = GradientSum([parameter for _, parameter in trainable(learner)])
    batch = _batch(choice.batch, settings.window, words, device)
    row = _batch(1, settings.window, words, device)

    def compute() -> None:
        (summed_loss(learner, batch, computation) / batch.targets.numel()).backward()  # type: ignore[no-untyped-call]
        summed.take()

    def apply() -> None:
        summed.give(ALONE)
        gradient_norm(learner, settings.clip)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    backward = _time(compute, clock, device)
    step = _time(apply, clock, device, rounds=3, before=compute)
    with torch.no_grad(), evaluating(learner):
        forward = _time(lambda: summed_loss(learner, row, computation), clock, device, rounds=4)
        one = torch.zeros(1, 1, dtype=torch.long, device=device)
        token = _time(lambda: learner(input_ids=one, use_cache=False), clock, device)
    return Took(backward, forward, step, token)


def _to_format(model: PreTrainedModel, weights: Precision, device: str) -> None:
    """Bring weights into the format in which a base would have been loaded."""
    nn.Module.to(model, device, weights_dtype(weights, device))
    if weights == "int8":
        to_int8(model)
    elif weights == "nf4":
        to_nf4(model, device)


def _bare(model: PreTrainedModel, precision: Precision, device: str) -> Computation:
    """Embeddings, last norm and head, frozen as under an adapter but for the norm: gradients flow through the head."""
    model.requires_grad_(False)
    nn.Module.to(model, device, weights_dtype(precision, device))
    norms = [parameter for parameter in model.parameters() if parameter.dim() == 1]
    norms[-1].requires_grad_(True)
    return Computation(True, torch.float16 if precision == "fp16" else None, device)


def _batch(rows: int, window: int, words: int, device: str) -> Batch:
    ids = torch.randint(0, words, (rows, window), device=device)
    positions = torch.arange(window, device=device).expand(rows, -1)
    return Batch(ids, positions, ids, (window,))


def _time(
    work: Callable[[], object],
    clock: Callable[[], float],
    device: str,
    rounds: int = ROUNDS,
    before: Callable[[], object] = lambda: None,
) -> float:
    """Seconds of one round: the first, in which kernels are chosen, counts only where there is no time for another.

    What is done `before` each is not counted.
    """
    found: list[float] = []
    began = clock()
    while len(found) <= rounds and (len(found) < 2 or clock() - began < SECONDS):
        before()
        if device == "cuda":
            torch.cuda.synchronize()
        started = clock()
        work()
        if device == "cuda":
            torch.cuda.synchronize()
        found.append(clock() - started)
        if found[0] > 2 * SECONDS:
            break
    later = found[1:] or found
    return sum(later) / len(later)


def _disk(run: Path, clock: Callable[[], float]) -> float:
    """Seconds to write a byte, hash it and have it on the disk."""
    place = run
    while not place.is_dir():
        place = place.parent
    data = os.urandom(SAVED)
    # A file without a name, where the system has such: nothing is left behind, however this ends.
    with tempfile.TemporaryFile(dir=place if os.access(place, os.W_OK) else None) as file:
        began = clock()
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
        file.seek(0)
        hashlib.sha256(file.read())
        return (clock() - began) / SAVED
