"""The parts of a Word document, by their relations."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from bookfiles import zipped
from quire.books.office.docx_package import Package, is_on
from quire.errors import BookError

_TYPE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"


def _relations(*pairs: tuple[str, str]) -> str:
    inner = "".join(f'<Relationship Id="r" Type="{_TYPE}{kind}" Target="{target}"/>' for kind, target in pairs)
    return f"<Relationships>{inner}</Relationships>"


def test_parts_lie_where_their_relations_say(tmp_path: Path) -> None:
    path = zipped(
        tmp_path / "b.docx",
        {
            "_rels/.rels": _relations(("officeDocument", "/deep/main.xml"), ("core-properties", "about.xml")),
            "deep/main.xml": "<document><t>text</t></document>",
            "deep/_rels/main.xml.rels": _relations(("footnotes", "../low.xml"), ("styles", "looks.xml")),
            "low.xml": "<footnotes/>",
            "deep/looks.xml": "<styles/>",
            "word/footnotes.xml": "<other/>",
        },
    )
    package = Package(path)
    assert package.main == "deep/main.xml"
    assert package.core == "about.xml"
    assert [name for name, _ in package.parts("footnotes")] == ["low.xml"]
    assert [name for name, _ in package.parts("styles")] == ["deep/looks.xml"]


def test_parts_are_found_by_their_usual_names_too(tmp_path: Path) -> None:
    path = zipped(tmp_path / "b.docx", {"word/document.xml": "<a/>", "word/styles.xml": "<styles/>"})
    assert [name for name, _ in Package(path).parts("styles")] == ["word/styles.xml"]


def test_what_lies_outside_is_not_asked_for(tmp_path: Path) -> None:
    outside = '<Relationships><Relationship Type="x/styles" Target="http://far.example/s" TargetMode="External"/>'
    outside += f'<Relationship Type="{_TYPE}header" Target="../../etc/passwd"/></Relationships>'
    entries = {"word/document.xml": "<a/>", "word/_rels/document.xml.rels": outside}
    package = Package(zipped(tmp_path / "b.docx", entries))
    assert package.parts("styles") == []
    assert package.parts("header") == []


def test_a_broken_part_is_left_out_and_named(tmp_path: Path) -> None:
    path = zipped(tmp_path / "b.docx", {"word/document.xml": "<a/>", "word/styles.xml": "<styles"})
    package = Package(path)
    assert package.parts("styles") == []
    assert package.warnings == ["word/styles.xml is damaged and was left out"]


def test_a_broken_main_part_gives_what_it_has_or_a_reason(tmp_path: Path) -> None:
    package = Package(zipped(tmp_path / "b.docx", {"word/document.xml": "<a><t>text</t><t>cut"}))
    assert package.document() is not None
    assert "read as far as it could be" in package.warnings[0]
    with pytest.raises(BookError) as refused:
        Package(zipped(tmp_path / "c.docx", {"word/document.xml": "<a><p>"})).document()
    assert refused.value.code == "damaged"


def test_an_archive_without_a_text_is_no_document(tmp_path: Path) -> None:
    with pytest.raises(BookError) as refused:
        Package(zipped(tmp_path / "b.docx", {"xl/workbook.xml": "<a/>"}))
    assert refused.value.code == "wrong-kind"


@pytest.mark.parametrize(
    ("mark", "on"), [("<b/>", True), ('<b val="1"/>', True), ('<b val="0"/>', False), ('<b val="off"/>', False)]
)
def test_switches_are_on_unless_switched_off(mark: str, on: bool) -> None:
    assert is_on(etree.fromstring(mark)) is on
    assert not is_on(None)
