from __future__ import annotations

import pytest
from pydantic import ValidationError

from quire.recipe.keys import Key, walk
from quire.recipe.method import Method
from quire.recipe.schema import Recipe, ShelfItem, TrainSettings


def test_sections_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        TrainSettings().epochs = 4  # type: ignore[misc]


@pytest.mark.parametrize("key", [key for key in walk() if key.reserved], ids=lambda key: key.dotted)
def test_every_reserved_key_is_refused_with_not_yet(key: Key) -> None:
    with pytest.raises(ValidationError, match="not yet"):
        key.section.model_validate({key.name: "anything"})


def test_every_key_has_a_help_text() -> None:
    assert all(key.help.endswith(".") for key in walk())


@pytest.mark.parametrize(
    ("given", "kind"),
    [("lora", "lora"), ("full", "full"), ({"lora": {"rank": 4}}, "lora"), ({"lora": None}, "lora"), ({}, "lora")],
)
def test_method_has_short_forms(given: object, kind: str) -> None:
    assert Method.model_validate(given).kind == kind


def test_source_has_a_short_form() -> None:
    assert ShelfItem.model_validate("sample:poems").sample == "poems"
    assert ShelfItem.model_validate("novel.epub").path == "novel.epub"


def test_from_is_the_name_of_the_key_for_an_earlier_voice() -> None:
    assert Recipe.model_validate({"from": "runs/first"}).earlier == "runs/first"
