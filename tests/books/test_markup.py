"""Pages of HTML and XHTML: parsed without outside help."""

from __future__ import annotations

import pytest

from quire.books.markup import formula_text, parse_page, parse_xml, plain_text, types

_PAGE = "<html><head>{}</head><body><p>“Déjà,” she said — l’été.</p>{}</body></html>"


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


@pytest.mark.parametrize("broken", ["", "<p>open & more", "<x:y>z</x:y>"])
@pytest.mark.parametrize(
    ("head", "encoding"),
    [
        ("", "utf-8"),
        ("", "cp1252"),
        ("<meta charset='iso-8859-1'>", "cp1252"),
        ("<meta charset='iso-8859-1'>", "utf-8"),
        ("<meta charset='utf-8'/>", "cp1252"),
        ("<meta http-equiv='Content-Type' content='text/html; charset=utf-16'/>", "utf-8"),
        ("", "utf-16"),
        ("<meta charset='klingon'/>", "utf-8"),
    ],
)
def test_a_page_is_read_in_the_encoding_that_it_is_in(head: str, encoding: str, broken: str) -> None:
    root = parse_page(_PAGE.format(head, broken).encode(encoding))
    assert root is not None
    assert "“Déjà,” she said — l’été." in plain_text(root)


def test_the_declaration_of_xml_is_believed_where_it_can_be() -> None:
    for declared, encoding in [("windows-1252", "cp1252"), ("iso-8859-1", "cp1252"), ("utf-8", "cp1252")]:
        data = f"<?xml version='1.0' encoding='{declared}'?>{_PAGE.format('', '')}".encode(encoding)
        root = parse_page(data)
        assert root is not None
        assert "“Déjà,” she said — l’été." in plain_text(root)


def test_numbers_that_mean_windows_characters_are_those() -> None:
    root = parse_xml(b"<p>it&#146;s &#151; and &#8230;</p>")
    assert root.text == "it’s — and …"


def test_names_that_a_page_makes_for_characters_are_read_and_longer_ones_are_not() -> None:
    head = b'<!DOCTYPE html [<!ENTITY D "&#x2014;"><!ENTITY o "\xe2\x80\x98"><!ENTITY big "a long enough text">]>'
    root = parse_page(head + b"<p>So&D;&o;tis &big;so</p>")
    assert root is not None
    assert (root.text, [child.tail for child in root]) == ("So—‘tis ", ["so"])


def test_what_reads_a_broken_page_takes_no_entity_for_a_word() -> None:
    bomb = b'<!DOCTYPE p [<!ENTITY a "darkness"><!ENTITY b "&a;&a;&a;">]><p>The horror. &b;<br></p>'
    root = parse_page(bomb)
    assert root is not None
    assert "".join(root.itertext("p")) == "The horror. "


def test_a_formula_is_read_by_its_signs_without_notes_for_programs() -> None:
    row = "<mtr><mtd><mn>1</mn></mtd><mtd><mn>0</mn></mtd></mtr>"
    source = (
        "<math alttext='x squared'><semantics><mrow><msup><mi>x</mi><mn>2</mn></msup></mrow>"
        "<annotation encoding='TeX'>x^2</annotation></semantics></math>"
    )
    assert formula_text(parse_xml(source.encode())) == "x2"
    assert formula_text(parse_xml(f"<math><mtable>{row}</mtable></math>".encode())) == "1 0"
    assert formula_text(parse_xml(b"<math alttext='a plus b'/>")) == "a plus b"


@pytest.mark.parametrize("tag", ["div", "span", "font size='2'", "blockquote", "table><tr><td", "x:y"])
@pytest.mark.parametrize("depth", [300, 20_000])
def test_a_page_nested_beyond_reason_keeps_its_text(tag: str, depth: int) -> None:
    root = parse_page(f"<html><body>{f'<{tag}>' * depth}<h2>I</h2><p>One.</p><p>Two.</p></body></html>".encode())
    assert root is not None
    assert plain_text(root) == "I One. Two."
    assert [element.text for element in root.iter("h2", "p") if element.text] == ["I", "One.", "Two."]


def test_tags_that_are_never_closed_lose_nothing() -> None:
    page = "".join(f"<p><font size=2><i>Paragraph {number}." for number in range(2000))
    root = parse_page(f"<html><body>{page}</body></html>".encode())
    assert root is not None
    assert plain_text(root).endswith("Paragraph 1999.")


def test_an_element_of_countless_attributes_is_read_without_them() -> None:
    crowd = " ".join(f'a{number}="1"' for number in range(100_000))
    root = parse_page(f"<html><body><p {crowd}>One.</p></body></html>".encode())
    assert root is not None
    assert plain_text(root) == "One."
