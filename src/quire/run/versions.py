"""Of what decides the numbers of a run."""

from __future__ import annotations

import platform
from importlib.metadata import version

LIBRARIES = ("quire", "torch", "transformers", "peft", "accelerate", "tokenizers", "numpy")


def versions_here() -> dict[str, str]:
    """Python's version and those of the libraries."""
    return {"python": platform.python_version(), **{name: version(name) for name in LIBRARIES}}
