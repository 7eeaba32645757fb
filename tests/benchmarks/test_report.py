"""The tables of docs/reading.md are those of the last run."""

from __future__ import annotations

import json

import pytest
from benchmarks.reading import RESULTS
from benchmarks.report import DOCS, filled, tables

GOAL = {"goal": "EPUB: word F1", "wanted": 0.999, "mean": "0.9999", "reached": "0.9990 (8 of 8)", "worst": "a.epub"}
TOLD = {
    "machine": {"date": "2026-01-01", "cores": 2, "system": "Linux", "machine": "arm", "load": 1.0, "python": "3.11",
                "pypdfium2": "5.0"},
    "goals": [GOAL | {"passed": True}, GOAL | {"passed": False, "worst": ""}],
    "books": [{"name": "a.pdf", "f1": 0.5, "edges": 0.25, "furniture": 3, "pages": 10, "seconds": 0.1}],
    "not measured": ["b.pdf: pdflatex is not installed"],
    "peers": [{"reader": "PDFium", "file": "a.pdf", "f1": 0.9, "paragraphs": 0.1, "furniture": 9, "pages": 10,
               "seconds": 0.5}],
}  # fmt: skip


def test_docs_show_the_figures_of_the_results() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert filled(text, json.loads(RESULTS.read_text(encoding="utf-8"))) == text


def test_a_miss_is_shown_as_one_and_what_was_not_measured_is_named() -> None:
    made = tables(TOLD)
    assert "| EPUB: word F1 | 0.9999 | 0.9990 (8 of 8) | yes | `a.epub` |" in made["goals"]
    assert "| **no** |" in made["goals"]
    assert "Not measured: b.pdf: pdflatex is not installed." in made["machine"]


def test_plain_readers_stand_beside_quire() -> None:
    lines = tables(TOLD)["peers"].splitlines()
    assert lines[2] == "| Quire | 0.5000 | 0.5000 | 0.250 | 0.250 | 3 | 100 |"
    assert lines[3] == "| PDFium | 0.9000 | 0.9000 | 0.100 | 0.100 | 9 | 20 |"


def test_a_document_without_a_place_for_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="no single place"):
        filled("Nothing.", TOLD)
