"""Files made to do harm, each small on the disk or quickly made: what `benchmarks.hostile --made` reads.

Every one is read, or refused with a reason, within the limits of one work.
"""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from fuzz import seeds
from fuzz.bomb_pdfs import DEEP, pdfs

_WORDS = "The ferry left at six, and nobody had told the ferryman. "
_ENTITIES = (
    '<!DOCTYPE x [<!ENTITY a0 "ha ">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    + '<!ENTITY f SYSTEM "file:///etc/passwd"><!ENTITY h SYSTEM "http://127.0.0.1:9/x">'
    + '<!ENTITY % p SYSTEM "http://127.0.0.1:9/y"> %p;]>'
)
_USES = "&a11; &f; &h;"


def _nested(opening: str, closing: str, inside: str = "words") -> str:
    return opening * DEEP + inside + closing * DEEP


def _texts() -> dict[str, str]:
    """Text for every reader of text: what patterns and tables take long over."""
    million = 1_000_000
    return {
        "one-line": _WORDS * 400_000,
        "line-ends": "\n" * 5 * million,
        "spaces": f"{' ' * 3 * million}x",
        "spaces-between": f"a{' ' * 1000}\n" * 3000,
        "combining": "e" + "\u0301\u0323" * million,
        "bidi": "\u202e" * million + "words",
        "nul": "\x00" * 3 * million + "words",
        "stops": "a." * million,
        "quotes": "“" * million,
        "dashes": "—" * million + "\n" + "-" * million,
        "digits": "1" * million + "\n" + "I" * million + "\n" + "MDCLXVI" * 100_000,
        "brackets": "(" * million + "\n" + "[" * million + "\n" + "<" * million + "&" * million,
        "stars": "* " * 300_000 + "\n" + "_a" * 300_000 + "\n" + "`" * 300_000,
        "chapters": "\n\n".join(f"CHAPTER {n}\n\nA line of words for it." for n in range(20_000)),
        "lines": "".join(f"Line number {n} of verse\n" for n in range(200_000)),
        "notes": "".join(f"[{n}] A note. " for n in range(100_000)),
        "hyphens": "in-\nto " * 200_000,
        "speakers": "".join(f"KEEPER {n}. Nine up.\n\n" for n in range(30_000)),
    }


def _markdown() -> dict[str, str]:
    return {
        "quotes": ">" * DEEP + " words",
        "quoted-lines": "> " * DEEP + "words",
        "lists": "".join(f"{'  ' * n}- words\n" for n in range(1000)),
        "bullets": "- " * DEEP + "words",
        "links": "[a](" * DEEP,
        "brackets": "[" * DEEP + "]" * DEEP,
        "emphasis": "*a **b " * DEEP,
        "fences": "".join("`" * n + "\n" for n in range(1, 1500)),
        "headings": "#" * DEEP + " words",
        "references": "".join(f"[r{n}]: x\n" for n in range(30_000)) + "[r1]" * 30_000,
        "table": "|a" * DEEP + "\n" + "|-" * DEEP + "\n" + "|b" * DEEP,
    }


def _markup() -> dict[str, str]:
    """Pages, for HTML and for the chapters of an EPUB."""
    xhtml = '<html xmlns="http://www.w3.org/1999/xhtml">'
    return {
        "divs": f"{xhtml}<body>{_nested('<div>', '</div>')}</body></html>",
        "spans": f"{xhtml}<body><p>{_nested('<i>', '</i>')}</p></body></html>",
        "open": f"<html><body>{'<p><b>' * DEEP}words",
        "tables": f"<html><body>{'<table><tr><td>' * 20_000}words",
        "lists": f"<html><body>{'<ul><li>' * 30_000}words",
        "attributes": f"<html><body><p {' '.join(f'a{n}={n}' for n in range(DEEP))}>words</p>",
        "classes": f"<html><body><p class='{'x ' * DEEP}'>words</p>",
        "comments": f"<html><body><p>words</p>{'<!--' * DEEP}",
        "entities": f"{_ENTITIES}<html><body><p>The horror. {_USES}</p></body></html>",
        "anchors": "<html><body>" + "".join(f'<a id="n{n}" href="#n{n + 1}">1</a>' for n in range(30_000)),
        "styles": "<html><style>" + "p>b{x:y}" * 100_000 + "</style><body><p>words</p>",
        "numbers": "<html><body><p>" + "&#x202e;&#0;&#xd800;&#x10ffff;" * 100_000,
    }


def _trees() -> dict[str, bytes]:
    """Nesting and entities in XML that is no page, JSON, RTF."""
    w = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    tei = '<TEI xmlns="http://www.tei-c.org/ns/1.0"><text><body>'
    body = f"<w:document {w}><w:body>"
    cells = _nested("<w:tbl><w:tr><w:tc>", "</w:tc></w:tr></w:tbl>", "<w:p><w:r><w:t>words</w:t></w:r></w:p>")
    table = f"{body}{cells}</w:body></w:document>"
    entity = f"{_ENTITIES}{body}<w:p><w:r><w:t>The horror. {_USES}</w:t></w:r></w:p></w:body></w:document>"
    content = seeds.CONTENT.replace("<text:p>", _nested("<text:section>", "", "<text:p>"), 1)
    opf = _nested("<x>", "</x>", "")
    return {
        "deep.tei": f"{tei}{_nested('<div>', '</div>', '<p>words</p>')}</body></text></TEI>".encode(),
        "entities.tei": f"{_ENTITIES}{tei}<p>The horror. {_USES}</p></body></text></TEI>".encode(),
        "deep.docx": seeds.docx(table),
        "entities.docx": seeds.docx(entity),
        "deep.odt": seeds.odt(content),
        "entities.odt": seeds.odt(_ENTITIES + seeds.CONTENT.replace("</text:p>", f"{_USES}</text:p>", 1)),
        "deep.json": b"[" * DEEP,
        "deep-closed.json": ("[" * DEEP + "]" * DEEP).encode(),
        "deep-row.jsonl": b'{"text": ' + b'{"a":' * DEEP + b"\n" + json.dumps({"text": _WORDS}).encode(),
        "number.jsonl": b'{"text": ' + b"9" * 1_000_000 + b"}\n" + json.dumps({"text": _WORDS}).encode(),
        "keys.jsonl": json.dumps({f"k{n}": _WORDS for n in range(50_000)}).encode(),
        "columns.csv": b",".join(b"c%d" % n for n in range(100_000)) + b"\n" + b"a," * 100_000,
        "open-quote.csv": b'text,title\n"' + _WORDS.encode() * 300_000,
        "groups.rtf": rb"{\rtf1 " + b"{" * DEEP + b"words" + b"}" * (DEEP + 1),
        "picture.rtf": rb"{\rtf1 {\pict " + b"0f" * 5_000_000 + rb"} words\par}",
        "binary.rtf": rb"{\rtf1 \bin2147483647 words\par}",
        "controls.rtf": rb"{\rtf1 " + rb"\u8238?\'00" * 200_000 + rb"words\par}",
        "package.epub": seeds.zipped({"META-INF/container.xml": opf, "b.opf": opf, "a.xhtml": seeds.PAGE}),
    }


def _archives() -> dict[str, bytes]:
    long = seeds.PAGE.replace("<p>", f"<p>{_WORDS * 4000}")
    inner = seeds.epub()
    for _ in range(5):
        inner = seeds.zipped({"inner.epub": inner})
    big = seeds.PAGE.replace("<p>", f"<p>{' ' * 20_000_000}", 1)
    package, container = _package(["a.xhtml"] * 1000)
    shared = {"META-INF/container.xml": container, "b.opf": package}
    return {
        "bomb.epub": seeds.epub(big),
        "bomb.docx": seeds.docx(seeds.DOCUMENT.replace("<w:t", f"<w:t>{' ' * 30_000_000}</w:t><w:t", 1)),
        "bomb-meta.odt": seeds.zipped({"mimetype": " " * 10_000_000, "content.xml": seeds.CONTENT}),
        "lying.epub": _lying(seeds.epub(big)),
        "overlapping.epub": _overlapping(500),
        "nested.epub": inner,
        "thousand-chapters-one-file.epub": seeds.zipped(shared | {"a.xhtml": long}),
        "many-entries.epub": seeds.zipped({f"e{n}": "" for n in range(30_000)}),
        "outside.epub": seeds.zipped(
            {"META-INF/container.xml": container.replace("b.opf", "../../../etc/passwd"), "/etc/passwd": "x"}
        ),
        "twice.docx": _twice(),
    }


def _package(pages: Sequence[str]) -> tuple[str, str]:
    """The list of an EPUB's pages, and what leads to it."""
    items = "".join(
        f'<item id="c{number}" href="{page}" media-type="application/xhtml+xml"/>' for number, page in enumerate(pages)
    )
    spine = "".join(f'<itemref idref="c{number}"/>' for number in range(len(pages)))
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf"><metadata/><manifest>'
        f"{items}</manifest><spine>{spine}</spine></package>"
    )
    return package, '<container><rootfiles><rootfile full-path="b.opf"/></rootfiles></container>'


def _lying(data: bytes) -> bytes:
    """Every size in the archive's directory, and in its entries, becomes 10 bytes."""
    changed = bytearray(data)
    for sign, place in ((b"PK\x01\x02", 24), (b"PK\x03\x04", 22)):
        at = changed.find(sign)
        while at >= 0:
            changed[at + place : at + place + 4] = struct.pack("<I", 10)
            at = changed.find(sign, at + 4)
    return bytes(changed)


def _overlapping(count: int) -> bytes:
    """Many names for one stream."""
    packed = zlib.compressobj(9, zlib.DEFLATED, -15)
    stream = packed.compress(b"<p>words" * 250_000) + packed.flush()
    local = struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, 8, 0, 33, 0, len(stream), 2_000_000, 6, 0) + b"a.html"
    names = [f"{n:02}.html".encode() for n in range(count)]
    entries = b"".join(
        struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", 20, 20, 0, 8, 0, 33, 0, len(stream), 2_000_000, len(name),
                    0, 0, 0, 0, 0, 0) + name
        for name in [b"book.opf", *names]
    )  # fmt: skip
    body = local + stream
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, count + 1, count + 1, len(entries), len(body), 0)
    return body + entries + end


def _twice() -> bytes:
    """Two entries of one name."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", seeds.DOCUMENT)
        with _silently():
            archive.writestr("word/document.xml", " " * 1000)
    return out.getvalue()


def _silently():  # type: ignore[no-untyped-def]
    import warnings

    return warnings.catch_warnings(action="ignore")


def bombs() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Each file's name and what makes its bytes: one at a time, as some are large."""
    for name, text in _texts().items():
        for suffix in ("txt", "md"):
            yield f"{name}.{suffix}", text.encode
        yield f"{name}.html", f"<html><body><p>{text}</p></body></html>".encode
        yield f"{name}.rtf", lambda text=text: (r"{\rtf1 " + text + r"\par}").encode()
        yield f"{name}.jsonl", lambda text=text: json.dumps({"text": text}).encode()
    yield from ((f"md-{name}.md", text.encode) for name, text in _markdown().items())
    for name, text in _markup().items():
        yield f"page-{name}.html", text.encode
        yield f"page-{name}.epub", lambda text=text: seeds.epub(text)
    for made in (_trees, _archives, pdfs):
        yield from ((name, lambda data=data: data) for name, data in made().items())


def cut() -> Iterator[tuple[str, bytes]]:
    """Healthy files of every kind, and what is left of them when they are cut off: nothing, a little, nearly all."""
    kinds = ("txt", "md", "html", "epub", "pdf", "docx", "odt", "rtf", "jsonl", "tei")
    for kind in kinds:
        data = seeds.seeds()[kind][0]
        suffix = "xml" if kind == "tei" else kind
        for share in (0, 1, 5, 30, 60, 90, 99, 100):
            yield f"cut-{share:03}.{suffix}", data[: len(data) * share // 100]


def large(folder: Path, size: int) -> Iterator[Path]:
    """Files of `size` bytes: one long line, many short ones; written piece by piece, each removed for the next."""
    words = _WORDS.encode()
    parts = {
        "line.txt": (b"", words, b""),
        "lines.txt": (b"", words + b"\n\n", b""),
        "line.html": (b"<html><body><p>", words, b"</p></body></html>"),
        "lines.html": (b"<html><body>", b"<p>" + words + b"</p>", b"</body></html>"),
        "lines.md": (b"", words + b"\n\n", b""),
        "lines.rtf": (rb"{\rtf1 ", words + rb"\par ", b"}"),
        "lines.tei": (b"<TEI><text><body>", b"<p>" + words + b"</p>", b"</body></text></TEI>"),
        "line.jsonl": (b'{"text": "', words, b'"}\n'),
        "rows.jsonl": (b"", b'{"text": "' + words * 20 + b'"}\n', b""),
        "cells.csv": (b"text,title\n", b'"' + words * 20 + b'",a\n', b""),
    }
    for name, (head, unit, tail) in parts.items():
        path = folder / f"large-{name}"
        block, (full, rest) = unit * 1000, divmod((size - len(head) - len(tail)) // len(unit), 1000)
        with path.open("wb") as file:
            file.write(head)
            for _ in range(full):
                file.write(block)
            file.write(unit * rest + tail)
        yield path
        path.unlink()
    yield _chapters(folder / "large-chapters.epub", size)
    (folder / "large-chapters.epub").unlink()


def _chapters(path: Path, size: int) -> Path:
    """A book of chapters whose text inflates to `size` in all."""
    chapter = seeds.PAGE.replace("<p>", f"<p>{_WORDS * 15_000}", 1)
    package, container = _package([f"c{n}.xhtml" for n in range(max(1, size // len(chapter)))])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("META-INF/container.xml", container)
        archive.writestr("b.opf", package)
        for number in range(max(1, size // len(chapter))):
            archive.writestr(f"c{number}.xhtml", chapter)
    return path


def write(folder: Path) -> Iterator[Path]:
    """Every one of these files in `folder`, made when it is asked for and removed when the next one is."""
    for name, make in (*bombs(), *((name, lambda data=data: data) for name, data in cut())):
        path = folder / name
        path.write_bytes(make())
        yield path
        path.unlink()
