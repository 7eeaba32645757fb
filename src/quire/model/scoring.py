"""How well a model predicts a text: the negative log-probability of every token, summed up in blocks."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from transformers import PreTrainedModel

from quire.model.mode import evaluating
from quire.prompts.conversation import Conversation, conversation_in
from quire.tokens.labels import label_conversation
from quire.tokens.tokenizer import Tokenizer

BLOCK_TOKENS = 500
_ROWS = 128  # positions whose logits are held in float32 at once


@dataclass(frozen=True, slots=True)
class BlockLoss:
    """A run of tokens of text number `text`: how many, how many UTF-8 bytes they stand for, their loss in nats."""

    text: int
    tokens: int
    bytes: int
    nats: float


def score_blocks(
    model: PreTrainedModel,
    tokenizer: Tokenizer,
    texts: Sequence[str],
    window: int,
    block_tokens: int = BLOCK_TOKENS,
    progress: Callable[[int], None] | None = None,
) -> list[BlockLoss]:
    """Every token of every text, scored once, in blocks of about `block_tokens`.

    Each token is predicted from at least half a `window` of the text before it (or all of it, near the beginning); the
    first one from the base's start token, or from end-of-text where it has none.  End-of-text itself is not scored.
    Blocks are cut by the tokenizer alone, so two models with one tokenizer get the same blocks, and their bytes add up
    to those of the texts exactly.  A text shorter than `block_tokens` is one block; an empty one gives none.
    `progress` is told the number of tokens scored by each step.

    Of a text that shows a conversation (`prompts.conversation.shown`) the answers alone are scored, in the shape that
    the base writes conversations in: a block for each piece of it that is read at once.
    """
    blocks: list[BlockLoss] = []
    start = tokenizer.end_of_text if tokenizer.start is None else tokenizer.start
    with evaluating(model):
        for number, text in enumerate(texts):
            conversation = conversation_in(text)
            if conversation is not None:
                for block in _answers(model, tokenizer, conversation, window):
                    blocks.append(replace(block, text=number))
                    if progress is not None:
                        progress(block.tokens)
                continue
            encoding = tokenizer.core.encode(text, add_special_tokens=False)
            pieces = []
            for losses in _losses(model, [start, *encoding.ids], window):
                pieces.append(losses)
                if progress is not None:
                    progress(len(losses))
            every = [nats for piece in pieces for nats in piece.tolist()]
            for first, last, size in _cut(text, encoding.offsets, block_tokens):
                blocks.append(BlockLoss(number, last - first, size, math.fsum(every[first:last])))
    return blocks


def _answers(
    model: PreTrainedModel, tokenizer: Tokenizer, conversation: Conversation, window: int
) -> Iterator[BlockLoss]:
    """The loss of the answers' words; like end-of-text, the tokens that end a turn are not scored."""
    start = tokenizer.end_of_text if tokenizer.start is None else tokenizer.start
    for piece in label_conversation(conversation, tokenizer, window):
        scored = piece.learned & ~np.isin(piece.ids, list(tokenizer.turn_ends))
        every = torch.cat(list(_losses(model, [start, *piece.ids.tolist()], window))).numpy()
        nats = math.fsum(every[scored].tolist())
        yield BlockLoss(0, int(scored.sum()), piece.learned_bytes, nats)


@torch.inference_mode()
def token_losses(model: PreTrainedModel, inputs: Tensor, targets: Tensor) -> Tensor:
    """Nats (targets,) of the last len(targets) positions of `inputs` (n,), as float32 on the CPU."""
    logits = model(input_ids=inputs[None], use_cache=False, logits_to_keep=len(targets)).logits[0]
    parts = zip(torch.split(logits, _ROWS), torch.split(targets, _ROWS), strict=True)
    return torch.cat([F.cross_entropy(part.float(), wanted, reduction="none").cpu() for part, wanted in parts])


def _losses(model: PreTrainedModel, ids: list[int], window: int) -> Iterator[Tensor]:
    """The loss of every id but the first, in order; windows overlap by half, and each token counts once."""
    row = torch.tensor(ids, device=model.device)
    end = len(ids) - 1
    done = 0
    while done < end:
        upto = min(end, window if done == 0 else done + max(1, window // 2))
        yield token_losses(model, row[max(0, upto - window) : upto], row[done + 1 : upto + 1])
        done = upto


def _cut(text: str, offsets: Sequence[tuple[int, int]], block_tokens: int) -> Iterator[tuple[int, int, int]]:
    """(first token, last token, bytes) of each block; never within a character, the last block up to half longer."""
    first, begin = 0, 0
    for number in range(1, len(offsets)):
        at = offsets[number][0]
        enough = number - first >= block_tokens and len(offsets) - number > block_tokens // 2
        if enough and at >= offsets[number - 1][1]:
            yield first, number, len(text[begin:at].encode("utf-8"))
            first, begin = number, at
    if offsets:
        yield first, len(offsets), len(text[begin:].encode("utf-8"))
