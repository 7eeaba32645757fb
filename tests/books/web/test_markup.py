"""Pages of HTML and XHTML: parsed without outside help."""

from __future__ import annotations

from quire.books.web.markup import parse_page, parse_xml, types


def test_names_of_html_are_known_and_own_entities_are_not_expanded() -> None:
    assert parse_xml(b"<p>a&nbsp;b&eacute;&amp;</p>").text == "a\u00a0bé&"
    bomb = b'<!DOCTYPE p [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><p>&b;</p>'
    assert "ha" not in "".join(parse_xml(bomb).itertext())


def test_a_page_that_is_hardly_one_is_read_all_the_same() -> None:
    root = parse_page(b"<!DOCTYPE html><p>one<p>two & three")
    assert root is not None
    assert [element.text for element in root.iter("p")] == ["one", "two & three"]


def test_types_come_without_their_prefixes() -> None:
    source = b'<p xmlns:epub="http://www.idpf.org/2007/ops" epub:type="z3998:poem" role="doc-endnote">x</p>'
    assert types(parse_xml(source)) == {"poem", "endnote"}
