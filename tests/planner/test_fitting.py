"""What is nearest to a training that does not fit; which base `auto` comes to is tested with planner.bases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quire.planner.facts import MachineFacts, TextFacts
from quire.planner.fitting import ladder, suiting_bases, usual_precision
from quire.planner.memory import memory_of
from quire.planner.plan import make_plan
from quire.planner.schedule import choose_batch
from quire.planner.shape import shape_of
from quire.recipe.bases import EMBEDDED_CONFIG, KNOWN
from quire.recipe.load import load_recipe
from quire.recipe.schema import TrainSettings

GIB = 2**30
SHAPES = {known.name: shape_of(known.config) for known in KNOWN}
LLAMA_3B = SHAPES["meta-llama/Llama-3.2-3B"]


def machine(gib: float, gpu: bool = False) -> MachineFacts:
    room = round(gib * GIB)
    facts = MachineFacts(4, room, room, 2**40, native=("fp32", "bf16"))
    return replace(facts, gpu="one", gpu_memory_bytes=room, gpus=1) if gpu else facts


def settings(**train: object) -> TrainSettings:
    return TrainSettings.model_validate(train)


def test_every_known_base_has_the_parameters_that_its_makers_name() -> None:
    for known in KNOWN:
        assert abs(SHAPES[known.name].parameters / known.parameters - 1) < 0.01, known.name


def test_three_thousand_million_become_few_bits_and_then_a_smaller_base() -> None:
    rungs = ladder(settings(), LLAMA_3B, "bf16", machine(8, gpu=True))
    assert [rung.what for rung in rungs] == ["qlora: the base in nf4"]
    assert rungs[-1].fits
    rungs = ladder(settings(), LLAMA_3B, "bf16", machine(6))
    assert [rung.fits for rung in rungs] == [False] * (len(rungs) - 1) + [True]
    assert rungs[0].what == "qlora: the base in int8"
    assert rungs[-1].changes["base"] == "Qwen/Qwen2.5-1.5B"
    assert all(rung.memory_bytes > 6 * GIB for rung in rungs[:-1])


def test_a_smaller_base_knows_the_books_language() -> None:
    assert ladder(settings(), LLAMA_3B, "bf16", machine(3), "en")[-1].changes["base"] == "TinyLlama/TinyLlama_v1.1"
    assert ladder(settings(), LLAMA_3B, "bf16", machine(3), "fr")[-1].changes["base"] == "Qwen/Qwen2.5-0.5B"


def test_what_does_not_help_is_not_offered() -> None:
    needed = [rung.memory_bytes for rung in ladder(settings(), LLAMA_3B, "bf16", machine(3))]
    assert needed == sorted(needed, reverse=True)
    assert len(set(needed)) == len(needed)


def test_what_leaves_the_training_as_it_is_comes_first() -> None:
    whole = settings(method="full", window=256, checkpointing=False)
    what = [rung.what for rung in ladder(whole, SHAPES["TinyLlama/TinyLlama_v1.1"], "bf16", machine(6, gpu=True))]
    assert what[:4] == [
        "one row at a time",
        "activations computed twice",
        "an optimiser with 8-bit moments",
        "an adapter instead of all weights",
    ]


def test_the_adapter_keeps_its_rank_and_finds_its_layers_in_another_family() -> None:
    gpt2_names = settings(method={"lora": {"rank": 4, "targets": ["c_attn"]}})
    gpt2 = {"model_type": "gpt2", "n_embd": 1600, "n_layer": 48, "n_head": 25, "n_positions": 2048, "vocab_size": 50257}
    found = ladder(gpt2_names, shape_of(gpt2), "bf16", machine(1.5))
    assert found[0].changes == {"method": {"qlora": {"rank": 4, "targets": ["c_attn"]}}}
    assert found[-1].changes["base"] in ("HuggingFaceTB/SmolLM2-360M", "HuggingFaceTB/SmolLM2-135M")
    assert found[-1].changes["method"] == {"qlora": {"rank": 4}}, "all linear layers: no other base has c_attn"


def test_where_nothing_fits_every_rung_says_so() -> None:
    rungs = ladder(settings(), LLAMA_3B, "bf16", machine(0.1))
    assert rungs[-1].changes["base"] == "embedded"
    assert not any(rung.fits for rung in rungs)


def test_what_is_offered_really_fits() -> None:
    tight = machine(6)
    for suits in suiting_bases("en", tight, [settings(), settings(window=512)]):
        shape = shape_of(suits.known.config)
        stage = settings(checkpointing=True)
        lora = stage.method.adapter
        assert lora is not None
        precision = suits.precision or usual_precision(tight)
        needed = memory_of(stage, shape, choose_batch(stage), precision, shape.lora_parameters(lora))
        assert min(needed.total, suits.memory_bytes) <= 6 * GIB
        assert suits.memory_bytes <= 6 * GIB


def test_a_base_fits_in_the_format_that_the_recipe_says() -> None:
    tight = machine(7)
    for precision, method in (("fp32", "lora"), ("int8", "qlora"), ("auto", "qlora"), ("auto", "lora")):
        stage = settings(precision=precision, method=method)
        best = next(suiting_bases("en", tight, [stage]))
        form = precision if precision != "auto" else "int8" if method == "qlora" else best.precision or "bf16"
        lora = stage.method.adapter
        assert lora is not None
        shape = shape_of(best.known.config)
        twice = stage.model_copy(update={"checkpointing": True})
        least = memory_of(twice, shape, choose_batch(stage), form, shape.lora_parameters(lora)).needed
        assert least <= best.memory_bytes <= tight.room
        assert best.precision is None or precision == "auto"
    assert next(suiting_bases("en", tight, [settings(precision="fp32")])).known.parameters < 1e9


def test_a_gpu_without_bf16_trains_in_fp16() -> None:
    old = replace(machine(8, gpu=True), native=("fp32", "fp16"))
    assert usual_precision(old) == "fp16"
    assert usual_precision(machine(8, gpu=True)) == "bf16"
    assert usual_precision(replace(machine(8), native=("fp32",))) == "fp32"


def test_four_bits_are_offered_where_they_can_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    small = machine(8, gpu=True)
    monkeypatch.setattr("quire.planner.precision.find_spec", lambda _name: object())
    assert next(suiting_bases("en", small, [settings()])).precision == "nf4"
    monkeypatch.setattr("quire.planner.precision.find_spec", lambda _name: None)
    assert {suits.precision for suits in suiting_bases("en", small, [settings()])} == {None}


@pytest.mark.parametrize(
    "train",
    [
        {},
        {"precision": "bf16", "method": {"lora": {"rank": 4, "targets": ["q_proj"]}}},
        {"stride": 1024, "window": 2048, "overlap": "context", "method": {"lora": {"init": "pissa"}}},
        {"batch": 4, "accumulate": 4, "window": 256, "checkpointing": False},
        {"method": "full", "batch": 4, "effective_batch": 12},
        {"method": {"qlora": {"rank": 4}}, "precision": "int8", "window": 2048},
    ],
)
def test_what_a_rung_changes_is_the_training_whose_memory_it_shows(train: dict[str, object]) -> None:
    given, small = settings(**train), machine(0.1)
    start = "int8" if given.precision == "int8" else "bf16"
    rungs = ladder(given, LLAMA_3B, start, small)
    assert len(rungs) > 2
    for rung in rungs:
        overrides = {key if key == "base" else f"train.{key}": value for key, value in rung.changes.items()}
        changed = load_recipe({"shelf": ["a.txt"], "train": train}, overrides).recipe.train
        name = str(rung.changes.get("base", "meta-llama/Llama-3.2-3B"))
        shape = SHAPES.get(name) or shape_of(EMBEDDED_CONFIG)
        precision = "int8" if changed.method.qlora is not None else "bf16"
        plan = make_plan(changed, shape, TextFacts(10**5, 10**5, 0, 0, (100,), (10**5,)), small, precision)
        assert plan.memory.needed == rung.memory_bytes, rung
        assert plan.choice.rows_per_step == choose_batch(given).rows_per_step
