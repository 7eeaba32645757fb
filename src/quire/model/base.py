"""Load a base model: from its files alone, without code of others, without a pickle."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import AutoModelForCausalLM, PreTrainedModel

from quire.errors import BaseModelError
from quire.model.lowbit import lasting_dtype, require_nf4, settle_rest, to_int8, to_nf4
from quire.model.machine import DTYPES, Precision
from quire.planner.bases import BaseFiles
from quire.tokens.tokenizer import Tokenizer, load_tokenizer


@dataclass(frozen=True)
class Base:
    """A loaded base; `files` says where it came from."""

    model: PreTrainedModel
    tokenizer: Tokenizer
    files: BaseFiles


def load_base(files: BaseFiles, precision: Precision, device: str = "cpu") -> Base:
    """The base with its weights in `precision` on `device`.  BaseModelError says what is wrong with the files."""
    return Base(load_model(files.path, precision, device), load_tokenizer(files.path), files)


def load_model(folder: Path, precision: Precision, device: str = "cpu") -> PreTrainedModel:
    """A causal language model in plain transformers layout.

    One in 8 or 4 bits is read in 16 and changed layer by layer: it takes 2 bytes a weight at most, and on a GPU never
    more than its own size and one matrix.
    """
    config = _config(folder)
    if precision == "nf4":
        require_nf4()
    if "auto_map" in config:
        raise BaseModelError(
            f"{folder} wants to run code of its own", "choose a base that transformers knows by itself"
        )
    try:
        loaded: tuple[object, dict[str, set[str]]] = AutoModelForCausalLM.from_pretrained(  # type: ignore[assignment]
            folder,
            dtype=torch.bfloat16 if precision == "int8" else weights_dtype(precision, device),
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise BaseModelError(
            f"{folder} cannot be loaded as a language model: {reason}", "choose another base"
        ) from error
    model, report = loaded
    if report["missing_keys"]:  # transformers would make them up and say so in a log only
        lost = sorted(report["missing_keys"])
        raise BaseModelError(f"{folder} lacks the weights {lost[0]} ({len(lost)} in all)", "download the base again")
    assert isinstance(model, PreTrainedModel)
    if precision == "int8":
        to_int8(model, weights_dtype(precision, device))
    elif precision == "nf4":
        to_nf4(model, device)
    if precision in ("int8", "nf4"):
        settle_rest(model, weights_dtype(precision, device))
    torch.nn.Module.to(model, device)  # in place; transformers' own `to` is untyped
    return model


def weights_dtype(precision: Precision, device: str) -> torch.dtype:
    """The floating format of a base's weights; of one in 8 or 4 bits, that of what is not quantised."""
    return DTYPES[precision] if precision in DTYPES else lasting_dtype(device)


def window_limit(model: PreTrainedModel) -> int | None:
    """The longest text that the model can hold, where its config says so."""
    config = model.config.get_text_config().to_dict()  # models that see images too keep their text settings apart
    limit = config.get("max_position_embeddings") or config.get("n_positions")
    return int(limit) if limit else None


def count_parameters(model: torch.nn.Module) -> tuple[int, int]:
    """(trainable, all) parameters; shared ones count once."""
    every = list(model.parameters())
    return sum(p.numel() for p in every if p.requires_grad), sum(_numbers_in(p) for p in every)


def _numbers_in(parameter: torch.nn.Parameter) -> int:
    """How many weights a parameter holds; bitsandbytes packs two into a byte and keeps the shape beside it."""
    packed = vars(parameter).get("quant_state")
    return int(packed.shape.numel()) if packed is not None else parameter.numel()


def _config(folder: Path) -> dict[str, object]:
    file = folder / "config.json"
    if not file.exists():
        raise BaseModelError(f"{folder} has no config.json", "name the folder of a model in transformers layout")
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise BaseModelError(f"{file} is damaged: {error}", "copy or download the base again, whole") from None
    if not isinstance(data, dict):
        raise BaseModelError(f"{file} is no model's configuration", "name the folder of a model")
    return data
