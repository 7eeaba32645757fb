"""The styles of an OpenDocument text."""

from __future__ import annotations

from lxml import etree

from quire.books.office.odt_styles import read_styles
from quire.books.office.styles import Style


def _read(named: str, automatic: str = "") -> dict[str, Style]:
    return read_styles(
        [
            etree.fromstring(f"<document-styles><styles>{named}</styles></document-styles>"),
            etree.fromstring(f"<document-content><automatic-styles>{automatic}</automatic-styles></document-content>"),
        ]
    )


def test_styles_made_for_one_paragraph_go_by_the_name_they_come_from() -> None:
    styles = _read(
        '<style name="Heading_20_2" display-name="Heading 2" family="paragraph"/>',
        '<style name="P1" family="paragraph" parent-style-name="Heading_20_2">'
        '<paragraph-properties break-before="page"/></style>',
    )
    assert styles["paragraph P1"] == Style("heading 2", 2, new_page=True)


def test_families_are_kept_apart() -> None:
    styles = _read(
        "", '<style name="T1" family="text"/><style name="T1" family="paragraph" default-outline-level="3"/>'
    )
    assert styles["text T1"].level == 0
    assert styles["paragraph T1"].level == 3


def test_looks_are_read_in_points() -> None:
    styles = _read(
        '<default-style family="paragraph"><text-properties font-size="12pt"/></default-style>'
        '<style name="Standard" family="paragraph"/>'
        '<style name="Big" family="paragraph" parent-style-name="Standard">'
        '<text-properties font-size="0.5in" font-weight="bold"/>'
        '<paragraph-properties text-align="center"/></style>'
        '<style name="Odd" family="paragraph"><text-properties font-size="120%"/></style>'
    )
    assert styles["paragraph Standard"].size == 12.0
    assert (styles["paragraph Big"].size, styles["paragraph Big"].bold, styles["paragraph Big"].centred) == (
        36,
        True,
        True,
    )
    assert styles["paragraph Odd"].size == 12.0


def test_a_change_of_the_kind_of_page_is_a_new_page() -> None:
    assert _read("", '<style name="P1" family="paragraph" master-page-name="First"/>')["paragraph P1"].new_page


def test_hidden_letters_and_sections() -> None:
    styles = _read(
        "",
        '<style name="T1" family="text"><text-properties display="none"/></style>'
        '<style name="S1" family="section"><section-properties display="none"/></style>',
    )
    assert styles["text T1"].hidden
    assert styles["section S1"].hidden
