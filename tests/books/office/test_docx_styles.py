"""The styles part of a Word document."""

from __future__ import annotations

from pathlib import Path

from lxml import etree

import bookfiles as making
from quire.books.office.docx_package import Package
from quire.books.office.docx_styles import outline_level, points, read_styles, switch
from quire.books.office.styles import Style

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def _styles(tmp_path: Path, inner: str) -> dict[str, Style]:
    parts = {"word/styles.xml": f"<w:styles {W}>{inner}</w:styles>"}
    return read_styles(Package(making.docx(tmp_path / "b.docx", "", parts)))


def _style(identity: str, name: str, inner: str = "", more: str = 'w:type="paragraph"') -> str:
    return f'<w:style {more} w:styleId="{identity}"><w:name w:val="{name}"/>{inner}</w:style>'


def test_a_style_says_how_it_sets_a_paragraph(tmp_path: Path) -> None:
    look = '<w:pPr><w:pageBreakBefore/><w:jc w:val="center"/></w:pPr><w:rPr><w:b/><w:sz w:val="33"/></w:rPr>'
    style = _styles(tmp_path, _style("Opening", "Opening", look))["Opening"]
    assert style == Style("opening", bold=True, size=16.5, centred=True, new_page=True)


def test_the_usual_style_is_that_of_paragraphs_that_name_none(tmp_path: Path) -> None:
    usual = _style("Std", "Normal", '<w:rPr><w:sz w:val="24"/></w:rPr>', 'w:type="paragraph" w:default="1"')
    styles = _styles(tmp_path, usual + _style("C", "Default Font", "", 'w:type="character" w:default="1"'))
    assert styles[""].size == 12.0
    assert styles[""].name == "normal"


def test_names_of_letters_styles_are_no_headings(tmp_path: Path) -> None:
    assert _styles(tmp_path, _style("H", "heading 1", "", 'w:type="character"'))["H"].level == 0


def test_an_outline_rank_makes_a_heading_and_body_text_unmakes_it(tmp_path: Path) -> None:
    styles = _styles(
        tmp_path,
        _style("Low", "Low", '<w:pPr><w:outlineLvl w:val="2"/></w:pPr>')
        + _style("Body", "Body", '<w:basedOn w:val="Low"/><w:pPr><w:outlineLvl w:val="9"/></w:pPr>'),
    )
    assert (styles["Low"].level, styles["Body"].level) == (3, 0)


def test_values_that_are_none_say_nothing() -> None:
    assert points(None) is None
    assert points(etree.fromstring('<sz val="big"/>')) is None
    assert switch(None) is None
    assert outline_level(None) is None
    assert outline_level(etree.fromstring('<pPr><outlineLvl val="x"/></pPr>')) is None
