"""Looking up in the XML of word processors."""

from __future__ import annotations

from pathlib import Path

import pytest
from lxml import etree

from bookfiles import zipped
from quire.books.archive import Archive
from quire.books.office.elements import attribute, child, children, number, optional_part, parse_part

TREE = etree.fromstring('<a xmlns:w="urn:any" w:val="7"><b/><w:B w:val="x"><c w:val="-1"/></w:B><c/></a>')


def test_names_count_whatever_their_namespace() -> None:
    assert attribute(TREE, "val") == "7"
    assert attribute(TREE, "other") == ""


def test_a_path_of_names_takes_the_first_of_each() -> None:
    assert child(TREE, "b", "c") is None  # the first b has none
    assert child(TREE, "c") is TREE[2]
    assert child(TREE, "nothing", "c") is None


@pytest.mark.parametrize(("said", "value"), [("7", 7), ("-1", None), ("x", None), ("٣", None), ("9" * 10, None)])
def test_only_plain_numbers_are_numbers(said: str, value: int | None) -> None:
    assert number(etree.fromstring(f'<a val="{said}"/>'), "val") == value
    assert number(None, "val") is None


def test_a_part_that_breaks_off_is_read_as_far_as_it_goes() -> None:
    root, wrong = parse_part(b"<a><t>said</t><t>cut", "t")
    assert root is not None
    assert wrong
    assert "".join(root.itertext()).startswith("said")
    assert parse_part(b"<a><t>said</t></a>", "t")[1] == ""


@pytest.mark.parametrize("data", [b"", b"no markup at all", b"<a><b>cut"])
def test_a_part_without_anything_wanted_is_none(data: bytes) -> None:
    root, wrong = parse_part(data, "t")
    assert root is None
    assert wrong


def test_a_part_without_an_element_is_none() -> None:
    for data in (b"", b" ", b"\x00", b"<", b"words alone"):
        root, wrong = parse_part(data, "p")
        assert root is None
        assert wrong


def test_children_are_found_by_name_the_first_of_each() -> None:
    assert children(TREE) == {"b": TREE[0], "c": TREE[2]}
    assert children(None) == {}


def test_a_part_that_a_book_can_do_without_is_named_when_it_is_broken(tmp_path: Path) -> None:
    path = zipped(tmp_path / "b.zip", {"good.xml": "<a/>", "bad.xml": "<a", "hurt.xml": f"<a>{'0123456789' * 50}</a>"})
    data = path.read_bytes()
    spot = data.rindex(b"hurt.xml", 0, data.index(b"PK\x01\x02")) + len("hurt.xml") + 4
    path.write_bytes(data[:spot] + bytes([data[spot] ^ 0xFF]) + data[spot + 1 :])
    archive, warnings = Archive(path), list[str]()
    assert optional_part(archive, "good.xml", warnings) is not None
    assert [optional_part(archive, name, warnings) for name in ("none.xml", "bad.xml", "hurt.xml")] == [None] * 3
    assert warnings == ["bad.xml is damaged and was left out", "hurt.xml is damaged and was left out"]
