"""What a sign of trouble is called, and what to do about it: the settings to give to the next run, or the next command.

`key` is how the stage's settings are addressed: `train`, or `stages.NAME`.
"""

from __future__ import annotations

from quire.planner.cautions import Warned
from quire.planner.enough import LITTLE_WORDS
from quire.recipe.schema import Stage
from quire.training.watching.signs import Checked
from quire.units import show_size


def unusual_rate(rate: float, low: float, high: float, key: str) -> Warned:
    """Outside of what is usual for the method."""
    side, effect = ("high", "the loss may leap or become NaN") if rate > high else ("low", "little may change")
    return Warned(
        f"the learning rate {rate:g} is unusually {side}: {effect}",
        f"{low:g} to {high:g} are usual: Ctrl-C, then --run NEW --set {key}.learning_rate={(low * high) ** 0.5:.0e}",
        "learning-rate",
    )


def little_text(words: float) -> Warned:
    """Fewer words than a manner takes."""
    return Warned(
        f"{words:,.0f} words are very little: the voice will repeat phrases of the book",
        f"add more by the same author; {6 * LITTLE_WORDS:,} words and more make a good voice",
        "how-much-text",
    )


def leapt(usual: float, now: float, step: int, rate: float, key: str) -> Warned:
    """Several steps far above the usual loss."""
    return Warned(
        f"the loss leapt from {usual:.2f} to {now:.2f} at step {step}",
        f"if it does not come down again soon: --run NEW --set {key}.learning_rate={rate:.1g}",
        "loss-leaps",
    )


def diverged(began: float, now: float, step: int, rate: float, key: str) -> Warned:
    """The training loss is far above where it was."""
    return Warned(
        f"the loss has risen from {began:.2f} to {now:.2f} by step {step}: training makes the model worse",
        f"stop it with Ctrl-C, then --run NEW --set {key}.learning_rate={rate:.1g}",
        "loss-leaps",
    )


def worse(first: float, now: float, step: int, rate: float, key: str) -> Warned:
    """Held-out text is predicted worse than before, and the text itself no better."""
    return Warned(
        f"the held-out loss has risen from {first:.2f} to {now:.2f} by step {step}, and the training loss has not sunk",
        f"stop it with Ctrl-C, then --run NEW --set {key}.learning_rate={rate:.1g}",
        "loss-leaps",
    )


def overfitted(best: Checked, now: Checked, stage: Stage, key: str) -> Warned:
    """Names the step of the best state, and what would have ended there or forgotten less of it."""
    remedies = [f"{key}.early_stop=2, which ends with the best state"]
    if stage.steps is None and stage.samples is None and best.epoch and best.epoch < stage.epochs - 0.5:
        remedies.append(f"{key}.epochs={max(1, round(best.epoch)):g}")
    if stage.goldfish is None:
        remedies.append(f"{key}.goldfish=4 against reciting")
    return Warned(
        f"the held-out loss has risen from {best.loss:.3f} at step {best.step}, its best, to {now.loss:.3f} at step "
        f"{now.step}, and the training loss goes on sinking: it begins to learn the text by heart",
        f"--run NEW with --set {', or '.join(remedies)}",
        "overfitting",
    )


def idle(step: int, rate: float, low: float, key: str) -> Warned:
    """Neither loss has moved since the beginning."""
    raised = f"--set {key}.learning_rate={max(3 * rate, low * 3):.1g}"
    return Warned(
        f"by step {step} neither the training loss nor the held-out loss has moved",
        f"raise the learning rate: Ctrl-C, then --run NEW {raised}; or the base knows this text already",
        "nothing-changes",
    )


def still(since: Checked, now: Checked, key: str) -> Warned:
    """Neither loss sinks any more."""
    return Warned(
        f"nothing has sunk since step {since.step}: held-out loss {since.loss:.3f} there and {now.loss:.3f} now",
        f"--run NEW with --set {key}.early_stop=2, or a higher {key}.method.lora.rank, or a larger base",
        "plateau",
    )


def forgets(name: str, first: float, now: float, since: int, rate: float, stage: Stage, key: str) -> Warned:
    """An earlier book is predicted worse than when the run began, at every validation after step `since`."""
    if stage.replay is None:
        mixed = f"--set {key}.replay=10%, or a smaller {key}.learning_rate={rate:.1g}"
    else:
        mixed = f"a larger {key}.replay than {stage.replay}, or --set {key}.learning_rate={rate:.1g}"
    return Warned(
        f"it forgets {name}: its held-out loss has risen from {first:.3f} to {now:.3f}, for good from step {since} on",
        f"--run NEW with {mixed}, or fewer {key}.epochs",
        "forgetting",
    )


def skipped(step: int, why: str, rate: float, key: str) -> Warned:
    """A step whose numbers were not finite."""
    return Warned(
        f"step {step} was left out, {why}; three in a row go back to the last good state",
        f"once is harmless; if it is told again: --run NEW --set {key}.learning_rate={rate:.1g}, "
        f"or --set {key}.precision=fp32",
        "not-finite",
    )


def went_back(step: int, to_step: object, why: str, rate: float, key: str) -> Warned:
    """Several such steps in a row."""
    place = f" of step {to_step}" if isinstance(to_step, int) else ""
    return Warned(
        f"{why}: at step {step} it went back to the weights{place}",
        f"if it happens again: --run NEW --set {key}.learning_rate={rate:.1g}, or --set {key}.precision=fp32",
        "not-finite",
    )


def vanished(step: int, rate: float, key: str) -> Warned:
    """Gradients far smaller than usual, while there is still much to learn."""
    return Warned(
        f"the gradient has all but vanished by step {step}: nothing is learned any more",
        f"--run NEW with --set {key}.precision=fp32, or --set {key}.learning_rate={rate:.1g}",
        "gradients",
    )


def exploded(usual: float, norm: float, stage: Stage, rate: float, key: str) -> Warned:
    """Gradients far larger than usual."""
    clip = f"--set {key}.clip=1, or " if stage.clip == 0 else ""
    return Warned(
        f"the gradient has grown from {usual:.2g} to {norm:.2g}",
        f"if the loss rises too: --run NEW with {clip}--set {key}.learning_rate={rate:.1g}",
        "gradients",
    )


def slow(now: float, usual: float) -> Warned:
    return Warned(
        f"{now:,.0f} tokens a second, where {usual:,.0f} were usual",
        "close what else uses this machine; or Ctrl-C, and the same command later goes on from here",
        "too-long",
    )


def nearly_full(held: float, limit: float, key: str) -> Warned:
    return Warned(
        f"training holds {show_size(round(held))} of {show_size(round(limit))} of memory",
        f"close other programs; or --run NEW with --set {key}.batch=1 and --set {key}.checkpointing=true",
        "out-of-memory",
    )
