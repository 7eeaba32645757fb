"""From trained weights to a voice folder, checked by loading it the way a user would."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import torch
from peft import PeftModel
from torch import Tensor
from transformers import PreTrainedModel

from quire.model.adapters import OWN_BASE, load_voice, save_adapter, save_full
from quire.model.base import load_base
from quire.model.file_pages import let_file_pages_go
from quire.model.machine import Precision
from quire.model.mode import evaluating
from quire.planner.bases import BaseFiles
from quire.recipe.schema import WriteSettings
from quire.run.atomic import fresh_folder, link_tree, write_text
from quire.run.manifest import seal
from quire.tokens.rows import Rows
from quire.tokens.tokenizer import Tokenizer
from quire.training.guards import voice_is_real

PROBE_TOKENS = 64


def save_voice(
    model: PreTrainedModel | PeftModel,
    tokenizer: Tokenizer,
    base: BaseFiles,
    writing: WriteSettings,
    folder: Path,
    card: str,
    prove: Callable[[Path], None],
    chats: bool = False,
) -> None:
    """Write a voice: weights, tokenizer, generation defaults, card; and its base, where that was changed by training.

    One that `chats` has learned from conversations: how its base writes them goes along, and what ends an answer.  The
    folder appears whole and only after `prove` has loaded it without raising, or not at all.
    """
    with fresh_folder(folder) as target:
        if isinstance(model, PeftModel):
            save_adapter(model, tokenizer, OWN_BASE if base.kind == "run" else base.name, target)
            if base.kind == "run":
                link_tree(base.path, target / OWN_BASE)
        else:
            save_full(model, tokenizer, target)
        if chats:
            tokenizer.save_chat_template(target)
        ends = tokenizer.turn_ends if chats else frozenset((tokenizer.end_of_text,))
        write_text(target / "generation_config.json", generation_defaults(tokenizer, writing, ends))
        write_text(target / "README.md", card)
        prove(target)
        seal(target, exempt=("README.md",))


def check_voice(
    model: PreTrainedModel | PeftModel, base: BaseFiles, precision: Precision, folder: Path, probe: Tensor, where: str
) -> None:
    """Promise 1: the voice saved in `folder`, loaded anew, answers as `model` does and not as its base.

    `probe` is (1, length) ids, `where` the name that an error gives the folder.  Raises GuardError otherwise.
    """
    device = str(model.device)
    learned = answer(model, probe)
    let_file_pages_go()  # those of the learner's base: the voice looks into the same file, and both would count
    reloaded, original = _answers_on_disk(folder, base, precision, device, probe)
    voice_is_real(reloaded, learned, original, where)


def _answers_on_disk(
    folder: Path, base: BaseFiles, precision: Precision, device: str, probe: Tensor
) -> tuple[Tensor, Tensor]:
    """What the voice in `folder` and its base answer.  Only one more model is in memory than there was, at any time."""
    voice = load_voice(folder, precision, device)
    reloaded = answer(voice.model, probe)
    if isinstance(voice.model, PeftModel):
        with voice.without_adapter():
            return reloaded, answer(voice.model, probe)
    del voice
    return reloaded, answer(load_base(base, precision, device).model, probe)


@torch.no_grad()
def answer(model: PreTrainedModel | PeftModel, probe: Tensor) -> Tensor:
    """Logits (1, length, vocabulary) of a short text, with dropout off."""
    with evaluating(model):
        return model(input_ids=probe.to(model.device), use_cache=False).logits  # type: ignore[no-any-return]


def probe_of(rows: Rows) -> Tensor:
    """The first tokens of the first row: (1, at most PROBE_TOKENS)."""
    return torch.as_tensor(rows.arrays(0).inputs[:PROBE_TOKENS])[None]


def generation_defaults(tokenizer: Tokenizer, writing: WriteSettings, ends: frozenset[int] | None = None) -> str:
    """The recipe's way of writing under transformers' names: `generate` anywhere starts from the same defaults.

    `ends` are the tokens that end a text; end-of-text alone where none are named.
    """
    stops = sorted(ends or (tokenizer.end_of_text,))
    sampling = writing.num_beams == 1 and writing.temperature > 0
    defaults: dict[str, object] = {
        "bos_token_id": tokenizer.start,
        "eos_token_id": stops if len(stops) > 1 else stops[0],
        "pad_token_id": tokenizer.pad,
        "max_new_tokens": writing.max_new_tokens,
        "do_sample": sampling,
        "repetition_penalty": writing.repetition_penalty,
        "no_repeat_ngram_size": writing.no_repeat_ngram_size,
        "num_beams": writing.num_beams,
        # transformers refuses several copies of the one likeliest text.
        "num_return_sequences": writing.num_return_sequences if sampling or writing.num_beams > 1 else 1,
    }
    if sampling:
        defaults |= {"temperature": writing.temperature, "top_k": writing.top_k, "top_p": writing.top_p}
        defaults |= {"min_p": writing.min_p} if writing.min_p > 0 else {}
    return json.dumps(defaults, indent=2, sort_keys=True) + "\n"
