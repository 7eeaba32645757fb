"""Pages of other makers: each sheet says what it needs, and its pages hold the words of its truth."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from benchmarks.cases import raw_pages
from benchmarks.makers import SHEETS, Sheet
from benchmarks.truth import words_of

# One of each maker that starts quickly; the others run in the bench.
QUICK = ("fr-reportlab", "fr-fpdf-spaced")


def test_sheets_have_names_of_their_own_that_tell_the_language() -> None:
    names = [sheet.name for sheet in SHEETS]
    assert len(set(names)) == len(names)
    assert all(re.match("en-|fr-", name) for name in names)


def test_a_program_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    gone = {sheet.name: sheet.absent for sheet in SHEETS}
    assert gone["en-latex-t1"] == "pdflatex"
    assert gone["en-office-docx"] == "LibreOffice"
    assert gone["en-web-browser"] == "chromium"


@pytest.mark.parametrize("sheet", [sheet for sheet in SHEETS if sheet.name in QUICK], ids=lambda sheet: sheet.name)
def test_pages_hold_every_word(sheet: Sheet, tmp_path: Path) -> None:
    if sheet.absent:
        pytest.skip(f"{sheet.absent} is not installed")
    target = tmp_path / "book.pdf"
    truth = sheet.make(target)
    shown = set(words_of(" ".join(raw_pages(target))))
    wanted = {word for text in truth.body for word in words_of(text)}
    assert len(wanted - shown) < len(wanted) / 100
