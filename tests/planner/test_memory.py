from __future__ import annotations

import pytest

from quire.planner.memory import memory_of
from quire.planner.schedule import choose_batch
from quire.planner.shape import shape_of
from quire.recipe.schema import TrainSettings

SHAPE = shape_of(
    {
        "model_type": "llama",
        "hidden_size": 256,
        "num_hidden_layers": 6,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 704,
        "vocab_size": 8192,
        "tie_word_embeddings": True,
    }
)


def total(precision: str = "bf16", **train: object) -> int:
    settings = TrainSettings.model_validate(train)
    lora = settings.method.lora
    trainable = SHAPE.lora_parameters(lora) if lora else SHAPE.parameters
    return memory_of(settings, SHAPE, choose_batch(settings), precision, trainable).total


def test_full_training_keeps_sixteen_bytes_a_weight() -> None:
    settings = TrainSettings.model_validate({"method": "full"})
    memory = memory_of(settings, SHAPE, choose_batch(settings), "bf16", SHAPE.parameters)
    assert memory.weights + memory.gradients + memory.optimiser == 16 * SHAPE.parameters
    assert memory.adapter == 0


def test_what_saves_memory_is_seen_to_save_it() -> None:
    assert total("bf16") < total("fp32")
    assert total(window=512) < total(window=1024)
    assert total(batch=1, window=512) < total(batch=2, window=512)
    assert total(checkpointing=True) < total(checkpointing=False)
    assert total(method={"lora": {"targets": ["q_proj"]}}) < total()


@pytest.mark.slow
def test_plan_is_within_fifteen_percent_of_what_is_measured() -> None:
    from benchmarks.memory import CASES, measure

    for case in CASES[:3]:
        foretold, measured = measure(case)
        assert foretold == pytest.approx(measured, rel=0.15), case
