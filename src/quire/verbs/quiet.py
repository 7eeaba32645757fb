"""Libraries keep quiet: no telemetry, and no notes, bars and warnings that a reader of books can do nothing with.

What a person has set in the environment (TRANSFORMERS_VERBOSITY, PYTHONWARNINGS, …) stands.
"""

from __future__ import annotations

import logging
import os
import sys
import warnings

_PRIVATE = {"HF_HUB_DISABLE_TELEMETRY": "1", "DO_NOT_TRACK": "1"}
_QUIET = {
    "TRANSFORMERS_VERBOSITY": "error",
    "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
    "HF_HUB_VERBOSITY": "error",
    "DATASETS_VERBOSITY": "error",
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    # Forking after the tokenizer has used its threads makes it print a warning; Quire encodes in one process.
    "TOKENIZERS_PARALLELISM": "false",
}
_NOISY = r"(accelerate|datasets|huggingface_hub|peft|tokenizers|torch|transformers)(\.|$)"


def hush() -> None:
    """Call before the first model or tokenizer is loaded; calling it again does nothing new."""
    for name, value in (_PRIVATE | _QUIET).items():
        os.environ.setdefault(name, value)
    # peft imports it wherever it is installed, and it warns of kernels that it would fetch from a hub.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    if not sys.warnoptions:
        warnings.filterwarnings("ignore", module=_NOISY)


def hush_bars() -> None:
    """Switch off the bars that transformers shows while it loads and saves weights, which no variable governs.

    It takes the hub's own bars with it, so call it after the base has been found: a download shows its progress.
    """
    from transformers.utils.logging import disable_progress_bar

    if os.environ.get("TRANSFORMERS_VERBOSITY", "error") == "error":
        disable_progress_bar()  # type: ignore[no-untyped-call]


def stay_offline() -> None:
    """No library of this process may ask a hub anything; only before any of them is imported."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
