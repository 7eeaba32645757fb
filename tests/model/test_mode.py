from __future__ import annotations

import pytest
import torch
from torch import nn

from quire.model.mode import evaluating


def test_dropout_is_off_inside_and_exactly_what_trained_trains_again() -> None:
    model = nn.Sequential(nn.Dropout(0.5), nn.Sequential(nn.Dropout(0.5), nn.Linear(2, 2)))
    model.train()
    model[1][0].eval()
    before = [module.training for module in model.modules()]
    with evaluating(model):
        assert not any(module.training for module in model.modules())
        assert torch.equal(model[0](torch.ones(50)), torch.ones(50))
    assert [module.training for module in model.modules()] == before == [True, True, True, False, True]


def test_the_mode_comes_back_after_an_error_and_from_within() -> None:
    model = nn.Dropout(0.5).train()
    with pytest.raises(KeyError), evaluating(model), evaluating(model):
        raise KeyError
    assert model.training
