from __future__ import annotations

import pytest

from quire.recipe.bases import EMBEDDED, FRESH, KNOWN, advice_for, bases_for
from quire.recipe.load import load_recipe


@pytest.mark.parametrize("name", [EMBEDDED, *(known.name for known in KNOWN)])
def test_advice_is_a_valid_recipe_and_gives_reasons(name: str) -> None:
    advice = advice_for(name)
    assert all(advised.reason for advised in advice.values())
    loaded = load_recipe({"shelf": ["/a"]}, advice=advice)
    assert {key for key, origin in loaded.provenance.items() if origin.startswith("advice")} == set(advice)


def test_unknown_base_gets_no_advice() -> None:
    assert advice_for("someone/else") == {}


def test_training_all_weights_of_a_pretrained_base_takes_smaller_steps() -> None:
    for name in (EMBEDDED, "someone/else", *(known.name for known in KNOWN)):
        advice = advice_for(name, "full")
        rate = load_recipe({"shelf": ["/a"], "train": {"method": "full"}}, advice=advice).recipe.train.learning_rate
        assert rate == (3e-4 if name == EMBEDDED else 5e-5)
        assert advice["train.learning_rate"].reason
    assert advice_for(FRESH, "full") == {}


def test_no_gated_base_is_chosen_by_itself() -> None:
    every = bases_for(None, gpu=True, memory_bytes=2**40)
    assert every
    assert not any(known.gated for known in every)


def test_processor_and_little_memory_get_smaller_bases() -> None:
    def largest(gib: float, gpu: bool = False) -> float:
        return max(known.parameters for known in bases_for("en", gpu, round(gib * 2**30)))

    assert 3e9 <= largest(24, gpu=True) <= 4.5e9
    assert 1e9 <= largest(15.5) == largest(7.7) <= 1.6e9
    assert 0.13e9 <= largest(3.8) <= 0.4e9
    assert all("fr" in known.languages for known in bases_for("fr", gpu=False, memory_bytes=2**35))
    assert bases_for("tlh", gpu=True, memory_bytes=2**40) == []


def test_the_largest_comes_first() -> None:
    sizes = [known.parameters for known in bases_for("en", gpu=True, memory_bytes=2**35)]
    assert sizes == sorted(sizes, reverse=True)
