from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional
from transformers import PreTrainedModel

from quire.tokens.rows import IGNORED
from quire.training.compute import batches_of, summed_loss
from toy import APART, FP32, toy_rows


def gradients(model: PreTrainedModel) -> dict[str, torch.Tensor]:
    found = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return found


def test_the_loss_is_the_summed_cross_entropy_of_the_targets(tiny_model: PreTrainedModel) -> None:
    rows = toy_rows(stride=16, overlap="context", pack=False)
    index = next(i for i in range(len(rows)) if rows.arrays(i).targets[0] == IGNORED)
    row = rows.arrays(index)
    (batch,) = batches_of(rows, [index], 1, "cpu")
    with torch.no_grad():
        probabilities = tiny_model(torch.tensor(row.inputs)[None]).logits[0].double().log_softmax(-1)
        loss = summed_loss(tiny_model, batch, FP32)
    expected = -sum(float(probabilities[at, t]) for at, t in enumerate(row.targets) if t != IGNORED)
    assert rows.targets_in(index) == sum(row.targets != IGNORED)
    assert float(loss) == pytest.approx(expected, rel=1e-6)


def test_neighbours_of_equal_length_are_stacked_and_packed_rows_stay_alone() -> None:
    plain = toy_rows((100, 70), pack=False)
    lengths = [rows_length for i in range(len(plain)) for rows_length in plain.arrays(i).segments]
    assert lengths == [32, 32, 32, 4, 32, 32, 6]
    sizes = [len(batch.inputs) for batch in batches_of(plain, range(7), 2, "cpu")]
    assert sizes == [2, 1, 1, 2, 1]
    packed = toy_rows((50, 90, 40))
    batches = batches_of(packed, range(len(packed)), 8, "cpu")
    assert all(len(batch.inputs) == 1 for batch in batches if len(batch.segments) > 1)
    assert sum(batch.inputs.numel() for batch in batches) == 50 + 90 + 40


@pytest.mark.parametrize("size", [2, 3, 8])
def test_one_large_batch_teaches_what_single_rows_teach(tiny_model: PreTrainedModel, size: int) -> None:
    rows = toy_rows((100, 70), pack=False)

    def teach(size: int) -> tuple[float, dict[str, torch.Tensor]]:
        losses = [summed_loss(tiny_model, batch, FP32) for batch in batches_of(rows, range(7), size, "cpu")]
        total = torch.stack(losses).sum()
        total.backward()
        return total.item(), gradients(tiny_model)

    loss_once, once = teach(size)
    loss_singly, singly = teach(1)
    assert loss_once == pytest.approx(loss_singly, rel=1e-6)
    for name, gradient in singly.items():
        torch.testing.assert_close(once[name], gradient, rtol=1e-3, atol=1e-5)


def test_a_packed_batch_is_the_same_either_way(tiny_model: PreTrainedModel) -> None:
    rows = toy_rows((10, 9, 8, 40))
    assert any(len(row) > 2 for row in rows.rows)
    for batch in batches_of(rows, range(len(rows)), 4, "cpu"):
        with torch.no_grad():
            together, apart = (summed_loss(tiny_model, batch, way) for way in (FP32, APART))
        torch.testing.assert_close(together, apart, rtol=1e-6, atol=0)


def test_mixed_precision_computes_in_half_and_sums_in_single(tiny_model: PreTrainedModel) -> None:
    (batch, *_) = batches_of(toy_rows(), [0], 1, "cpu")
    half = replace(FP32, autocast=torch.bfloat16)
    exact, rounded = summed_loss(tiny_model, batch, FP32), summed_loss(tiny_model, batch, half)
    assert rounded.dtype == torch.float32
    assert 0 < abs(float(rounded - exact)) < 0.01 * float(exact)
    rounded.backward()
    assert {p.grad.dtype for p in tiny_model.parameters() if p.grad is not None} == {torch.float32}


def test_the_order_of_rows_is_kept() -> None:
    rows = toy_rows((100, 70), pack=False)
    order = [4, 0, 6, 1]
    inputs = [line for batch in batches_of(rows, order, 2, "cpu") for line in batch.inputs]
    assert all(torch.equal(line, torch.tensor(rows.arrays(i).inputs)) for line, i in zip(inputs, order, strict=True))
    assert functional.cross_entropy(torch.zeros(1, 3), torch.tensor([IGNORED]), reduction="sum") == 0
