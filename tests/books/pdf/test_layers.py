"""The names of a PDF's layers that are off when it is opened."""

from __future__ import annotations

import zlib
from pathlib import Path

import pytest

import bookfiles as making
from quire.books.pdf import reader as pdf
from quire.books.pdf.layers import hidden_layers

LAYERS = b"5 0 obj\n<</Type/OCG/Name(Key)>>\nendobj\n6 0 obj\n<</Type/OCG/Name<FEFF005400E9>>>\nendobj\n"
HEAD = b"%PDF-1.5\n1 0 obj\n<</Type/Catalog/OCProperties"
PAGE = b"".join(b"BT /F 10 Tf 40 %d Td (The ferry left at dawn.) Tj ET\n" % (500 - 14 * n) for n in range(5))


@pytest.mark.parametrize(
    ("said", "names"),
    [
        (b"<</OCGs[5 0 R 6 0 R]/D<</OFF[5 0 R]>>>>", {"Key"}),
        (b"<</OCGs[5 0 R 6 0 R]/D<</OFF [ 5 0 R 6 0 R ]>>>>", {"Key", "Té"}),
        (b"<</OCGs[5 0 R 6 0 R]/D<</BaseState/OFF/ON[5 0 R]>>>>", {"Té"}),
        (b"<</OCGs[5 0 R 6 0 R]/D<</ON[5 0 R 6 0 R]>>>>", set()),
        (b"<</OCGs[5 0 R]/D 8 0 R>>", {"Key"}),
        (b" 9 0 R", {"Key"}),
        (b"<</OCGs[5 0 R]>>", set()),
        (b"<</OCGs[5 0 R 7 0 R 6 0 R]/D<</OFF[5 0 R 6 0 R]>>>>", {"Té"}),
    ],
)
def test_layers_are_off_by_name_or_by_all_but_name(said: bytes, names: set[str]) -> None:
    apart = b"7 0 obj\n<</Type/OCG/Name(Key)>>\nendobj\n8 0 obj\n<</OFF[5 0 R]>>\nendobj\n"
    apart += b"9 0 obj\n<</D<</OFF[5 0 R]>>>>\nendobj\n"
    assert hidden_layers(HEAD + said + b">>\nendobj\n" + LAYERS + apart) == names


def test_layers_in_packed_objects_are_found() -> None:
    body = b"<</Type/OCG/Name(Key)>>"
    stream = zlib.compress(b"5 0 " + body)
    packed = b"7 0 obj\n<</Type/ObjStm/N 1/First 4/Filter/FlateDecode>>\nstream\n" + stream + b"\nendstream\nendobj\n"
    assert hidden_layers(HEAD + b"<</D<</OFF[5 0 R]>>>>>>\nendobj\n" + packed) == {"Key"}


def test_text_of_a_layer_that_is_off_is_no_text_of_the_book(tmp_path: Path) -> None:
    objects = {5: b"<< /Type /OCG /Name (Key) >>"}
    catalogue = b"/OCProperties << /OCGs [5 0 R] /D << /OFF [5 0 R] >> >>"
    hidden = b"/OC /L BDC BT /F 10 Tf 40 300 Td (The answers.) Tj ET EMC\n"
    path = making.drawn_pdf(tmp_path / "a.pdf", [PAGE + hidden], catalogue=catalogue, objects=objects)
    path.write_bytes(path.read_bytes().replace(b"/Resources <<", b"/Resources << /Properties << /L 5 0 R >>"))
    (book,) = pdf.read(path)
    assert "answers" not in book.text
    assert ("hidden text", "The answers.") in [(drop.reason, drop.text) for drop in book.dropped]
