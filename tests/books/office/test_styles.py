"""What styles of paragraphs mean."""

from __future__ import annotations

import pytest

from quire.books.office.styles import Said, heading_level, resolve_styles


@pytest.mark.parametrize(
    ("name", "level"),
    [
        ("heading 1", 1),
        ("Heading3", 3),
        ("Überschrift 2", 2),
        ("Titre 1", 1),
        ("Chapter Title", 2),
        ("Titre de chapitre", 2),
        ("Part Title", 1),
        ("Normal", None),
        ("Header", None),
        ("Heading", None),
        ("Body Text", None),
    ],
)
def test_names_say_ranks_in_several_languages(name: str, level: int | None) -> None:
    assert heading_level(name) == level


def test_what_a_style_leaves_open_its_base_says() -> None:
    styles = resolve_styles(
        {
            "top": Said("heading 1", level=1, bold=True, size=16.0, centred=True),
            "mine": Said("my opening", base="top", bold=False),
            "made": Said("", base="mine", level=0, new_page=True),
        }
    )
    assert (styles["mine"].level, styles["mine"].bold, styles["mine"].size) == (1, False, 16.0)
    assert (styles["made"].name, styles["made"].level, styles["made"].new_page) == ("my opening", 0, True)


def test_styles_based_on_each_other_end_somewhere() -> None:
    styles = resolve_styles({"a": Said("a", base="b"), "b": Said("b", base="a", size=9.0), "c": Said("c", base="gone")})
    assert styles["a"].size == 9.0
    assert styles["c"].level == 0
