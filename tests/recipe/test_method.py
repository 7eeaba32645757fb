from __future__ import annotations

import pytest
from pydantic import ValidationError

from quire.recipe.method import Lora, Method


@pytest.mark.parametrize("kind", ["lora", "qlora"])
def test_an_adapter_is_found_whatever_its_base_is_in(kind: str) -> None:
    method = Method.model_validate({kind: {"rank": 4, "lr_ratio": 16}})
    assert (method.kind, method.adapter) == (kind, Lora(rank=4, lr_ratio=16))
    assert Method.model_validate(method.model_dump()) == method


@pytest.mark.parametrize("kind", ["full", "inherit"])
def test_methods_without_an_adapter_of_their_own_are_one_word(kind: str) -> None:
    method = Method.model_validate(kind)
    assert (method.kind, method.adapter, method.model_dump()) == (kind, None, kind)


@pytest.mark.parametrize("data", [{"lora": {}, "qlora": {}}, {"full": True, "inherit": True}, {"full": False}, "peft"])
def test_exactly_one_method(data: object) -> None:
    if data == {"full": False}:
        assert Method.model_validate(data).kind == "lora", "what is not asked for leaves the default"
    else:
        with pytest.raises(ValidationError):
            Method.model_validate(data)


def test_pissa_has_no_dropout_unless_it_is_asked_for() -> None:
    assert Lora.model_validate({"init": "pissa"}).dropout == 0
    assert Lora.model_validate({"init": "pissa", "dropout": 0.1}).dropout == 0.1
    assert Lora.model_validate({}).dropout == 0.05
