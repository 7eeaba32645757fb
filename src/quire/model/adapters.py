"""Adapters: put one on, take it off, melt it in; save a voice, load it again.  Act and inverse stand side by side."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model, get_peft_model_state_dict
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from quire.errors import RecipeError, VoiceError
from quire.model.base import load_base, load_model
from quire.model.machine import Precision
from quire.model.quick import as_before, quicken
from quire.model.stacking import (
    EARLIER,
    LEARNING,
    START,
    joined,
    lora_config,
    require_stackable,
    start_at_strongest,
    use_together,
)
from quire.planner.bases import BaseFiles, find_base
from quire.recipe.method import ALL_LINEAR, Lora
from quire.tokens.tokenizer import Tokenizer, load_tokenizer

ADAPTER_FILE = "adapter_model.safetensors"
ADAPTER_CONFIG = "adapter_config.json"

# Beside an adapter whose base was changed by training and is to be had nowhere else.  The name is relative to the
# voice's folder, so that the folder can be moved, and means nothing to a hub: nobody loads another base by mistake.
OWN_BASE = "./base"

BASE_BIAS = "bias_of_base"

# Fields through which an adapter's config could reach for code or files of its own.
FORBIDDEN_FIELDS = ("auto_mapping", "custom_modules", "trust_remote_code")


@dataclass(frozen=True)
class Voice:
    """A loaded voice.  `model` is a PeftModel over its base, or a plain model after full-weight training."""

    model: PeftModel | PreTrainedModel
    tokenizer: Tokenizer
    base_name: str
    folder: Path

    @contextmanager
    def without_adapter(self) -> Iterator[PreTrainedModel]:
        """The base on the same weights.  Only for voices that are adapters."""
        assert isinstance(self.model, PeftModel)
        _swap_biases(self.model)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # peft says that learned biases stay; here they do not
                with self.model.disable_adapter():
                    yield self.model.get_base_model()  # type: ignore[misc]
        finally:
            _swap_biases(self.model)


def attach(model: PreTrainedModel, lora: Lora, seed: int) -> PeftModel:
    """Put a fresh adapter on `model` (in place); its random half depends on `seed` alone.

    Adapter weights are float32 whatever the base's precision.  Raises RecipeError where no layer bears a target's name.
    """
    targets = _targets(model, lora)
    if lora.bias != "none":
        _keep_biases(model)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        adapted = get_peft_model(model, lora_config(lora, targets))
    assert isinstance(adapted, PeftModel)
    if lora.init == "pissa":
        start_at_strongest(adapted, lora, targets)
        use_together(adapted, [START])
    return adapted


def stack_on(model: PreTrainedModel, folder: Path, lora: Lora, seed: int) -> PeftModel:
    """Put the adapter in `folder` on `model`, frozen, and a fresh one beside it that learns.

    Saved, they are one plain adapter.  Raises RecipeError where the earlier one is of a kind that cannot be added up.
    """
    require_stackable(folder)
    targets = _targets(model, lora)
    adapted = put_on(model, folder, name=EARLIER)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        adapted.add_adapter(LEARNING, lora_config(lora, targets))
    if lora.init == "pissa":
        start_at_strongest(adapted, lora, targets)
    use_together(adapted, [EARLIER, START] if lora.init == "pissa" else [EARLIER])
    return adapted


def detach(model: PeftModel) -> PreTrainedModel:
    """Take the adapter off: the base as it was before `attach`, biases that learned included."""
    _swap_biases(model)
    return model.unload()  # type: ignore[no-any-return]


def merge(folder: Path, device: str = "cpu") -> tuple[PreTrainedModel, Tokenizer]:
    """The voice in `folder` as one plain model: the adapter melted into its base, always in float32.

    Rounding a light fine-tune into 16 or fewer bits can wipe it out (peft#2321), so it is never merged there.
    """
    voice = load_voice(folder, "fp32", device)
    as_before(voice.model)
    if not isinstance(voice.model, PeftModel):
        return voice.model, voice.tokenizer
    return voice.model.merge_and_unload(safe_merge=True), voice.tokenizer


def merge_onto(files: BaseFiles, folder: Path) -> tuple[PreTrainedModel, Tokenizer]:
    """The base `files` with the adapter in `folder` melted into it, in float32."""
    base = load_base(files, "fp32")
    return put_on(base.model, folder).merge_and_unload(safe_merge=True), base.tokenizer


def save_adapter(model: PeftModel, tokenizer: Tokenizer, base_name: str, folder: Path) -> None:
    """Write the adapter in PEFT's layout, the tokenizer beside it, and the base's name into its config.

    Adapters that count together are written as the one adapter that they are.
    """
    if len(model.active_adapters) > 1:
        tensors, one = joined(model)
        folder.mkdir(parents=True, exist_ok=True)
        save_file(tensors, folder / ADAPTER_FILE, {"format": "pt"})
        one.save_pretrained(str(folder))
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # peft looks for the base on the hub to compare vocabularies
            model.save_pretrained(str(folder), safe_serialization=True, save_embedding_layers=False)
    config_file = folder / ADAPTER_CONFIG
    config = json.loads(config_file.read_text(encoding="utf-8"))
    config["base_model_name_or_path"] = base_name
    config["target_modules"] = sorted(config["target_modules"])  # peft writes a set, in any order
    config_file.write_text(json.dumps(config, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    tokenizer.save(folder)


def save_full(model: PreTrainedModel, tokenizer: Tokenizer, folder: Path) -> None:
    """Write a whole model in transformers' layout, the tokenizer beside it."""
    model.save_pretrained(str(folder), safe_serialization=True)
    tokenizer.save(folder)


def load_voice(folder: Path, precision: Precision, device: str = "cpu") -> Voice:
    """A voice as a user gets it: base from its name, adapter from its files.

    Raises VoiceError where the folder holds no voice, and where not every tensor of the file found its place.
    """
    if not (folder / ADAPTER_CONFIG).exists():
        if (folder / "config.json").exists():
            model = load_model(folder, precision, device)
            quicken(model)
            return Voice(model, load_tokenizer(folder), base_name_of(folder), folder)
        raise VoiceError(f"{folder} holds no voice", "name a run folder that `quire train` has finished")
    base_name = base_name_of(folder)
    base = load_base(find_base(base_name), precision, device)
    voice = put_on(base.model, folder)
    quicken(voice)
    return Voice(voice, base.tokenizer, base_name, folder)


def put_on(model: PreTrainedModel, folder: Path, trainable: bool = False, name: str = LEARNING) -> PeftModel:
    """The adapter in `folder` on a loaded base, frozen unless `trainable`.  Every tensor must find its place."""
    if _adapter_config(folder).get("bias", "none") != "none":
        _keep_biases(model)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what peft says of keys is checked below, and is an error here
        try:
            with safe_open(folder / ADAPTER_FILE, "pt") as file:
                there = set(file.keys())
            config = PeftConfig.from_pretrained(str(folder))
            config.inference_mode = not trainable
            if isinstance(config, LoraConfig) and not trainable:
                config.lora_dropout = 0.0  # it may lie frozen under one that learns
            with torch.random.fork_rng():  # peft draws weights before it reads them
                adapted = PeftModel.from_pretrained(
                    model, str(folder), name, trainable, config, torch_device=str(model.device)
                )
        except (RuntimeError, ValueError, SafetensorError) as error:
            reason = str(error).strip().splitlines()[0]
            raise VoiceError(
                f"{folder} cannot be put on its base: {reason}", "copy the voice again, or name its base"
            ) from error
        wanted = set(get_peft_model_state_dict(adapted, adapter_name=name, save_embedding_layers=False))
    if wanted != there:
        raise VoiceError(
            f"{folder} does not fit its base: {len(wanted ^ there)} tensors have no counterpart, such as "
            f"{min(wanted ^ there)}",
            "name the base it was trained on",
        )
    return adapted


def is_adapter(folder: Path) -> bool:
    """Whether the voice in `folder` is an adapter rather than a whole model."""
    return (folder / ADAPTER_CONFIG).exists()


def base_name_of(folder: Path) -> str:
    """What a voice in `folder` was trained from; a whole model names itself.

    Raises VoiceError where the base should lie beside it and does not.
    """
    if not is_adapter(folder):
        return str(folder)
    name = str(_adapter_config(folder)["base_model_name_or_path"])
    if name != OWN_BASE:
        return name
    if not (folder / OWN_BASE).is_dir():
        raise VoiceError(f"{folder} lacks the folder base, which holds the base of this voice", "copy the voice whole")
    return str(folder / OWN_BASE)


def _adapter_config(folder: Path) -> dict[str, object]:
    try:
        config = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
    except ValueError as error:
        raise VoiceError(f"{folder / ADAPTER_CONFIG} is not valid JSON: {error}", "copy the voice again") from None
    if not isinstance(config, dict) or not config.get("base_model_name_or_path"):
        raise VoiceError(f"{folder / ADAPTER_CONFIG} names no base", "copy the voice again")
    for field in FORBIDDEN_FIELDS:
        if config.get(field):
            raise VoiceError(f"{folder / ADAPTER_CONFIG} asks for code of its own ({field})", "use a voice you trust")
    if not (folder / ADAPTER_FILE).exists():
        raise VoiceError(f"{folder} has no {ADAPTER_FILE}", "use a voice saved as safetensors")
    return config


def _keep_biases(model: nn.Module) -> None:
    """Lay a copy beside each bias, so that the base can be had back when they have learned."""
    for module in model.modules():
        bias = module._parameters.get("bias")
        if bias is not None:
            module.register_buffer(BASE_BIAS, bias.detach().clone(), persistent=False)


@torch.no_grad()
def _swap_biases(model: nn.Module) -> None:
    """Exchange the biases with those that `_keep_biases` laid aside; where there are none nothing happens."""
    for module in model.modules():
        kept = module._buffers.get(BASE_BIAS)
        bias = module._parameters.get("bias")
        if kept is not None and bias is not None:
            learned = bias.clone()
            bias.copy_(kept)
            kept.copy_(learned)


def _targets(model: PreTrainedModel, lora: Lora) -> list[str]:
    """The names of the layers to adapt; all linear ones but the output head where none are named."""
    layers = {
        path: layer for path, layer in model.named_modules() if isinstance(layer, nn.Linear | Conv1D | nn.Embedding)
    }
    if lora.targets == ALL_LINEAR:
        head = model.get_output_embeddings()  # type: ignore[no-untyped-call]
        inner = [path for path, m in layers.items() if not isinstance(m, nn.Embedding) and m is not head]
        return sorted({path.rsplit(".", 1)[-1] for path in inner})
    targets = [lora.targets] if isinstance(lora.targets, str) else lora.targets
    # peft matches the end of a module's dotted name.
    unknown = [target for target in targets if not any(f".{path}".endswith(f".{target}") for path in layers)]
    if unknown:
        raise RecipeError(
            f"targets of the adapter: this base has no layer named {', '.join(unknown)}",
            f"choose among {', '.join(sorted({path.rsplit('.', 1)[-1] for path in layers}))}, or all-linear",
            "targets",
        )
    return targets
