"""What to tell somebody before they train: each warning with its remedy and its place in the guide."""

from __future__ import annotations

from dataclasses import dataclass

from quire.planner.enough import FEW, LITTLE_WORDS, SHORT_WORDS, enough
from quire.planner.facts import MachineFacts, TextFacts
from quire.planner.memory import Memory
from quire.recipe.method import MethodKind
from quire.recipe.schema import TrainSettings
from quire.units import show_duration, show_size

MANY_EPOCHS = 8
FEW_STEPS = 20
LONG_SECONDS = 12 * 3600
USUAL_RATES: dict[MethodKind, tuple[float, float]] = {
    "lora": (2e-5, 3e-3),
    "qlora": (2e-5, 3e-3),
    "full": (1e-6, 5e-3),
    "inherit": (1e-6, 5e-3),
}
MUON_RATES = (1e-4, 3e-2)  # it is for weights that are random yet, which bear longer steps


@dataclass(frozen=True)
class Warned:
    """What is the matter, what to do, and the anchor in docs/guide.md."""

    text: str
    remedy: str
    guide: str


def warnings_for(
    settings: TrainSettings,
    memory: Memory,
    disk_bytes: int,
    seconds: float | None,
    text: TextFacts,
    steps: tuple[int, ...],
    machine: MachineFacts | None,
) -> tuple[Warned, ...]:
    """All that apply, the gravest first."""
    found = [
        _memory(settings, memory, machine),
        _disk(disk_bytes, machine),
        _leaking(text),
        _little_text(text),
        _memorising(settings, text),
        _short_parts(settings, text),
        _few_steps(sum(steps)),
        _fitted_warmup(settings, steps),
        _learning_rate(settings),
        _time(seconds),
    ]
    return tuple(warned for warned in found if warned is not None)


def _memory(settings: TrainSettings, memory: Memory, machine: MachineFacts | None) -> Warned | None:
    if machine is None:
        return None
    room = machine.room
    if memory.needed <= room:
        return None
    where = "on the GPU" if machine.gpu_memory_bytes else "free"
    return Warned(
        f"training takes about {show_size(memory.needed)} of memory, and {show_size(room)} are {where}",
        "choose a smaller base or a shorter train.window"
        + ("" if settings.checkpointing is True else ", or train.checkpointing=true"),
        "out-of-memory",
    )


def _leaking(text: TextFacts) -> Warned | None:
    if not text.leaks:
        return None
    more = f" (and {len(text.leaks) - 1} more such places)" if len(text.leaks) > 1 else ""
    return Warned(
        f"held-out text is trained on: {text.leaks[0]}{more}",
        "leave one of them out; quire read lists what stands twice",
        "how-much-text",
    )


def _disk(disk_bytes: int, machine: MachineFacts | None) -> Warned | None:
    if machine is None or disk_bytes <= machine.disk_free_bytes:
        return None
    return Warned(
        f"the run takes up to {show_size(disk_bytes)} of disk, and {show_size(machine.disk_free_bytes)} are free",
        "free some space, set train.keep=1, or put the run elsewhere with --run DIR",
        "disk",
    )


def _little_text(text: TextFacts) -> Warned | None:
    if text.conversations:
        if text.conversations >= FEW:
            return None
        return Warned(enough(text).text, "add more conversations of the same character", "how-much-text")
    if text.words < LITTLE_WORDS:
        what = f"{text.words:,} words are very little: the voice will repeat phrases of the book"
        return Warned(what, "add more by the same author; 30,000 words and more make a good voice", "how-much-text")
    if text.words < SHORT_WORDS:
        what = f"{text.words:,} words are enough for a manner, not for a novel's whole range"
        return Warned(what, "add more by the same author if there is any", "how-much-text")
    return None


def _memorising(settings: TrainSettings, text: TextFacts) -> Warned | None:
    if settings.steps or settings.samples or settings.early_stop:
        return None
    most = MANY_EPOCHS if text.words < 10 * SHORT_WORDS else 2 * MANY_EPOCHS
    if settings.epochs <= most:
        return None
    return Warned(
        f"{settings.epochs:g} epochs of {text.words:,} words: the voice may learn the book by heart",
        "use fewer train.epochs, or train.early_stop=2",
        "overfitting",
    )


def _short_parts(settings: TrainSettings, text: TextFacts) -> Warned | None:
    if settings.chunk is not None or not text.tokens_per_epoch:
        return None
    shortest = min(text.tokens_per_epoch)
    if shortest >= settings.window:
        return None
    thing = f"the shortest of {settings.parts} parts" if settings.parts > 1 else "the text"
    return Warned(
        f"{thing} has {shortest:,} tokens, less than one window of {settings.window:,}",
        "use fewer train.parts or a shorter train.window",
        "window",
    )


def _few_steps(steps: int) -> Warned | None:
    if steps >= FEW_STEPS:
        return None
    return Warned(
        f"{steps} steps are too few to change much",
        "use a shorter train.window, a smaller train.effective_batch, or more train.epochs",
        "nothing-changes",
    )


def _fitted_warmup(settings: TrainSettings, steps: tuple[int, ...]) -> Warned | None:
    wanted = settings.warmup.steps
    fitted = [count for count in steps if wanted is not None and count <= wanted]
    if not fitted:
        return None
    which = f"{len(fitted)} of {len(steps)} parts" if len(steps) > 1 else "the training"
    return Warned(
        f"the warm-up of {wanted} steps is as long as {which} or longer, so the learning rate only rises there",
        "use a share, such as train.warmup=10%, if that is not what you want",
        "settings",
    )


def usual_rates(settings: TrainSettings, kind: MethodKind) -> tuple[float, float]:
    """The lowest and the highest learning rate that surprise nobody, for a stage that is carried out as `kind`."""
    return MUON_RATES if settings.optimizer == "muon" else USUAL_RATES[kind]


def _learning_rate(settings: TrainSettings) -> Warned | None:
    low, high = usual_rates(settings, settings.method.kind)
    if low <= settings.learning_rate <= high:
        return None
    side, effect = (
        ("high", "the loss may leap or become NaN") if settings.learning_rate > high else ("low", "little may change")
    )
    return Warned(
        f"the learning rate {settings.learning_rate:g} is unusually {side} for {settings.method.kind}: {effect}",
        f"{low:g} to {high:g} are usual",
        "learning-rate",
    )


def _time(seconds: float | None) -> Warned | None:
    if seconds is None or seconds <= LONG_SECONDS:
        return None
    return Warned(
        f"training will take about {show_duration(seconds)} on this machine",
        "choose a smaller base or fewer epochs; --max-time stops it in time, and the same command goes on later",
        "too-long",
    )
