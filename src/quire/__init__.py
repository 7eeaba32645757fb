"""Quire teaches a language model to write like a book."""

from __future__ import annotations

__version__ = "0.1.0"
