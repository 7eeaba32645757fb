"""How a model ends: the states that its last layer leaves, and the head that makes logits of them.

Logits are by far the largest thing that a step makes, and most of them nobody reads.  Where a model's logits are its
head's product with those states and nothing more, the loss is formed from the states piece by piece
(`kernels.head`).  Other families scale or bend their logits afterwards (Gemma, Granite, Cohere), which cannot be seen
from a few of them: a bend is felt by large ones alone.  Hence a list of those whose ending was read.
"""

from __future__ import annotations

import torch
from peft import PeftModel
from torch import Tensor, nn
from transformers import GPT2LMHeadModel, GPTNeoForCausalLM, GPTNeoXForCausalLM, PreTrainedModel

from quire.model.lowbit import Int8Head
from quire.model.quick import FAMILIES

PLAIN_ENDINGS = (*FAMILIES, GPT2LMHeadModel, GPTNeoForCausalLM, GPTNeoXForCausalLM)


def plain_head(model: PreTrainedModel | PeftModel) -> nn.Linear | None:
    """The layer that makes the logits, where it is a plain one that no adapter lies on and its product is all."""
    inner = _inner(model)
    if not isinstance(inner, PLAIN_ENDINGS):
        return None
    head = inner.get_output_embeddings()  # type: ignore[no-untyped-call]
    return head if type(head) in (nn.Linear, Int8Head) else None


def weights_of(head: nn.Linear, dtype: torch.dtype) -> tuple[Tensor, Tensor | None]:
    """The head's weights (words, width) in `dtype`; or in 8 bits, and what each row of those is worth (words)."""
    return (head.codes, head.scale) if isinstance(head, Int8Head) else (head.weight.to(dtype), None)


def states_of(
    model: PreTrainedModel | PeftModel, inputs: Tensor, positions: Tensor | None, whole: bool = False
) -> Tensor:
    """What the head reads: (rows, length, width).

    With `whole` the model is computed as a whole, head and all, as one must be that several processes hold in slices;
    the head then reads one token.
    """
    if whole:
        passed = model(
            input_ids=inputs, position_ids=positions, use_cache=False, output_hidden_states=True, logits_to_keep=1
        )
        last: Tensor = passed.hidden_states[-1]
        return last
    decoder = _inner(model).get_decoder()  # type: ignore[no-untyped-call]
    states: Tensor = decoder(input_ids=inputs, position_ids=positions, use_cache=False).last_hidden_state
    return states


def _inner(model: PreTrainedModel | PeftModel) -> PreTrainedModel:
    return model.get_base_model() if isinstance(model, PeftModel) else model  # type: ignore[return-value]
