"""The package of an EPUB: metadata, order, roles, labels, and what to do without them."""

from __future__ import annotations

from pathlib import Path

import pytest

from bookfiles import zipped
from quire.books.archive import Archive
from quire.books.web.package import Label, Package, hidden_classes, read_package
from quire.errors import BookError

_CONTAINER = '<container><rootfiles><rootfile full-path="{}"/></rootfiles></container>'
_OPF = (
    '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:opf="http://www.idpf.org/2007/opf"><metadata>{}</metadata><manifest>{}</manifest>{}</package>'
)
_PAGE = "<html><body><p>Text.</p></body></html>"


def item(name: str, kind: str = "application/xhtml+xml", more: str = "", href: str = "") -> str:
    return f'<item id="{name}" href="{href or name}" media-type="{kind}" {more}/>'


def spine(*names: str) -> str:
    return "<spine>" + "".join(f'<itemref idref="{name}"/>' for name in names) + "</spine>"


def package(path: Path, opf: str, entries: dict[str, str]) -> Package:
    made = {"META-INF/container.xml": _CONTAINER.format("O/b.opf"), "O/b.opf": opf}
    made |= {f"O/{name}": data for name, data in entries.items()}
    return read_package(path, Archive(zipped(path, made)))


def test_title_and_authors_are_the_main_ones(tmp_path: Path) -> None:
    about = (
        '<dc:title id="s">A Series</dc:title><dc:title id="t">The Ferry</dc:title>'
        '<meta refines="#t" property="title-type">main</meta><dc:creator opf:role="ill">D. Raughtsman</dc:creator>'
        '<dc:creator id="c">A. Writer</dc:creator><meta refines="#c" property="role">aut</meta>'
        "<dc:language>en-GB</dc:language>"
    )
    found = package(tmp_path / "b.epub", _OPF.format(about, item("a.xhtml"), spine("a.xhtml")), {"a.xhtml": _PAGE})
    assert (found.title, found.author, found.language) == ("The Ferry", "A. Writer", "en-GB")


def test_names_are_found_escaped_and_in_another_case(tmp_path: Path) -> None:
    manifest = item("a", href="Mon%20Livre.xhtml") + item("b", href="TEXT.XHTML") + item("c", href="100%25.xhtml")
    entries = {"Mon Livre.xhtml": _PAGE, "text.xhtml": _PAGE, "100%.xhtml": _PAGE}
    found = package(tmp_path / "b.epub", _OPF.format("", manifest, spine("a", "b", "c")), entries)
    assert found.spine == ["O/Mon Livre.xhtml", "O/text.xhtml", "O/100%.xhtml"]
    assert found.missing == []


def test_pages_out_of_order_missing_and_foreign(tmp_path: Path) -> None:
    manifest = item("a") + item("n") + item("p", "application/pdf", 'fallback="f"') + item("f") + item("gone")
    order = (
        '<spine><itemref idref="a"/><itemref idref="n" linear="no"/><itemref idref="p"/><itemref idref="gone"/></spine>'
    )
    found = package(tmp_path / "b.epub", _OPF.format("", manifest, order), {"a": _PAGE, "n": _PAGE, "f": _PAGE})
    assert (found.spine, found.aside, found.missing) == (["O/a", "O/f"], ["O/n"], ["O/gone"])


def test_fallbacks_in_a_circle_end(tmp_path: Path) -> None:
    manifest = item("p", "application/pdf", 'fallback="q"') + item("q", "application/pdf", 'fallback="p"') + item("a")
    entries = {"p": "x", "q": "x", "a": _PAGE}
    assert package(tmp_path / "b.epub", _OPF.format("", manifest, spine("p", "a")), entries).spine == ["O/a"]


def test_pictures_in_the_spine_are_counted(tmp_path: Path) -> None:
    opf = _OPF.format("", item("1.jpg", "image/jpeg") + item("a"), spine("1.jpg", "a"))
    found = package(tmp_path / "b.epub", opf, {"1.jpg": "x", "a": _PAGE})
    assert (found.spine, found.pictures) == (["O/a"], 1)


def test_without_a_spine_the_pages_of_the_manifest_are_read(tmp_path: Path) -> None:
    opf = _OPF.format("", item("b.xhtml") + item("a.xhtml"), "")
    found = package(tmp_path / "b.epub", opf, {"a.xhtml": _PAGE, "b.xhtml": _PAGE})
    assert found.spine == ["O/b.xhtml", "O/a.xhtml"]


def test_labels_come_from_the_nav_and_else_from_the_ncx(tmp_path: Path) -> None:
    nav = (
        '<html xmlns:epub="http://www.idpf.org/2007/ops"><body><nav epub:type="toc"><ol>'
        '<li><a href="a">Part</a><ol><li><a href="a#x%20y">One</a></li></ol></li></ol></nav></body></html>'
    )
    ncx = (
        '<ncx><navMap><navPoint><navLabel><text>The Boat</text></navLabel><content src="a"/></navPoint></navMap></ncx>'
    )
    manifest = item("a") + item("t", "application/x-dtbncx+xml") + item("n", more='properties="nav"')
    entries = {"a": _PAGE, "t": ncx, "n": nav}
    both = package(tmp_path / "b.epub", _OPF.format("", manifest, spine("a")), entries)
    assert both.labels == {"O/a": [Label("", "Part", 1), Label("x y", "One", 2)]}
    broken = entries | {"n": "<html><body><p>lost</p></body></html>"}
    assert package(tmp_path / "c.epub", _OPF.format("", manifest, spine("a")), broken).labels == {
        "O/a": [Label("", "The Boat", 2)]
    }


def test_roles_come_from_the_guide_and_the_landmarks(tmp_path: Path) -> None:
    nav = (
        '<html xmlns:epub="http://www.idpf.org/2007/ops"><body><nav epub:type="landmarks"><ol><li>'
        '<a epub:type="titlepage" href="a">Title</a></li></ol></nav></body></html>'
    )
    guide = '<guide><reference type="cover" href="c"/><reference type="text" href="d"/></guide>'
    manifest = item("a") + item("c") + item("d") + item("n", more='properties="nav"')
    opf = _OPF.format("", manifest, spine("c", "a", "d") + guide)
    found = package(tmp_path / "b.epub", opf, {"a": _PAGE, "c": _PAGE, "d": _PAGE, "n": nav})
    assert found.roles == {"O/a": "title page", "O/c": "cover", "O/n": "contents"}


def test_classes_that_are_not_shown() -> None:
    sheet = (
        "/* .no {display:none} */ .ghost, p.veil { display : none } .seen { color: red } "
        "div .deep { visibility: hidden } @media amzn-kf8 { .kindle { display: none } }"
    )
    assert hidden_classes(sheet) == {"ghost", "veil"}


def test_a_style_sheet_without_rules_is_gone_through_once() -> None:
    """The square of its length would be minutes."""
    assert hidden_classes("none" + "a" * 300_000) == set()
    assert hidden_classes("none" + "@media" * 50_000) == set()


def test_an_archive_without_a_package_is_no_epub(tmp_path: Path) -> None:
    path = zipped(tmp_path / "b.epub", {"a.txt": "x"})
    with pytest.raises(BookError, match="no package file") as raised:
        read_package(path, Archive(path))
    assert raised.value.code == "wrong-kind"


def test_a_package_that_is_not_well_formed_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    opf = _OPF.format("<dc:title>The Ferry & more</dc:title>", item("a"), spine("a"))
    assert package(tmp_path / "b.epub", opf, {"a": _PAGE}).spine == ["O/a"]
