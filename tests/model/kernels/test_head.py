from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from kernelchecks import needs_native, threads_leave_no_trace
from quire.model.kernels import head, products
from quire.model.kernels.head import summed_cross_entropy, token_losses

WAYS = [
    pytest.param(("native", torch.bfloat16), marks=needs_native, id="native"),
    pytest.param(("plain", torch.bfloat16), id="plain"),
    pytest.param(("plain", torch.float32), id="float32"),
]
Way = tuple[str, torch.dtype]


def choose(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    if way[0] == "plain":
        monkeypatch.setattr(head, "native", lambda: None)


def made(rows: int, words: int, width: int, dtype: torch.dtype) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    drawn = torch.Generator().manual_seed(rows * words + width)
    hidden = (3 * torch.randn(rows, width, generator=drawn)).to(dtype).requires_grad_()
    weight = (torch.randn(words, width, generator=drawn) / width**0.5).to(dtype).requires_grad_()
    bias = torch.randn(words, generator=drawn).to(dtype).requires_grad_()
    return hidden, weight, bias, torch.randint(words, (rows,), generator=drawn)


def exactly(hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor) -> tuple[Tensor, list[Tensor]]:
    """The loss in float64, and its gradients to what it was made from."""
    leaves = [x.detach().double().requires_grad_() for x in (hidden, weight, bias) if x is not None]
    logits = functional.linear(*leaves)
    loss = functional.cross_entropy(logits, targets, reduction="sum")
    return loss.detach(), list(torch.autograd.grad(loss, leaves))


def close(found: Tensor | None, expected: Tensor, dtype: torch.dtype) -> None:
    """By the size of the whole: in bf16 logits and gradients are rounded to 8 bits."""
    assert found is not None
    assert found.dtype == dtype
    worst = 1e-5 if dtype == torch.float32 else 0.02
    assert float((found.double() - expected).norm()) <= worst * float(expected.norm()) + 1e-12


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("shape", [(1, 7, 5), (5, 64, 16), (33, 130, 24), (20, 1003, 48)], ids=str)
@pytest.mark.parametrize("biased", [False, True])
def test_loss_and_gradients_are_those_of_the_definition(
    shape: tuple[int, int, int], biased: bool, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(way, monkeypatch)
    hidden, weight, bias, targets = made(*shape, way[1])
    given = (hidden, weight, bias if biased else None)
    loss, gradients = exactly(*given, targets)
    found = summed_cross_entropy(*given, targets)
    assert found.dtype == torch.float32
    rounded = {"rtol": 0.01, "atol": 0.02} if way[1] == torch.bfloat16 else {"rtol": 1e-5, "atol": 1e-5}
    torch.testing.assert_close(found.detach().double(), loss, **rounded)
    found.backward()
    for x, expected in zip((hidden, weight, bias), gradients, strict=False):
        close(x.grad, expected, way[1])


@pytest.mark.parametrize("way", WAYS)
def test_blocks_of_rows_change_nothing_but_rounding(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(way, monkeypatch)
    hidden, weight, bias, targets = made(37, 90, 8, way[1])
    loss, gradients = exactly(hidden, weight, bias, targets)
    monkeypatch.setattr(head, "_FEWEST_ROWS", 1)
    monkeypatch.setattr(head, "_LOGITS_BYTES", 8 * 90 * weight.element_size())
    found = summed_cross_entropy(hidden, weight, bias, targets)
    torch.testing.assert_close(found.detach().double(), loss, rtol=0.01, atol=0)
    found.backward()
    for x, expected in zip((hidden, weight, bias), gradients, strict=True):
        close(x.grad, expected, way[1])


@pytest.mark.parametrize("biased", [False, True])
def test_logits_take_the_room_they_are_given(biased: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden, weight, bias, _ = (x.detach() for x in made(37, 90, 8, torch.float32))
    bias = bias if biased else None
    monkeypatch.setattr(head, "_FEWEST_ROWS", 1)
    places, rows = set(), []
    for part, logits in head._logits(hidden, weight, bias, room=8 * 90 * 4):
        rows += range(37)[part]
        places.add(logits.data_ptr())
        assert logits.nbytes <= 8 * 90 * 4
        torch.testing.assert_close(logits, functional.linear(hidden[part], weight, bias))
    assert rows == list(range(37))
    assert len(places) == 1


@pytest.mark.parametrize("way", WAYS)
def test_what_does_not_count_is_left_out(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(way, monkeypatch)
    hidden, weight, bias, targets = made(12, 50, 24, way[1])
    counted = torch.tensor([1, 4, 5, 9])
    some = torch.full_like(targets, -100)
    some[counted] = targets[counted]
    with torch.no_grad():
        hidden[0] = float("nan")
    loss, gradients = exactly(hidden[counted], weight, bias, targets[counted])
    found = summed_cross_entropy(hidden, weight, bias, some)
    torch.testing.assert_close(found.detach().double(), loss, rtol=0.01, atol=0)
    found.backward()
    assert hidden.grad is not None
    close(hidden.grad[counted], gradients[0], way[1])
    close(weight.grad, gradients[1], way[1])
    hidden.grad[counted] = 0
    assert not hidden.grad.any()


@pytest.mark.parametrize("way", WAYS)
def test_where_nothing_counts_the_loss_is_zero(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(way, monkeypatch)
    hidden, weight, bias, targets = made(3, 50, 24, way[1])
    found = summed_cross_entropy(hidden, weight, bias, torch.full_like(targets, 7), ignored=7)
    assert float(found.detach()) == 0
    found.backward()
    for x in (hidden, weight, bias):
        assert x.grad is not None
        assert x.grad.shape == x.shape
        assert not x.grad.any()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("learning", [(True, False, False), (False, True, False), (False, False, True), (False,) * 3])
def test_only_what_learns_has_a_gradient(
    learning: tuple[bool, bool, bool], way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(way, monkeypatch)
    *leaves, targets = made(9, 50, 24, way[1])
    _, gradients = exactly(*leaves, targets)
    for leaf, learns in zip(leaves, learning, strict=True):
        leaf.requires_grad_(learns)
    found = summed_cross_entropy(*leaves, targets)
    assert found.requires_grad == any(learning)
    if any(learning):
        found.backward()
    for leaf, learns, expected in zip(leaves, learning, gradients, strict=True):
        if learns:
            close(leaf.grad, expected, way[1])
        else:
            assert leaf.grad is None


@pytest.mark.parametrize("way", WAYS)
def test_what_comes_in_is_multiplied_on_as_often_as_it_comes(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(way, monkeypatch)
    hidden, weight, bias, targets = made(9, 50, 24, way[1])
    loss = summed_cross_entropy(hidden, weight, bias, targets)
    (once,) = torch.autograd.grad(loss, hidden, retain_graph=True)
    (half,) = torch.autograd.grad(loss / 2, hidden, retain_graph=True)
    (large,) = torch.autograd.grad(loss * 2.0**40, hidden)
    assert torch.equal(half, once / 2)
    assert torch.equal(large, once * 2.0**40)


@pytest.mark.parametrize("way", WAYS)
def test_losses_of_tokens_are_those_that_are_summed(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(way, monkeypatch)
    hidden, weight, bias, targets = made(21, 130, 24, way[1])
    losses = token_losses(hidden, weight, bias, targets)
    assert losses.dtype == torch.float32
    assert not losses.requires_grad
    expected = functional.cross_entropy(functional.linear(hidden, weight, bias).double(), targets, reduction="none")
    torch.testing.assert_close(losses.double(), expected.detach(), rtol=1e-5, atol=1e-5)
    with torch.no_grad():
        quiet = summed_cross_entropy(hidden, weight, bias, targets)
    assert not quiet.requires_grad
    torch.testing.assert_close(quiet, summed_cross_entropy(hidden, weight, bias, targets).detach(), rtol=1e-6, atol=0)
    torch.testing.assert_close(quiet, losses.sum())


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
@pytest.mark.parametrize("at", [0, 65, 130])
def test_what_is_not_finite_shows_in_its_row_alone(
    wrong: float, at: int, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(way, monkeypatch)
    logits = torch.randn(6, 131, generator=torch.Generator().manual_seed(1)).to(way[1])
    logits[2, at] = wrong
    losses = head._losses(logits, torch.tensor([0, 1, 2, 3, 4, 65]), with_gradient=True)
    assert torch.isfinite(losses).tolist() == [row != 2 for row in range(6)]
    assert torch.isfinite(logits).all(1).tolist() == [row != 2 for row in range(6)]


@pytest.mark.parametrize("way", WAYS)
def test_states_that_are_not_finite_show_in_loss_and_gradients(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(way, monkeypatch)
    hidden, weight, bias, targets = made(6, 50, 24, way[1])
    with torch.no_grad():
        hidden[2, 3] = float("nan")
    loss = summed_cross_entropy(hidden, weight, bias, targets)
    loss.backward()
    assert bool(loss.isnan())
    assert hidden.grad is not None
    assert hidden.grad.isnan().all(1).tolist() == [row == 2 for row in range(6)]


@pytest.mark.parametrize("way", WAYS)
def test_very_sure_and_very_wrong(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    """Words that cannot be (minus infinity) and words far below the first one."""
    choose(way, monkeypatch)
    bias = torch.tensor([0.0, -3e4, float("-inf"), -90.0] + [-200.0] * 30, dtype=way[1])
    hidden = torch.zeros(2, 4, dtype=way[1]).requires_grad_()
    weight = torch.zeros(34, 4, dtype=way[1]).requires_grad_()
    losses = token_losses(hidden, weight, bias, torch.tensor([0, 1]))
    assert float(losses[0]) == 0
    assert float(losses[1]) == float(-bias[1])
    summed_cross_entropy(hidden, weight, bias, torch.tensor([0, 1])).backward()
    assert weight.grad is not None
    assert torch.isfinite(weight.grad).all()


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("words", [5, 47, 64, 200])
def test_very_large_logits_overflow_nowhere(words: int, way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    choose(way, monkeypatch)
    drawn = torch.Generator().manual_seed(words)
    logits = (1e4 * (2 * torch.rand(11, words, generator=drawn) - 1)).to(way[1])
    targets = torch.randint(words, (11,), generator=drawn)
    shares = torch.softmax(logits.double(), 1)
    expected = functional.cross_entropy(logits.double(), targets, reduction="none")
    losses = head._losses(logits, targets, with_gradient=True)
    torch.testing.assert_close(losses.double(), expected, rtol=1e-6, atol=1e-5)
    shares[torch.arange(11), targets] -= 1
    torch.testing.assert_close(logits.double(), shares, rtol=2**-8, atol=1e-6)


@needs_native
def test_native_gradients_are_the_plain_ones_to_a_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    logits = (5 * torch.randn(7, 203, generator=torch.Generator().manual_seed(1))).bfloat16()
    targets = torch.arange(7) * 30
    first, second = logits.clone(), logits.clone()
    losses = head._losses(first, targets, with_gradient=True)
    torch.testing.assert_close(losses, head._losses_plain(second, targets, with_gradient=True), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(first, second, rtol=2**-7, atol=1e-30)
    shares = torch.softmax(logits.double(), 1)
    shares[torch.arange(7), targets] -= 1
    torch.testing.assert_close(first.double(), shares, rtol=2**-8, atol=0)


@needs_native
def test_the_number_of_threads_changes_nothing() -> None:
    hidden, weight, bias, targets = made(40, 300, 32, torch.bfloat16)

    def losses_and_gradients() -> tuple[Tensor, Tensor]:
        logits = functional.linear(hidden, weight, bias).detach()
        return head._losses(logits, targets, with_gradient=True), logits

    threads_leave_no_trace(losses_and_gradients)


@needs_native
@pytest.mark.parametrize("rows", [40, 64])
def test_nor_does_it_where_blocks_of_rows_are_summed(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    hidden, weight, bias, targets = made(rows, 300, 32, torch.bfloat16)
    targets[3] = -100
    monkeypatch.setattr(head, "_FEWEST_ROWS", 16)
    monkeypatch.setattr(head, "_LOGITS_BYTES", 1)
    monkeypatch.setattr(products, "has_tiles", lambda _numbers: False)

    def loss_and_gradients() -> tuple[Tensor, ...]:
        loss = summed_cross_entropy(hidden, weight, bias, targets)
        return (loss.detach(), *torch.autograd.grad(loss, (hidden, weight, bias)))

    threads_leave_no_trace(loss_and_gradients)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("words", [90, 2100])
def test_a_heads_gradient_lies_row_by_row_and_is_summed_without_rounding(
    words: int, way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In two hundred blocks: rounded to bf16 after each, the sum would be off by far more."""
    choose(way, monkeypatch)
    gathered = head._Gathered(torch.empty(words, 8, dtype=way[1]), rows=800)
    states, to_logits = torch.ones(4, 8, dtype=way[1]), torch.full((4, words), 1 / 128, dtype=way[1])
    for _ in range(200):
        gathered.add(to_logits, states)
    found = gathered.sum()
    assert found.is_contiguous()
    assert found.dtype == way[1]
    assert torch.equal(found, torch.full((words, 8), 6.25, dtype=way[1]))


def test_a_target_that_is_no_word_is_our_mistake() -> None:
    hidden, weight, bias, targets = made(4, 50, 24, torch.float32)
    with pytest.raises(AssertionError):
        summed_cross_entropy(hidden, weight, bias, targets + 50)
    with pytest.raises(AssertionError):
        token_losses(hidden, weight, bias, targets - 100)
