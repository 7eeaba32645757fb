from __future__ import annotations

import json
from dataclasses import replace

import pytest

from quire.planner.facts import MachineFacts, TextFacts
from quire.planner.foreseen import Foreseen, beside, foreseen_of, from_json, kept
from quire.planner.pace import Pace
from quire.planner.plan import make_plan
from quire.planner.shape import shape_of
from quire.recipe.bases import EMBEDDED_CONFIG
from quire.recipe.schema import TrainSettings

GIB = 2**30
ONE = Foreseen("imprint", 2 * GIB, 600.0, 40)


def test_a_plan_is_carried_in_an_event_and_read_back() -> None:
    text = TextFacts(3_000, 5_120, 512, 0, rows_per_epoch=(20,), tokens_per_epoch=(5_120,))
    pace = Pace(batch=2.0, tokens=2_048, row=0.5, step=0.1, token=0.01, save=0.3, load=1.0, threads=2, took=3.0)
    settings = TrainSettings.model_validate({"window": 256})
    plan = make_plan(settings, shape_of(EMBEDDED_CONFIG), text, MachineFacts(2, GIB, GIB, GIB), "fp32", pace)
    foreseen = foreseen_of("imprint", plan)
    assert (foreseen.memory_bytes, foreseen.seconds, foreseen.steps) == (plan.memory.total, plan.seconds, plan.steps)
    assert from_json(json.loads(json.dumps(foreseen.to_json()))) == foreseen
    assert from_json(replace(foreseen, seconds=None).to_json()).seconds is None


def test_a_gpus_context_is_not_counted_where_torch_does_not_count_it() -> None:
    text = TextFacts(3_000, 5_120, 512, 0, rows_per_epoch=(20,), tokens_per_epoch=(5_120,))
    machine = MachineFacts(2, GIB, GIB, GIB, native=("bf16",), gpu="one", gpu_memory_bytes=8 * GIB)
    plan = make_plan(TrainSettings(), shape_of(EMBEDDED_CONFIG), text, machine, "bf16")
    assert foreseen_of("train", plan, "cuda").memory_bytes == plan.memory.total - plan.memory.runtime


def test_what_the_process_holds_already_takes_the_place_of_what_was_guessed() -> None:
    text = TextFacts(3_000, 5_120, 512, 0, rows_per_epoch=(20,), tokens_per_epoch=(5_120,))
    plan = make_plan(TrainSettings(), shape_of(EMBEDDED_CONFIG), text, MachineFacts(2, GIB, GIB, GIB), "fp32")
    more = plan.memory.runtime + 2**27
    assert foreseen_of("train", plan, held=more).memory_bytes == plan.memory.total + 2**27
    assert foreseen_of("train", plan, held=2**20).memory_bytes == plan.memory.total, "libraries are still to come"


def test_foreseen_and_measured_stand_beside_each_other() -> None:
    assert beside(ONE, round(1.9 * GIB), 660) == "foreseen 2.0 GiB and 10 min 00 s, measured 1.9 GiB and 11 min 00 s"
    assert beside(replace(ONE, seconds=None), GIB, None) == "foreseen 2.0 GiB, measured 1.0 GiB"
    assert beside(ONE, None, None) == "foreseen 2.0 GiB and 10 min 00 s"


@pytest.mark.parametrize(
    ("memory", "seconds", "answer"),
    [
        (2 * GIB, 600, True),
        (round(1.75 * GIB), 470, True),
        (round(1.7 * GIB), 600, False),
        (2 * GIB, 450, False),
        (None, 460, False),
        (None, None, None),
    ],
)
def test_a_promise_is_kept_within_its_bounds(memory: int | None, seconds: float | None, answer: bool | None) -> None:
    assert kept(ONE, memory, seconds) is answer
