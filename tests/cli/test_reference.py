"""docs/cli.md is made from the command line."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from quire.cli.app import VERBS

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_page_in_docs_is_up_to_date() -> None:
    made = subprocess.run([sys.executable, "-m", "quire.cli.reference"], capture_output=True, text=True, check=True)
    assert made.stdout == PAGE.read_text(encoding="utf-8"), "make docs writes it anew"


def test_every_verb_is_in_it() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert all(f"## quire {verb}\n" in page for verb in VERBS)
