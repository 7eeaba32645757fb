"""The arithmetic of what trainings cost, against sums made by hand."""

from __future__ import annotations

from typing import Any

import pytest
from benchmarks.costs import (
    EMBEDDED_TOKENS_PER_WORD,
    FEW_ROWS,
    LARGE,
    NOVEL,
    SMALL,
    Stage,
    bytes_of,
    curriculum,
    curriculum_text,
    duration,
    energy,
    frozen_operations,
    full_operations,
    gpu_memory,
    novel_text,
    settings_of_recipe,
    show_rate,
)

from quire.recipe.method import Lora
from quire.verbs.benching.shapes import SHAPES

SHAPE = SHAPES["1B"].base
WEIGHTS = 968_884_224 + 65_536_000  # 22 layers of 44,040,192; the head of 32,000 × 2,048


def entry(shape: str, precision: str, window: int, rate: float) -> dict[str, Any]:
    key = f"training/{shape}/{precision}/{window}"
    found = {"tokens_per_second": rate}
    return {"of": key, "key": key, "shape": shape, "precision": precision, "window": window, "found": found}


def test_operations_of_a_token_where_an_adapter_learns() -> None:
    """Rank 128 on all matrices: 35,840 inputs and outputs a layer, 128 × 22 of them: 100,925,440 weights."""
    attention = 12 * 2048 * 22 * 2049 / 2
    expected = 4 * WEIGHTS + 6 * 100_925_440 + attention
    assert frozen_operations(SHAPE, 2048, Lora(rank=128)) == pytest.approx(expected)


def test_operations_of_a_token_where_all_weights_learn() -> None:
    assert full_operations(SHAPE, 512) == pytest.approx(6 * WEIGHTS + 12 * 2048 * 22 * 513 / 2)


def test_a_step_on_one_eight_and_sixty_four_gpus() -> None:
    """4.4 GB of gradients: 2 · 7/8 · 4.4 / 450 = 17.1 ms in a machine, 2 · 7/8 · 0.55 / 50 = 19.25 between eight;
    28 bytes of 1.1 G weights at 4.8 TB/s are 6.4 ms."""
    stage = Stage("all", 1000, 512, 6e9, 1_100_000_000)
    one, eight, many = (stage.step(gpus, 64, LARGE, 0.5) for gpus in (1, 8, 64))
    assert one[0] == pytest.approx(64 * 512 * 6e9 / 494.5e12)
    assert one[1] == 0.0
    assert one[2] == pytest.approx(6.4167e-3, rel=1e-3)
    assert eight[0] == pytest.approx(one[0] / 8)
    assert eight[1] == pytest.approx(17.11e-3, rel=1e-3)
    assert many[1] == pytest.approx(17.11e-3 + 19.25e-3, rel=1e-3)
    assert stage.seconds(1, 64, LARGE, 0.5) == pytest.approx(16 * sum(one))  # 1,000 rows are 15.6 steps


def test_the_stages_are_those_of_the_recipe() -> None:
    wide, long, book = curriculum()
    assert (wide.name, long.name, book.name) == ("acculturate", "narrative-arc", "imprint")
    assert (wide.rows, wide.window, wide.learned) == (1_000_000, 512, 1_100_048_384)
    assert (long.rows, long.window, long.learned) == (250_000, 2048, 100_925_440)
    assert book.rows == 264  # 135,000 tokens, a window every 512
    assert book.spread(64, 512) == (32, 32)
    assert wide.spread(64, 512) == (64, 512)


def test_the_recipe_sets_the_optimiser_and_the_rows_of_a_step() -> None:
    """In 8 bits: weight, its rest and gradient 2 bytes each, two moments 1 + 4/256 each; 28 where AdamW keeps fp32."""
    wide, long, _ = curriculum()
    assert (wide.gradient, wide.moved) == (2, pytest.approx(2 * (2 + 2 + 2 + 8 / 256) + 2))
    assert (long.gradient, long.moved) == (4, 28)
    stages = settings_of_recipe()
    assert [stage.optimizer for stage in stages] == ["adamw_8bit", "adamw", "adamw"]
    assert {stage.effective_batch for stage in stages} == {FEW_ROWS}
    assert stages[2].method == stages[1].method


def test_few_weights_have_their_gradients_summed_in_float64() -> None:
    settings = settings_of_recipe()[1]
    assert bytes_of(settings, SHAPE, 1000) == (8, 28)


def test_both_optimisers_are_told() -> None:
    text = curriculum_text([])
    assert "| adamw_8bit | 2 + 2 + 4.03 | 8.8 GB |" in text
    assert "| adamw | 4 + 4 + 8 | 17.6 GB |" in text
    assert "14.1 × 1.10 G / 4.8 T = 3.2 ms |" in text
    assert "28.0 × 1.10 G / 4.8 T = 6.4 ms |" in text


def test_the_embedded_base_is_told_where_it_was_measured() -> None:
    """143,500 tokens, three times, at 6,150 a second: 70 s."""
    measured = [entry("1B", "bf16", 1024, 60.0), {"of": "base", "name": "training", "value": 6150.0}]
    assert "| embedded, 7M | as by default | 430,500 / 6,150 | 70 s |" in novel_text(measured)
    assert "100,000 words × 1.435 tokens × 3 epochs = 430,500" in novel_text(measured)
    assert "embedded" not in novel_text(measured[:1])


def test_the_tokens_of_a_word_are_as_counted() -> None:
    import quire
    from quire.planner.bases import find_base
    from quire.tokens.tokenizer import load_tokenizer

    novella = quire.read("sample:novella").books[0]
    tokens = load_tokenizer(find_base("embedded", weights=False).path).encode(novella.text)
    assert len(tokens) / novella.words == pytest.approx(EMBEDDED_TOKENS_PER_WORD, rel=1e-3)


def test_a_novel_is_reckoned_with_the_fastest_measured_precision() -> None:
    measured = [entry("1B", "bf16", 1024, 60.0), entry("1B", "int8", 1024, 90.0), entry("1B", "bf16", 512, 99.0)]
    text = novel_text(measured)
    assert NOVEL == 135_000
    assert "| 1B | int8, 1,024 | 405,000 / 90.0 | 75.0 min | 0.056 kWh |" in text
    assert "| 360M |" not in text  # nothing of it was measured


def test_a_card_has_room_for_what_is_said_of_it() -> None:
    window, size, _ = gpu_memory(SHAPES["8B"].base, "nf4", Lora(), SMALL)
    assert window <= 2048
    assert size <= 12e9
    with pytest.raises(ValueError, match="no row fits on RTX 3060"):
        gpu_memory(SHAPES["8B"].base, "bf16", Lora(), SMALL)


def test_the_processor_is_told_only_where_it_was_measured() -> None:
    """512 M tokens / 60 a second × 1.48: 6.35 G operations against 4.28."""
    assert "On the processor" not in curriculum_text([])
    assert "× 1.48 (the operations where all weights learn) = 146" in curriculum_text([entry("1B", "bf16", 512, 60.0)])


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(3.9, "3.9 s"), (47.0, "47 s"), (600.0, "10.0 min"), (9000.0, "2.5 h"), (864_000.0, "10.0 days")],
)
def test_durations_are_said_in_the_unit_that_fits(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_small_units() -> None:
    assert energy(3.6e6) == "1 kWh"
    assert (show_rate(61.23), show_rate(1234.5)) == ("61.2", "1,234")
