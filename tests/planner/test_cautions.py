from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from quire.planner.cautions import Warned, warnings_for
from quire.planner.facts import MachineFacts, TextFacts
from quire.planner.memory import Memory
from quire.recipe.schema import TrainSettings

GUIDE = Path(__file__).parents[2] / "docs" / "guide.md"
SMALL = Memory(weights=2**20, adapter=0, gradients=0, optimiser=0, activations=0, logits=0)
NOVEL = TextFacts(90_000, 120_000, 6_000, 12_000, (118,), (120_000,))
MACHINE = MachineFacts(2, 2**33, 2**33, 2**36)


def warned(
    memory: Memory = SMALL,
    disk: int = 0,
    seconds: float | None = 60,
    text: TextFacts = NOVEL,
    part_steps: tuple[int, ...] = (45,),
    machine: MachineFacts | None = MACHINE,
    **train: object,
) -> list[Warned]:
    return list(warnings_for(TrainSettings.model_validate(train), memory, disk, seconds, text, part_steps, machine))


def test_an_ordinary_novel_gets_no_warning() -> None:
    assert warned() == []
    assert warned(machine=None, seconds=None) == []


@pytest.mark.parametrize(
    ("found", "words"),
    [
        (warned(replace(SMALL, weights=2**35)), "of memory, and 8.0 GiB are free"),
        (
            warned(replace(SMALL, weights=2**35), machine=replace(MACHINE, gpu_memory_bytes=2**34)),
            "16.0 GiB are on the GPU",
        ),
        (warned(disk=2**40), "of disk, and 64.0 GiB are free"),
        (warned(text=replace(NOVEL, leaks=("A repeats B", "C repeats D"))), "A repeats B (and 1 more such places)"),
        (warned(text=replace(NOVEL, words=2_000)), "2,000 words are very little"),
        (warned(text=replace(NOVEL, words=20_000)), "enough for a manner"),
        (warned(epochs=20), "by heart"),
        (warned(text=replace(NOVEL, tokens_per_epoch=(500,))), "the text has 500 tokens, less than one window"),
        (warned(text=replace(NOVEL, tokens_per_epoch=(9_000, 500)), parts=2), "the shortest of 2 parts has 500 tokens"),
        (warned(part_steps=(7,)), "7 steps are too few"),
        (warned(part_steps=(45,), warmup=100), "as long as the training or longer"),
        (warned(part_steps=(45, 200), warmup=100), "as long as 1 of 2 parts"),
        (warned(learning_rate=0.1), "0.1 is unusually high for lora"),
        (warned(learning_rate=1e-6), "1e-06 is unusually low for lora"),
        (warned(learning_rate=0.1, method="full"), "unusually high for full"),
        (warned(learning_rate=0.1, method="full", optimizer="muon"), "0.0001 to 0.03 are usual"),
        (warned(seconds=60 * 3600), "about 60 h 00 min"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_danger_is_named_with_a_remedy(found: list[Warned], words: str) -> None:
    assert [words in one.text or words in one.remedy for one in found] == [True]
    assert found[0].remedy


def test_early_stopping_and_given_steps_guard_against_too_many_epochs() -> None:
    assert warned(epochs=20, early_stop=2) == []
    assert warned(epochs=20, steps=50) == []


def test_every_warning_leads_to_a_place_in_the_guide() -> None:
    guide = GUIDE.read_text(encoding="utf-8")
    anchors = set(re.findall(r'<a id="([^"]+)"', guide))
    anchors |= {heading.strip().lower().replace(" ", "-") for heading in re.findall(r"^#+ (.+)$", guide, re.MULTILINE)}
    source = (Path(__file__).parents[2] / "src" / "quire" / "planner" / "cautions.py").read_text(encoding="utf-8")
    named = set(re.findall(r'^\s+"([a-z-]+)",$', source, re.MULTILINE)) | set(re.findall(r', "([a-z-]+)"\)', source))
    assert {"out-of-memory", "disk", "overfitting", "how-much-text"} <= named
    assert named <= anchors
