from __future__ import annotations

from pathlib import Path

from quire.recipe.keys import walk
from quire.recipe.reference import render

PAGE = Path(__file__).parents[2] / "docs" / "settings.md"


def test_page_of_all_settings_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), (
        "write it anew: python -m quire.recipe.reference > docs/settings.md"
    )


def test_every_key_is_on_the_page() -> None:
    page = render()
    assert all(f"`{key.name}`" in page for key in walk())
