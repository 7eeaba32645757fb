"""Book files that tests make themselves, byte by byte where it matters."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from quire.books.book import Book

PARAGRAPHS = [
    "The ferry left at six, and nobody had told the ferryman that the far bank was gone.",
    "“You will want your coat,” he said; “it is colder on the water than it looks from here.”",
    "She gave him the coin that her mother had sewn into the hem, and he bit it, and sighed.",
    "They went out under a sky the colour of pewter, and for an hour no one spoke at all.",
]


def zipped(path: Path, entries: Mapping[str, str | bytes]) -> Path:
    """A zip archive of these entries."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    return path


def epub(
    path: Path, pages: Mapping[str, str], title: str = "The Ferry", extra: Mapping[str, str] | None = None
) -> Path:
    """An EPUB whose spine holds these pages (name → inside of the body) in order."""
    items = "".join(
        f'<item id="i{n}" href="{name}" media-type="application/xhtml+xml"/>' for n, name in enumerate(pages)
    )
    spine = "".join(f'<itemref idref="i{n}"/>' for n, _ in enumerate(pages))
    opf = (
        '<package xmlns="http://www.idpf.org/2007/opf" xmlns:dc="http://purl.org/dc/elements/1.1/"><metadata>'
        f"<dc:title>{title}</dc:title><dc:creator>A. Writer</dc:creator><dc:language>en-GB</dc:language></metadata>"
        f"<manifest>{items}</manifest><spine>{spine}</spine></package>"
    )
    container = '<container><rootfiles><rootfile full-path="OEBPS/book.opf"/></rootfiles></container>'
    head = (
        '<html xmlns="http://www.w3.org/1999/xhtml" '
        'xmlns:epub="http://www.idpf.org/2007/ops"><head><title>x</title></head>'
    )
    entries: dict[str, str | bytes] = {"mimetype": "application/epub+zip", "META-INF/container.xml": container}
    entries["OEBPS/book.opf"] = opf
    entries |= {f"OEBPS/{name}": f"{head}{body}</html>" for name, body in pages.items()}
    return zipped(path, entries | dict(extra or {}))


def docx(path: Path, body: str, extra: Mapping[str, str] | None = None) -> Path:
    """A Word document with this inside of `w:body`."""
    document = (
        '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">'
        f"<w:body>{body}</w:body></w:document>"
    )
    return zipped(path, {"word/document.xml": document} | dict(extra or {}))


def word_paragraph(text: str, style: str = "") -> str:
    properties = f'<w:pPr><w:pStyle w:val="{style}"/></w:pPr>' if style else ""
    return f'<w:p>{properties}<w:r><w:t xml:space="preserve">{text}</w:t></w:r></w:p>'


def odt(path: Path, body: str, meta: str = "") -> Path:
    """An OpenDocument text with this inside of `office:text`."""
    spaces = (
        'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
        'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    )
    content = (
        f"<office:document-content {spaces}><office:body><office:text>"
        f"{body}</office:text></office:body></office:document-content>"
    )
    about = f"<office:document-meta {spaces}><office:meta>{meta}</office:meta></office:document-meta>"
    entries = {"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": content, "meta.xml": about}
    return zipped(path, entries)


Placed = tuple[float, float, float, str]
"""A line of a page: x, y (upwards), size in points, text."""


def pdf(path: Path, pages: Sequence[Sequence[Placed]], image: bool = False, password: bytes | None = None) -> Path:
    """A PDF of 360 × 540 points set in Helvetica; with `image` a picture fills each page; with `password` it is locked
    (RC4, 40 bits: PDF reference 1.3, algorithms 3.1-3.4)."""
    objects: dict[int, bytes] = {}
    identity = b"0123456789abcdef"
    key, encrypt = _lock(password, identity) if password is not None else (None, b"")
    kids = " ".join(f"{10 + 2 * n} 0 R" for n in range(len(pages)))
    objects[1] = b"<< /Type /Catalog /Pages 2 0 R >>"
    objects[2] = f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>".encode()
    objects[3] = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
    pixel = (
        b"<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8 /Length 1 >>"
    )
    objects[4] = pixel + b"\nstream\n\x80\nendstream"
    for n, lines in enumerate(pages):
        content = b"q 360 0 0 540 0 0 cm /I Do Q\n" if image else b""
        for x, y, size, text in lines:
            shown = text.encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
            content += f"BT /F {size} Tf {x} {y} Td (".encode() + shown + b") Tj ET\n"
        packed = zlib.compress(content)
        if key is not None:
            packed = _rc4(_object_key(key, 11 + 2 * n), packed)
        objects[10 + 2 * n] = (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 360 540] /Resources << /Font << /F 3 0 R >> "
            b"/XObject << /I 4 0 R >> >> /Contents " + f"{11 + 2 * n} 0 R >>".encode()
        )
        head = f"<< /Filter /FlateDecode /Length {len(packed)} >>\nstream\n".encode()
        objects[11 + 2 * n] = head + packed + b"\nendstream"
    return _write_pdf(path, objects, encrypt, identity)


def drawn_pdf(
    path: Path,
    contents: Sequence[bytes],
    page: bytes = b"",
    catalogue: bytes = b"",
    resources: bytes = b"",
    objects: Mapping[int, bytes] | None = None,
    info: bytes = b"",
) -> Path:
    """A PDF of 360 × 540 points whose pages are drawn by the operators in `contents`, with Helvetica as `/F` and a grey
    pixel as `/I`; `page`, `catalogue` and `resources` are more entries of those dictionaries, `objects` what they name
    (from 4 to 9)."""
    kids = " ".join(f"{10 + 2 * n} 0 R" for n in range(len(contents)))
    made: dict[int, bytes] = {
        1: b"<< /Type /Catalog /Pages 2 0 R " + catalogue + b" >>",
        2: f"<< /Type /Pages /Kids [{kids}] /Count {len(contents)} >>".encode(),
        3: b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        4: b"<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8 "
        b"/Length 1 >>\nstream\n\x80\nendstream",
        **(objects or {}),
    }
    for n, content in enumerate(contents):
        made[10 + 2 * n] = (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 360 540] /Resources << /Font << /F 3 0 R >> /XObject << "
            b"/I 4 0 R " + resources + b" >> >> /Contents " + f"{11 + 2 * n} 0 R ".encode() + page + b" >>"
        )
        made[11 + 2 * n] = f"<< /Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream"
    if info:
        made[9] = b"<< " + info + b" >>"
    return _write_pdf(path, dict(sorted(made.items())), b"/Info 9 0 R " if info else b"", b"0123456789abcdef")


def _write_pdf(path: Path, objects: Mapping[int, bytes], encrypt: bytes, identity: bytes) -> Path:
    data = bytearray(b"%PDF-1.4\n")
    offsets = {}
    for number, content in objects.items():
        offsets[number] = len(data)
        data += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    start = len(data)
    last = max(objects)
    data += f"xref\n0 {last + 1}\n0000000000 65535 f \n".encode()
    for number in range(1, last + 1):
        data += f"{offsets[number]:010d} 00000 n \n".encode() if number in offsets else b"0000000000 65535 f \n"
    trailer = f"trailer << /Size {last + 1} /Root 1 0 R ".encode() + encrypt
    data += trailer + b"/ID [<" + identity.hex().encode() * 1 + b"> <" + identity.hex().encode() + b">] >>\n"
    path.write_bytes(bytes(data) + f"startxref\n{start}\n%%EOF\n".encode())
    return path


_PAD = bytes.fromhex("28BF4E5E4E758A4164004E56FFFA01082E2E00B6D0683E802F0CA9FE6453697A")


def _rc4(key: bytes, data: bytes) -> bytes:
    box = list(range(256))
    j = 0
    for i in range(256):
        j = (j + box[i] + key[i % len(key)]) % 256
        box[i], box[j] = box[j], box[i]
    out = bytearray()
    i = j = 0
    for byte in data:
        i = (i + 1) % 256
        j = (j + box[i]) % 256
        box[i], box[j] = box[j], box[i]
        out.append(byte ^ box[(box[i] + box[j]) % 256])
    return bytes(out)


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _lock(password: bytes, identity: bytes) -> tuple[bytes, bytes]:
    padded = (password + _PAD)[:32]
    owner = _rc4(_md5(padded)[:5], padded)
    permissions = (-4).to_bytes(4, "little", signed=True)
    key = _md5(padded + owner + permissions + identity)[:5]
    user = _rc4(key, _PAD)
    entry = f"/Encrypt << /Filter /Standard /V 1 /R 2 /O <{owner.hex()}> /U <{user.hex()}> /P -4 >> ".encode()
    return key, entry


def _object_key(key: bytes, number: int) -> bytes:
    return _md5(key + number.to_bytes(3, "little") + b"\x00\x00")[:10]


VERSE = "The tide went out,\nThe tide came in."


def blocks(book: Book, chapter: int = 0) -> list[tuple[str, str]]:
    """Kinds and texts of a chapter's blocks."""
    return [(block.kind, block.text) for block in book.chapters[chapter].blocks]


def assert_small_book(book: Book) -> None:
    """That this is the book which every format's test writes in its own way."""
    assert (book.title, book.author) == ("The Ferry", "A. Writer")
    assert [chapter.title for chapter in book.chapters] == ["I. The Boat", "II. The Bank"]
    assert blocks(book) == [("paragraph", PARAGRAPHS[0]), ("paragraph", PARAGRAPHS[1]), ("verse", VERSE)]
    assert blocks(book, 1) == [("paragraph", PARAGRAPHS[2]), ("paragraph", PARAGRAPHS[3])]
