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
    """A base on the hub.  `languages` are those its makers name; `gated` needs a log-in and a licence; `config` is what
    its config.json says of its shape, so that it need not be fetched to know what it takes."""

    name: str
    parameters: float
    languages: tuple[str, ...]
    config: Mapping[str, object] = field(default_factory=dict)
    gated: bool = False
    advice: Mapping[str, Advice] = field(default_factory=dict)

    @property
    def is_plain(self) -> bool:
        """Whether it only goes on with text; one tuned for chat has a manner of its own."""
        return not self.name.endswith("-Instruct")


def _shape(
    family: str, hidden: int, layers: int, heads: tuple[int, int], intermediate: int, vocabulary: int, **more: object
) -> Mapping[str, object]:
    """A config.json's words for a shape; `heads` are those of queries and of keys and values."""
    return {
        "model_type": family,
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads[0],
        "num_key_value_heads": heads[1],
        "intermediate_size": intermediate,
        "vocab_size": vocabulary,
        "tie_word_embeddings": True,
        **more,
    }


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

_SIX = ("en", "fr", "es", "de", "it", "pt")
_QWEN25 = (*_SIX, "ru", "zh", "ja", "ko", "vi", "th", "ar")
_MORE = ("bg", "ca", "cs", "da", "el", "fi", "gl", "hr", "hu", "la", "nb", "nl", "no", "pl", "ro", "sk")
_QWEN3 = (*_QWEN25, *_MORE, "sl", "sv", "tr", "uk")
_LLAMA_3B = _shape("llama", 3072, 28, (24, 8), 8192, 128256)
_LLAMA_1B = _shape("llama", 2048, 16, (32, 8), 8192, 128256)

EMBEDDED_CONFIG = _shape("llama", 256, 6, (4, 2), 704, 8192)

# Shapes and languages as the makers give them (November 2026; not every page could be looked up here).  A test counts
# the parameters of every shape against what its name says.
KNOWN: tuple[KnownBase, ...] = (
    KnownBase("Qwen/Qwen3-4B-Base", 4.02e9, _QWEN3, _shape("qwen3", 2560, 36, (32, 8), 9728, 151936, head_dim=128)),
    KnownBase("HuggingFaceTB/SmolLM3-3B-Base", 3.08e9, _SIX, _shape("smollm3", 2048, 36, (16, 4), 11008, 128256)),
    KnownBase("meta-llama/Llama-3.2-3B", 3.21e9, _SIX, _LLAMA_3B, gated=True),
    KnownBase("meta-llama/Llama-3.2-3B-Instruct", 3.21e9, _SIX, _LLAMA_3B, True, _INSTRUCT),
    KnownBase("Qwen/Qwen2.5-1.5B", 1.54e9, _QWEN25, _shape("qwen2", 1536, 28, (12, 2), 8960, 151936)),
    KnownBase("meta-llama/Llama-3.2-1B", 1.24e9, _SIX, _LLAMA_1B, gated=True),
    KnownBase("meta-llama/Llama-3.2-1B-Instruct", 1.24e9, _SIX, _LLAMA_1B, True, _INSTRUCT),
    KnownBase(
        "TinyLlama/TinyLlama_v1.1",
        1.1e9,
        ("en",),
        _shape("llama", 2048, 22, (32, 4), 5632, 32000, tie_word_embeddings=False),
    ),
    KnownBase("Qwen/Qwen2.5-0.5B", 0.494e9, _QWEN25, _shape("qwen2", 896, 24, (14, 2), 4864, 151936), advice=_SMALL),
    KnownBase(
        "HuggingFaceTB/SmolLM2-360M", 0.362e9, ("en",), _shape("llama", 960, 32, (15, 5), 2560, 49152), advice=_SMALL
    ),
    KnownBase(
        "HuggingFaceTB/SmolLM2-135M", 0.135e9, ("en",), _shape("llama", 576, 30, (9, 3), 1536, 49152), advice=_SMALL
    ),
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


EIGHT_GB = 7 * 2**30  # as machines are sold: their systems keep some of it for themselves


def bases_for(language: str | None, gpu: bool, memory_bytes: int) -> list[KnownBase]:
    """Ungated plain bases of a size that suits such a machine, largest first; whether one fits, the planner says.

    On a GPU about 3 to 4 thousand million parameters, on a processor about one where there are at least 8 GB, and
    135 to 360 million where there is less.
    """
    limit = 4.5e9 if gpu else 1.6e9 if memory_bytes >= EIGHT_GB else 0.4e9
    return [
        known
        for known in sorted(KNOWN, key=lambda known: -known.parameters)
        if not known.gated
        and known.is_plain
        and known.parameters <= limit
        and (language is None or language in known.languages)
    ]
