"""Rows, settings and batches small enough for tests of the model and of the training loop."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from peft import PeftModel
from transformers import PreTrainedModel

from quire.model.adapters import attach
from quire.planner.schedule import choose_batch
from quire.recipe.schema import TrainSettings
from quire.run.events import JSON
from quire.tokens.rows import Rows, make_rows
from quire.tokens.stretches import Stretch
from quire.training.compute import Computation
from quire.training.loop import Frame
from quire.training.optimizers.optimizer import trainable
from quire.training.relief import Footing
from quire.training.state import TrainState
from quire.training.watch import StopWish

END = 0
FP32 = Computation(packs=True, autocast=None, device="cpu")
APART = Computation(packs=False, autocast=None, device="cpu")


def toy_settings(**changes: object) -> TrainSettings:
    """Short windows, a rate at which tiny models learn visibly, and dropout in the adapter."""
    given = {"window": 32, "learning_rate": 5e-3, "batch": 1, "accumulate": 2, "epochs": 2.0, "precision": "fp32"}
    return TrainSettings.model_validate(given | {"method": {"lora": {"rank": 4, "dropout": 0.1}}} | changes)


def toy_rows(lengths: Sequence[int] = (50, 90, 40), seed: int = 0, vocabulary: int = 384, **changes: object) -> Rows:
    """Works of random tokens, each with its end-of-text token, cut by `toy_settings`."""
    numbers = np.random.default_rng(seed)
    stretches = [
        Stretch(np.append(numbers.integers(1, vocabulary, length), END).astype(np.int32), book, True)
        for book, length in enumerate(lengths)
    ]
    return make_rows(stretches, toy_settings(**changes), None)


def random_ids(length: int, seed: int = 0, vocabulary: int = 384) -> torch.Tensor:
    """Token ids (1, length)."""
    return torch.randint(vocabulary, (1, length), generator=torch.Generator().manual_seed(seed))


def adapted(model: PreTrainedModel, settings: TrainSettings) -> PeftModel:
    """`model` with the settings' adapter on it."""
    assert settings.method.lora is not None
    return attach(model, settings.method.lora, seed=7)


def digest(model: torch.nn.Module) -> str:
    """One hash over all learning weights."""
    found = hashlib.sha256()
    for name, p in trainable(model):
        found.update(name.encode() + p.detach().numpy().tobytes())
    return found.hexdigest()


@dataclass
class Told:
    """What a loop told: kind, step and values of every event, in order.  `hear` may stop it or raise."""

    events: list[tuple[str, int, Mapping[str, JSON]]] = field(default_factory=list)
    hear: Callable[[str, int], None] = lambda kind, step: None
    footings: list[Footing] = field(default_factory=list)
    synced: list[int] = field(default_factory=list)  # events told so far, whenever they were brought to the disk

    def emit(self, kind: str, state: TrainState, values: Mapping[str, JSON]) -> None:
        self.events.append((kind, state.step, dict(values)))
        self.hear(kind, state.step)

    def sync(self) -> None:
        self.synced.append(len(self.events))

    def of(self, kind: str, key: str) -> list[JSON]:
        return [values[key] for found, _, values in self.events if found == kind]

    def steps(self, kind: str) -> list[int]:
        return [step for found, step, _ in self.events if found == kind]


def make_frame(folder: Path, settings: TrainSettings, told: Told, wish: StopWish | None = None) -> Frame:
    """A frame on the CPU in float32."""
    return Frame(
        settings=settings,
        choice=choose_batch(settings),
        computation=FP32,
        seed=7,
        checkpoints=folder,
        emit=told.emit,
        sync_events=told.sync,
        wish=wish or StopWish(),
        relieved=lambda footing, alone: told.footings.append(footing),
    )


def footing_of(frame: Frame) -> Footing:
    """As many rows at once as the frame's choice has it, activations kept."""
    return Footing(frame.choice.batch, False)


SENTENCES = (
    "The ferryman opened the door and looked at the water for a long time.",
    "“You ask me why we do not go on,” she said to the clerk.",
    "We do not go on because the river is not there any more.",
    "Nobody in the village had seen it leave, and nobody would say so.",
)


def toy_book(path: Path, chapters: int = 10, paragraphs: int = 3) -> Path:
    """A Markdown novel of chapters that say the same few sentences in changing order."""
    written = ["# The River"]
    for number in range(chapters):
        turned = SENTENCES[number % 4 :] + SENTENCES[: number % 4]
        written.append(f"## Chapter {number + 1}\n\n" + "\n\n".join([" ".join(turned)] * paragraphs))
    path.write_text("\n\n".join(written) + "\n", encoding="utf-8")
    return path


WHO = ("the miller", "a clerk", "my sister", "nobody", "the widow", "an envoy", "the twins", "old Orme", "the dog")
DID = ("turned", "cursed", "counted", "oiled", "forgot", "sold", "painted", "buried", "weighed", "praised")
WHAT = ("the wheel", "his debts", "nine sacks", "a letter", "the bell", "two geese", "the law", "her shoes", "a map")
WHEN = ("at dawn", "in the rain", "unasked", "for a week", "by candle", "with care", "too late", "on Sundays", "twice")


def varied_book(path: Path, seed: int = 1, chapters: int = 12, paragraphs: int = 6) -> Path:
    """A Markdown novel in which no two paragraphs are alike; another seed, another novel."""
    dice = random.Random(seed)
    choices = (WHO, DID, WHAT, WHEN)
    written = [f"# Book {seed}"]
    for number in range(chapters):
        lines = [
            " ".join(" ".join(dice.choice(words) for words in choices).capitalize() + "." for _ in range(4))
            for _ in range(paragraphs)
        ]
        written.append(f"## Chapter {number + 1}\n\n" + "\n\n".join(lines))
    path.write_text("\n\n".join(written) + "\n", encoding="utf-8")
    return path


TINY_TRAINING = {
    "train.window": 64,
    "train.steps": 3,
    "train.precision": "fp32",
    "train.learning_rate": 5e-3,
    "train.method.lora.rank": 4,
    "train.effective_batch": 4,
    "write.max_new_tokens": 6,
}
"""Settings with which the tiny base learns something within a second."""


def unheard(_text: str) -> None:
    """For what is told while a test reads: nobody listens."""
