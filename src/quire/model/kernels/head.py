"""The loss at the end, without logits that nobody reads.

A few hundred rows of logits stand there at a time.  Where gradients are wanted, the logits are turned into theirs at
once, in place, and multiplied on to the states (and the head) while they are there: the way back only multiplies by
what comes in.  Rows whose target does not count are never computed.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from quire.model.kernels.blocks import release
from quire.model.kernels.gpu import losses_on_gpu
from quire.model.kernels.native import native
from quire.model.kernels.products import add_product, product, product_back

_LOGITS_BYTES = 16 * 1024**2  # that stand there at once; more was slower, for it comes fresh from the system each time
_TURNED = 1024  # words whose gradients are turned round together: they stay in the cache
_FEWEST_ROWS = 256  # whatever they take: with fewer the head is read too often for the work that it gives


def summed_cross_entropy(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    ignored: int = -100,
    scale: Tensor | None = None,
) -> Tensor:
    """Cross-entropy in nats of the logits hidden · weightᵀ + bias, summed over targets other than `ignored`: float32.

    hidden (rows, width), weight (words, width) and bias (words) in one format, targets (rows) whole numbers.  With
    `scale` (words) the weight is in 8 bits and learns nothing.  Gradients to hidden, weight and bias are rounded to
    their formats before they are multiplied by what comes in.
    """
    arguments = (hidden, weight, bias, targets, ignored, scale)
    total: Tensor = _Sum.apply(*arguments, torch.is_grad_enabled())  # type: ignore[no-untyped-call]
    return total


@torch.no_grad()
def token_losses(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, scale: Tensor | None = None
) -> Tensor:
    """Cross-entropy in nats of each row, as above: (rows), float32, without gradients."""
    _require_words(targets, weight)
    losses = torch.empty(len(targets), dtype=torch.float32, device=hidden.device)
    for part, logits in _logits(hidden, weight, bias, _LOGITS_BYTES, scale):
        losses[part] = _losses(logits, targets[part], with_gradient=False)
    return losses


class _Sum(torch.autograd.Function):
    """The gradients of the sum are formed on the way forward and kept: hidden's, and those of the head that learn."""

    @staticmethod
    def forward(
        ctx: torch.autograd.function.FunctionCtx,
        hidden: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        targets: Tensor,
        ignored: int,
        scale: Tensor | None,
        learning: bool,
    ) -> Tensor:
        wanted = [learning and x is not None and x.requires_grad for x in (hidden, weight, bias)]
        counted = targets != ignored
        rows = None if bool(counted.all()) else counted.nonzero()[:, 0]
        states, words = (hidden, targets) if rows is None else (hidden[rows], targets[rows])
        if not any(wanted):
            return token_losses(states, weight, bias, words, scale).sum(dtype=torch.float64).float()
        _require_words(words, weight)
        total = torch.zeros((), dtype=torch.float64, device=hidden.device)
        to_states = torch.empty_like(states) if wanted[0] else None
        to_weight = _Gathered(weight, len(states)) if wanted[1] else None
        to_bias = torch.zeros(len(weight), device=weight.device) if wanted[2] else None
        # A head that learns has a gradient of its own size: logits of that size are no more than is needed anyway.
        room = max(_LOGITS_BYTES, weight.nbytes) if wanted[1] else _LOGITS_BYTES
        for part, logits in _logits(states, weight, bias, room, scale):
            total += _losses(logits, words[part], with_gradient=True).sum(dtype=torch.float64)
            if to_states is not None:
                product_back(logits, weight, out=to_states[part], scale=scale)
            if to_weight is not None:
                to_weight.add(logits, states[part])
            if to_bias is not None:
                to_bias += logits.sum(0, dtype=torch.float32)
        if to_states is not None and rows is not None:
            to_states = torch.zeros_like(hidden).index_copy_(0, rows, to_states)
        kept = (to_states, None if to_weight is None else to_weight.sum(), to_bias)
        ctx.save_for_backward(*kept)  # type: ignore[arg-type]  # None may be kept too
        return total.float()

    @staticmethod
    @once_differentiable
    def backward(
        ctx: torch.autograd.function.FunctionCtx, *gradients: Tensor
    ) -> tuple[Tensor | None, Tensor | None, Tensor | None, None, None, None, None]:
        kept: tuple[Tensor | None, ...] = ctx.saved_tensors  # type: ignore[attr-defined]
        to_hidden, to_weight, to_bias = (None if found is None else found * gradients[0] for found in kept)
        return to_hidden, to_weight, to_bias, None, None, None, None


class _Gathered:
    """The head's gradient, summed over blocks of rows in float32: what one block holds alone needs no sum."""

    def __init__(self, weight: Tensor, rows: int) -> None:
        self.weight, self.rows = weight, rows
        self.whole: Tensor | None = None
        self.total: Tensor | None = None  # (width, words): so the large factor, the logits, is read as it lies

    def add(self, to_logits: Tensor, states: Tensor) -> None:
        """to_logits (rows, words) turned round, times states (rows, width)."""
        if len(states) == self.rows:
            self.whole = to_logits.t() @ states
            return
        if self.total is None:
            self.total = torch.zeros(self.weight.shape[::-1], device=states.device)
        add_product(self.total, states.t(), to_logits)

    def sum(self) -> Tensor:
        if self.total is None:
            return torch.zeros_like(self.weight) if self.whole is None else self.whole
        turned = torch.empty(self.weight.shape, dtype=self.weight.dtype, device=self.weight.device)
        for start in range(0, len(turned), _TURNED):
            part = slice(start, start + _TURNED)
            turned[part] = self.total[:, part].to(turned.dtype).t()
        return turned


def _logits(
    hidden: Tensor, weight: Tensor, bias: Tensor | None, room: int, scale: Tensor | None = None
) -> Iterator[tuple[slice, Tensor]]:
    """Blocks of rows and their logits in about `room` bytes, each in the place of the one before."""
    assert weight.dtype == (hidden.dtype if scale is None else torch.int8), "the head's product is of one format"
    rows, words = len(hidden), len(weight)
    fewest = _FEWEST_ROWS if scale is None else 2 * _FEWEST_ROWS  # each block unpacks what lies in 8 bits
    most = max(room // (words * hidden.element_size()), fewest)
    blocks = -(-rows // most)
    each = -(-rows // max(blocks, 1))
    release()  # what the layers let go of on the way here would lie idle beside the largest tensor of all
    space = hidden.new_empty(each, words)  # no block: it would lie idle while the layers' gradients need room
    for start in range(0, rows, max(each, 1)):
        part = slice(start, min(start + each, rows))
        logits = space[: part.stop - part.start]
        some = None if bias is None else bias.to(hidden.dtype)
        yield part, product(hidden[part], weight, some, out=logits, scale=scale)


def _losses(logits: Tensor, targets: Tensor, *, with_gradient: bool) -> Tensor:
    """Of each row, float32; the logits (rows, words) become the gradient of their sum, or are of no use any more."""
    if logits.is_cuda:
        return losses_on_gpu(logits, targets, with_gradient=with_gradient)
    library = native() if logits.device.type == "cpu" and logits.dtype == torch.bfloat16 else None
    if library is None:
        return _losses_plain(logits, targets, with_gradient=with_gradient)
    losses = torch.empty(len(logits), dtype=torch.float32)
    targets = targets.long().contiguous()
    library.demand("quire_cross_entropy", logits, targets, losses, *logits.shape, int(with_gradient))
    return losses


def _losses_plain(logits: Tensor, targets: Tensor, *, with_gradient: bool) -> Tensor:
    """The same with torch alone."""
    targets = targets.long()[:, None]
    shares = logits if logits.dtype in (torch.float32, torch.float64) else logits.float()
    shares -= shares.amax(1, keepdim=True)
    hit = shares.gather(1, targets)
    sums = shares.exp_().sum(1, keepdim=True)
    if with_gradient:
        shares /= sums
        shares.scatter_add_(1, targets, torch.full_like(hit, -1.0))
        if shares is not logits:
            logits.copy_(shares)
    return (sums.log() - hit)[:, 0]


def _require_words(targets: Tensor, weight: Tensor) -> None:
    """Natively nobody else asks whether a target is a row of the head."""
    assert not len(targets) or (int(targets.min()) >= 0 and int(targets.max()) < len(weight)), "a target is no word"
