"""Promise 1, never a silent no-op: each guard names the cause where training would do nothing, or harm."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from quire.errors import GuardError
from quire.tokens.rows import Rows
from quire.training.optimizers.optimizer import trainable
from quire.training.together.ranks import ALONE, Ranks
from quire.training.together.sliced import own_part

GUIDE = "guards"

ROUNDING = 0.03  # of the logits' spread, root mean square


def something_learns(model: nn.Module) -> int:
    """Trainable parameters, which must be more than none."""
    count = sum(p.numel() for _, p in trainable(model))
    if count == 0:
        raise GuardError("no parameter of the model would learn", "check train.method and its targets", GUIDE)
    return count


def every_row_teaches(rows: Rows) -> None:
    """Every row must have a target: a batch without one gives a loss of 0 or NaN."""
    if len(rows) == 0:
        raise GuardError("there is no text to train on", "add more text, or hold out less of it", GUIDE)
    idle = np.flatnonzero(rows.targets() == 0)
    if len(idle):
        raise GuardError(f"row {idle[0]} has no token to learn", "use overlap: train, or a larger stride", GUIDE)


def ends_are_learned(rows: Rows) -> None:
    """The end-of-text token must be a target wherever a work ends, or the voice never learns to stop."""
    missing = rows.ends_not_learned()
    if len(missing):
        work = rows.stretches[int(missing[0])].book + 1
        raise GuardError(f"the end of work {work} is not among the targets", "report this bug", GUIDE)


def something_is_held_out(rows: Rows) -> None:
    """At least one evaluation passage."""
    if len(rows) == 0:
        raise GuardError(
            "no text is held out for validation", "set shelf validation above 0%, or add more text", "not-enough-text"
        )


def first_step_is_finite(loss: float, norm: float, step: int, first: bool) -> None:
    """A later step may be left out; a first one that is not finite says that something is wrong from the beginning."""
    if first:
        what = f"loss is {loss}" if not math.isfinite(loss) else f"gradient is {norm}"
        raise GuardError(f"the {what} at step {step}", "lower train.learning_rate, or use precision: fp32", GUIDE)


def gradient_is_alive(norm: float) -> None:
    """The gradient of a first step is above zero."""
    if norm == 0:
        raise GuardError("the gradient of the first step is zero: nothing would be learned", "report this bug", GUIDE)


def weights_of(model: nn.Module) -> dict[str, Tensor]:
    """A copy of the learning weights, or of the slices of them that lie here, to see later whether they moved.

    In main memory: a GPU that all weights just fit on has no room for another 2 to 4 bytes of each.
    """
    return {name: own_part(p.detach()).to("cpu", copy=True) for name, p in trainable(model)}


def weights_moved(before: Mapping[str, Tensor], model: nn.Module, ranks: Ranks = ALONE) -> None:
    """After the first step with a learning rate above zero, something must have changed, and nothing be NaN."""
    own = [(name, own_part(p.detach())) for name, p in trainable(model)]
    broken = next((name for name, part in own if not bool(torch.isfinite(part).all())), None)
    moved = any(not torch.equal(before[name], part.cpu()) for name, part in own)
    any_broken, any_moved = ranks.most(broken is not None, moved)
    if any_broken:
        what = broken or "a weight of another process"
        raise GuardError(f"{what} is no longer finite after the first step", "lower train.learning_rate", GUIDE)
    if not any_moved:
        raise GuardError("no weight moved in the first step", "raise train.learning_rate", "learning-rate")


def voice_is_real(reloaded: Tensor, trained: Tensor, base: Tensor, where: str) -> None:
    """Logits on the same text: the reloaded voice must equal the trained model and differ from the base.

    Equal but for rounding, on the average: adapters that are added up as they are saved round otherwise than apart, and
    in 16 bits a single large logit then jumps by a twentieth of the spread (measured: the average by a hundredth).
    """
    if not bool(torch.isfinite(reloaded).all()):
        raise GuardError(f"the voice in {where} answers with NaN or infinity", "lower train.learning_rate", GUIDE)
    spread = float(trained.float().std())
    if float((reloaded.float() - trained.float()).square().mean().sqrt()) > ROUNDING * spread:
        raise GuardError(f"the voice in {where} does not answer as the trained model does", "report this bug", GUIDE)
    if torch.equal(reloaded, base):
        raise GuardError(f"the voice in {where} answers exactly as its base does", "train longer", GUIDE)
