from __future__ import annotations

from dataclasses import replace

import yaml

from quire.delivery.card import MOST_SOURCES, CardFacts, Source, model_card
from quire.recipe.schema import Recipe
from quire.training.watching.energy import Energy

FACTS = CardFacts(
    name="the-castle",
    base="embedded",
    language="fr",
    sources=[Source("Le Château", "Franz Kafka", 110_000)],
    tokens_trained=1_234_567,
    steps=42,
    trainable=851_968,
    parameters=1_235_814_400,
)


def card(recipe: Recipe | None = None, facts: CardFacts = FACTS) -> str:
    return model_card(recipe or Recipe.model_validate({"shelf": ["sample:tale"]}), facts)


def test_the_front_matter_is_yaml_that_names_base_language_and_library() -> None:
    front = yaml.safe_load(card().split("---")[1])
    assert front["base_model"] == "embedded"
    assert front["language"] == ["fr"]
    assert front["library_name"] == "peft"


def test_a_voice_of_whole_weights_is_one_for_transformers() -> None:
    whole = Recipe.model_validate({"shelf": ["sample:tale"], "train": {"method": "full"}})
    text = card(whole, replace(FACTS, adapter=False))
    assert yaml.safe_load(text.split("---")[1])["library_name"] == "transformers"
    assert "| method | all weights |" in text


def test_of_a_curriculum_it_tells_every_stage_and_what_became_of_the_base() -> None:
    stages = [{"name": "wide", "method": "full", "window": 512}, {"name": "narrow", "method": "qlora"}]
    given = {"shelf": ["sample:tale"], "stages": [*stages, {"name": "book", "method": "inherit"}]}
    text = card(Recipe.model_validate(given), replace(FACTS, base_changed=True))
    assert "| | wide | narrow | book |" in text
    assert "| method | all weights | QLoRA, rank 16, alpha 32, dropout 0.05 | going on |" in text
    assert "| seed |  |  | 7 |" in text
    assert "lie beside the adapter in `base/`" in text


def test_it_says_what_was_read_and_how_it_was_trained() -> None:
    text = card()
    for told in ("Le Château, by Franz Kafka (110,000 words)", "851,968 of 1,235,814,400", "1,234,567", "rank 16"):
        assert told in text


def test_rights_are_told_or_their_absence_is() -> None:
    stated = Recipe.model_validate({"shelf": [{"sample": "tale", "rights": "my own book"}]})
    assert "Rights in the text: my own book." in card(stated)
    assert "not stated" in card()


def test_a_large_shelf_is_cut_short_with_the_rest_counted() -> None:
    many = [Source(f"Poem {n}", "", 100) for n in range(MOST_SOURCES + 7)]
    text = card(facts=CardFacts(**{**vars(FACTS), "sources": many}))
    assert "- Poem 19 (100 words)" in text
    assert "- Poem 20 " not in text
    assert "and 7 more" in text


def test_energy_is_told_where_it_was_measured_and_left_out_elsewhere() -> None:
    assert "energy" not in card()
    measured = Energy(7380.0, cpu_kilowatt_hours=0.061, gpu_kilowatt_hours=0.302)
    text = card(facts=replace(FACTS, energy=measured))
    assert "| energy | 0.363 kWh in 2 h 03 min (processor packages, by RAPL and GPUs, by their driver) |" in text
    assert "CO₂" not in text
    french = replace(measured, co2_kilograms=0.0182, country="FRA")
    assert "| CO₂ | 18.2 g, estimated by the electricity of a usual year in FRA |" in card(
        facts=replace(FACTS, energy=french)
    )
