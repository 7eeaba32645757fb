"""Every method on its way: what it changes, that it resumes to the bit, that its voice is what was trained."""

from __future__ import annotations

import hashlib
import signal
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch
from peft import AutoPeftModelForCausalLM
from transformers import AutoModelForCausalLM

from quire.errors import Stopped
from quire.model.adapters import load_voice
from quire.planner.bases import find_base
from quire.recipe.schema import TrainSettings, WriteSettings
from quire.training.checkpoints import newest
from quire.training.learner import Learner, Start, make_learner
from quire.training.loop import Part, train_part
from quire.training.optimizers.optimizer import trainable
from quire.training.state import TrainState
from quire.training.voice import answer, check_voice, save_voice
from quire.training.watch import StopWish
from toy import Told, footing_of, make_frame, random_ids, toy_rows, toy_settings

PROBE = random_ids(40)
PART = Part(0, toy_rows(), toy_rows((40,), seed=9))
needs_nf4 = pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="bitsandbytes is not installed")
ADAPTER = {"rank": 4, "dropout": 0.1}


def case(precision: str, method: object, name: str, marks: object = (), **settings: object) -> object:
    given = {"precision": "auto", "method": method, "steps": 3} | settings
    return pytest.param(precision, given, id=name, marks=marks)


CASES = [
    case("bf16", {"lora": ADAPTER}, "lora"),
    case("int8", {"qlora": ADAPTER}, "qlora in 8 bits"),
    case("nf4", {"qlora": ADAPTER}, "qlora in 4 bits", marks=needs_nf4),
    case("fp32", {"lora": ADAPTER | {"rslora": True, "lr_ratio": 4}}, "rslora and lora+"),
    case("int8", {"qlora": ADAPTER | {"dora": True}}, "dora in 8 bits"),
    case("bf16", {"lora": ADAPTER | {"init": "pissa"}}, "pissa"),
    case("int8", {"qlora": ADAPTER | {"init": "pissa"}}, "pissa in 8 bits", optimizer="adamw_8bit"),
    case("fp32", {"lora": ADAPTER}, "noise", neftune=5.0),
    case("bf16", "full", "full with little memory", optimizer="adamw_8bit"),
    case("bf16", "full", "full with adafactor", optimizer="adafactor", neftune=5.0),
    case("bf16", "full", "full in mixed precision"),
]


def weights(learner: Learner) -> str:
    """One hash over all that learns, in any number format."""
    found = hashlib.sha256()
    for name, p in trainable(learner.model):
        found.update(name.encode() + p.detach().contiguous().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def train(start: Start, settings: TrainSettings, precision: str, folder: Path, stop_at: int | None = None) -> Learner:
    """Train a few steps, or go on from the newest checkpoint; with `stop_at`, stop after that step."""
    learner = make_learner(start, settings, precision, "cpu", 7, bases=folder / "bases")
    wish = StopWish()

    def hear(kind: str, step: int) -> None:
        if kind == "step" and step == stop_at and wish.reason is None:
            wish.heard(signal.SIGTERM, None)

    told = Told(hear=hear)
    frame = replace(make_frame(folder / "checkpoints", settings, told, wish), computation=learner.computation)
    resume = newest(folder / "checkpoints", pytest.fail)
    torch.manual_seed(stop_at or 0)  # what was drawn before a start must not matter
    train_part(learner.model, PART, frame, footing_of(frame), resume.state if resume else TrainState(), resume)
    return learner


def save(learner: Learner, folder: Path) -> None:
    def prove(target: Path) -> None:
        check_voice(learner.model, learner.files, learner.precision, target, PROBE, "voice")

    save_voice(learner.model, learner.tokenizer, learner.files, WriteSettings(), folder, "# card", prove)


@pytest.mark.parametrize(("precision", "given"), CASES)
def test_it_resumes_to_the_bit_and_its_voice_is_what_was_trained(
    precision: str, given: dict[str, object], tiny_base: Path, tmp_path: Path
) -> None:
    settings = toy_settings(**given)
    start = Start(find_base(str(tiny_base)))
    straight = train(start, settings, precision, tmp_path / "straight")
    with pytest.raises(Stopped):
        train(start, settings, precision, tmp_path / "stopped", stop_at=2)
    resumed = train(start, settings, precision, tmp_path / "stopped")
    assert weights(resumed) == weights(straight)

    save(resumed, tmp_path / "voice")
    voice = load_voice(tmp_path / "voice", resumed.precision)
    difference = answer(voice.model, PROBE).float() - answer(resumed.model, PROBE).float()
    exact = settings.method.adapter is None or settings.method.adapter.init == "default"
    assert float(difference.abs().max()) <= (0 if exact else 0.1)
    loader = AutoModelForCausalLM if settings.method.full else AutoPeftModelForCausalLM
    by_hand = loader.from_pretrained(str(tmp_path / "voice"), dtype=torch.float32)
    plain = load_voice(tmp_path / "voice", "fp32")
    assert torch.equal(answer(by_hand, PROBE), answer(plain.model, PROBE))


def test_a_curriculum_of_all_kinds_hands_on_what_it_learned(tiny_base: Path, tmp_path: Path) -> None:
    """full → qlora on it → the same adapter on → stacked → merged under a new one: each from the voice before."""
    methods: list[tuple[str, dict[str, object]]] = [
        ("bf16", {"method": "full", "optimizer": "adamw_8bit"}),
        ("int8", {"method": {"qlora": ADAPTER}}),
        ("int8", {"method": "inherit"}),
        ("bf16", {"method": {"lora": ADAPTER | {"targets": ["q_proj", "v_proj"]}}, "onto": "stack"}),
        ("bf16", {"method": {"lora": ADAPTER}, "onto": "merge"}),
        ("fp32", {"method": "full"}),
    ]
    start = Start(find_base(str(tiny_base)))
    for number, (precision, given) in enumerate(methods):
        folder = tmp_path / str(number)
        learner = train(start, toy_settings(precision="auto", steps=2, **given), precision, folder)
        save(learner, folder / "voice")
        said = answer(load_voice(folder / "voice", "fp32").model, PROBE)
        moved = folder / "moved"
        (folder / "voice").rename(moved)
        assert torch.equal(answer(load_voice(moved, "fp32").model, PROBE), said), "a voice may lie anywhere"
        own = replace(start.base, name=str(moved), path=moved, kind="run")
        is_adapter = (moved / "adapter_config.json").exists()
        start = Start(replace(own, path=moved / "base"), moved) if is_adapter else Start(own)
        assert is_adapter == (number not in (0, 5))
