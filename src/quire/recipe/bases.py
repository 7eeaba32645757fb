"""The bases that Quire knows by name: when to choose one, and which settings suit it, each with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from quire.recipe.method import MethodKind

EMBEDDED = "embedded"
AUTO = "auto"
FRESH = "fresh"
"""What a base that a run makes for itself is called before it lies anywhere."""


@dataclass(frozen=True)
class Advice:
    """A recommended value of a recipe's key, and why."""

    value: object
    reason: str


@dataclass(frozen=True)
class KnownBase:
    """A base on the hub.  `languages` are those it was mainly trained on; `gated` needs a log-in and a licence."""

    name: str
    parameters: float
    languages: tuple[str, ...]
    gated: bool = False
    advice: Mapping[str, Advice] = field(default_factory=dict)

    @property
    def memory_needed(self) -> float:
        """Bytes of memory that make it comfortable to tune with an adapter in bf16: weights, activations, logits."""
        return 2 * self.parameters + 3e9


_SMALL = {
    "train.learning_rate": Advice(5e-4, "a small base bears, and needs, larger steps than the usual 2e-4"),
}
# Measured on the bundled novella (docs/measurements.md, "Settings for the embedded base").
_TINY = {
    "train.learning_rate": Advice(3e-3, "the embedded base is tiny, and bears larger steps still"),
    "train.window": Advice(256, "the embedded base learns more from many short rows than from few long ones"),
    "train.effective_batch": Advice(4, "a short book has few rows: smaller batches make more steps of them"),
}
_INSTRUCT = {
    "train.learning_rate": Advice(1e-4, "larger steps make an instruct model forget how it speaks"),
}

# Rules of thumb, not measured here: a step of all weights moves a model further than one of an adapter.
_FULL = {
    "train.learning_rate": Advice(5e-5, "all weights of a pretrained base want smaller steps than an adapter"),
}
_FULL_TINY = {
    "train.learning_rate": Advice(3e-4, "all weights want smaller steps than an adapter, a tiny base larger ones"),
    "train.window": _TINY["train.window"],
    "train.effective_batch": _TINY["train.effective_batch"],
}

EMBEDDED_ADVICE: Mapping[str, Advice] = _TINY

KNOWN: tuple[KnownBase, ...] = (
    KnownBase("HuggingFaceTB/SmolLM3-3B-Base", 3.1e9, ("en", "fr", "es", "de", "it", "pt")),
    KnownBase("meta-llama/Llama-3.2-3B", 3.2e9, ("en", "fr", "de", "it", "pt", "es"), gated=True),
    KnownBase("meta-llama/Llama-3.2-3B-Instruct", 3.2e9, ("en", "fr", "de", "it", "pt", "es"), True, _INSTRUCT),
    KnownBase("Qwen/Qwen2.5-1.5B", 1.5e9, ("en", "fr", "es", "de", "it", "pt")),
    KnownBase("meta-llama/Llama-3.2-1B", 1.2e9, ("en", "fr", "de", "it", "pt", "es"), gated=True),
    KnownBase("meta-llama/Llama-3.2-1B-Instruct", 1.2e9, ("en", "fr", "de", "it", "pt", "es"), True, _INSTRUCT),
    KnownBase("TinyLlama/TinyLlama_v1.1", 1.1e9, ("en",)),
    KnownBase("Qwen/Qwen2.5-0.5B", 0.5e9, ("en", "fr", "es", "de", "it", "pt"), advice=_SMALL),
    KnownBase("HuggingFaceTB/SmolLM2-360M", 0.36e9, ("en",), advice=_SMALL),
    KnownBase("HuggingFaceTB/SmolLM2-135M", 0.135e9, ("en",), advice=_SMALL),
)


def advice_for(base: str, method: MethodKind = "lora") -> Mapping[str, Advice]:
    """Recommended settings for a base.  None for an adapter on one that is not known, or for one from scratch."""
    if base == FRESH:
        return {}
    if method == "full":
        return _FULL_TINY if base == EMBEDDED else _FULL
    if base == EMBEDDED:
        return EMBEDDED_ADVICE
    return next((known.advice for known in KNOWN if known.name == base), {})


def bases_for(language: str | None, gpu: bool, memory_bytes: int) -> list[KnownBase]:
    """Ungated bases that suit, best first: large ones on a GPU, at most about 1.5B on a processor."""
    limit = float("inf") if gpu else 2e9
    return [
        known
        for known in KNOWN
        if not known.gated
        and not known.name.endswith("-Instruct")
        and known.parameters <= limit
        and known.memory_needed <= memory_bytes
        and (language is None or language in known.languages)
    ]
