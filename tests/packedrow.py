"""One row of packed works, and what a model makes of it: shared by the tests of our own layers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

WORDS = 300
SHAPE = {
    "vocab_size": WORDS,
    "hidden_size": 64,
    "intermediate_size": 96,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}
WORKS = (40, 1, 30, 25)


def row() -> tuple[Tensor, Tensor]:
    """Ids and positions."""
    ids = torch.randint(WORDS, (1, sum(WORKS)), generator=torch.Generator().manual_seed(5))
    return ids, torch.cat([torch.arange(n) for n in WORKS])[None]


def answers(model: nn.Module) -> dict[str, Tensor]:
    """Logits of the row, and the gradient of every learning parameter; what drops is the same each time."""
    ids, positions = row()
    torch.manual_seed(6)
    logits = model(input_ids=ids, position_ids=positions, use_cache=False).logits.float()
    nn.functional.cross_entropy(logits[0, :-1], ids[0, 1:]).backward()
    found = {key: p.grad.clone().float() for key, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    return {"logits": logits.detach(), **found}


def furthest(found: dict[str, Tensor], wanted: dict[str, Tensor]) -> float:
    """The largest distance, each relative to what is wanted; not a number where one is none."""
    assert found.keys() == wanted.keys()
    apart = [(found[key] - x).norm() / x.norm() for key, x in wanted.items()]
    return float(torch.stack(apart).max())
