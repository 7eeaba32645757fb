"""Quire teaches a language model to write like a book."""
