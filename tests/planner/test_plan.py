from __future__ import annotations

from dataclasses import replace

import pytest

from quire.errors import RecipeError
from quire.planner.facts import MachineFacts, TextFacts
from quire.planner.pace import Pace
from quire.planner.plan import Plan, make_plan
from quire.planner.shape import shape_of
from quire.recipe.schema import TrainSettings

LLAMA_1B = shape_of(
    {
        "model_type": "llama",
        "hidden_size": 2048,
        "num_hidden_layers": 16,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "intermediate_size": 8192,
        "vocab_size": 128256,
        "max_position_embeddings": 131072,
        "tie_word_embeddings": True,
    }
)
NOVEL = TextFacts(
    words=90_000,
    tokens_train=120_000,
    tokens_validation=6_000,
    tokens_test=12_000,
    rows_per_epoch=(118,),
    tokens_per_epoch=(120_000,),
)
LAPTOP = MachineFacts(
    cores=2,
    memory_bytes=24 * 2**30,
    memory_free_bytes=20 * 2**30,
    disk_free_bytes=100 * 2**30,
    rates=(("fp32", 170e9), ("bf16", 400e9)),
    native=("fp32", "bf16"),
)
R8 = {"lora": {"rank": 8, "alpha": 32, "targets": ["q_proj", "v_proj"]}}


def plan(
    text: TextFacts = NOVEL, machine: MachineFacts | None = LAPTOP, precision: str = "bf16", **train: object
) -> Plan:
    settings = TrainSettings.model_validate({"method": R8} | train)
    return make_plan(settings, LLAMA_1B, text, machine, precision)


def test_steps_tokens_and_parameters_of_a_novel() -> None:
    made = plan()
    assert made.steps == 45  # 3 × 118 rows, 8 a step
    assert made.parts[0].warmup == 1
    assert made.steps_per_epoch == 118 / 8
    assert made.tokens == 360_000
    assert made.trainable == 851_968
    assert made.parameters == 1_235_814_400 + 851_968
    assert made.share == pytest.approx(0.000689, rel=1e-2)


def test_activations_are_computed_twice_only_where_they_would_not_fit() -> None:
    assert not plan(method={"lora": {}}).checkpointing
    tight = replace(LAPTOP, memory_free_bytes=6 * 2**30)
    made = plan(method={"lora": {}}, machine=tight)
    assert made.checkpointing
    assert made.memory == plan(method={"lora": {}}, checkpointing=True).memory
    assert made.memory.total < 6 * 2**30 < plan(method={"lora": {}}, checkpointing=False).memory.total
    assert not plan(method={"lora": {}}, machine=tight, checkpointing=False).checkpointing


def test_full_training_trains_all_weights() -> None:
    made = plan(method="full", checkpointing=False)
    assert made.trainable == made.parameters == 1_235_814_400
    assert made.memory.total > plan().memory.total + 12 * made.trainable


def test_time_follows_from_flop_and_the_measured_rate() -> None:
    made = plan()
    assert made.speed is not None
    # 4 FLOP per weight and token, and attention: the field measured 58 to 63 tokens/s on such a machine.
    assert made.speed.flop_per_token == pytest.approx(4 * 1.236e9, rel=0.1)
    assert 45 < made.speed.tokens_per_second < 65
    assert made.seconds == pytest.approx(360_000 / made.speed.tokens_per_second)
    assert "measured here" in made.speed.basis


def test_devices_share_the_steps_and_processes_on_one_processor_share_its_memory() -> None:
    gpus = replace(LAPTOP, gpu="one", gpu_memory_bytes=24 * 2**30, gpus=4)
    pace = Pace(batch=2.0, tokens=1024, row=0.5, step=0.1, token=0.0, save=0.0, load=0.0, threads=1, took=1.0)
    settings = TrainSettings.model_validate({"method": R8})
    one, four = (make_plan(settings, LLAMA_1B, NOVEL, gpus, "bf16", pace, processes) for processes in (1, 4))
    assert one.times is not None
    assert four.times is not None
    assert four.times.steps == pytest.approx(one.times.steps / 4)
    assert four.times.validation == one.times.validation
    crowd = make_plan(settings, LLAMA_1B, NOVEL, LAPTOP, "bf16", pace, 4)
    assert crowd.seconds == one.seconds
    assert crowd.checkpointing
    assert not make_plan(settings, LLAMA_1B, NOVEL, LAPTOP, "bf16", pace).checkpointing


def test_without_rates_no_time_is_invented() -> None:
    assert plan(machine=None).seconds is None
    assert plan(machine=MachineFacts(2, 2**34, 2**34, 2**40)).seconds is None


def test_rate_that_was_not_measured_is_named_as_such() -> None:
    made = plan(machine=MachineFacts(2, 2**35, 2**35, 2**40, rates=(("fp32", 1e11),)))
    assert made.speed is not None
    assert made.speed.rate == 2e11
    assert "twice the fp32 rate" in made.speed.basis


def test_parts_are_planned_one_by_one_and_the_warm_up_fits_each() -> None:
    text = TextFacts(90_000, 120_000, 6_000, 6_000, rows_per_epoch=(40, 400), tokens_per_epoch=(10_000, 110_000))
    made = plan(text, parts=2, warmup=100, schedule="linear")
    assert [part.steps for part in made.parts] == [15, 150]
    assert [part.warmup for part in made.parts] == [15, 100]
    assert any("warm-up of 100 steps" in warned.text for warned in made.warnings)


def test_given_steps_and_samples_count_for_each_part() -> None:
    assert plan(steps=7).steps == 7
    assert plan(steps=7).tokens == round(120_000 * 56 / 118)
    assert plan(samples=16).steps == 2


def test_window_longer_than_the_base_can_hold_is_refused() -> None:
    with pytest.raises(RecipeError, match="holds at most 131072") as caught:
        plan(window=200_000)
    assert caught.value.then == "use --set train.window=131072"


def test_a_base_that_is_made_first_takes_memory_and_disk() -> None:
    settings = TrainSettings.model_validate({"method": R8, "checkpointing": True})
    small, large = (LAPTOP, replace(LAPTOP, gpu="one", gpu_memory_bytes=2**34, gpus=1))
    for machine in (small, large):
        plain, melting = (make_plan(settings, LLAMA_1B, NOVEL, machine, "bf16", melts=melts) for melts in (False, True))
        whole = 4 * LLAMA_1B.parameters
        assert (plain.melted_bytes, melting.melted_bytes) == (0, whole)
        assert melting.disk_bytes == plain.disk_bytes + whole
        assert melting.memory.step == plain.memory.step
        if machine is large:
            assert melting.memory == plain.memory, "it is done in the processor's memory"
        else:
            assert melting.memory.needed == melting.memory.runtime + whole > plain.memory.needed


def test_disk_holds_kept_checkpoints_the_best_one_and_the_voice() -> None:
    made = plan(keep=2)
    assert made.disk_bytes == 851_968 * 4 * 13 + 16 * 2**20
