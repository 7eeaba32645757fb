"""What fuzzing begins with: one small healthy file of every kind, made here, and words that parsers look for."""

from __future__ import annotations

import io
import json
import zipfile
import zlib

from quire.books.book import Block, Book, Chapter, Dropped, Place
from quire.books.walls.wire import pack_book, pack_fault, pack_kind

PROSE = [
    "The lock-keeper had counted barges for forty years, and tonight for the first time the count was wrong.",
    "“Nine up, eight down,” she said; “so there is one in the hill that will not come out.”",
    "Her brother put on his coat. “Then we had better go and ask it why,” he said, and took the lamp.",
]
_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_XHTML = 'xmlns="http://www.w3.org/1999/xhtml" xmlns:epub="http://www.idpf.org/2007/ops"'
_ODF = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"'
)
PAGE = (
    f'<html {_XHTML}><head><title>t</title></head><body><section epub:type="chapter"><h2>I</h2><p>{PROSE[0]}'
    f'<a epub:type="noteref" href="#n1">1</a></p><p class="verse">Up the cut<br/>and down again</p><hr/><p>{PROSE[1]}'
    '</p></section><aside epub:type="footnote" id="n1"><p>1. Or ten.</p></aside></body></html>'
)
DOCUMENT = (
    f'<w:document {_W}><w:body><w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>One</w:t></w:r></w:p>'
    f'<w:p><w:r><w:t xml:space="preserve">{PROSE[0]} </w:t></w:r><w:ins><w:r><w:t>more</w:t></w:r></w:ins>'
    "<w:del><w:r><w:delText>less</w:delText></w:r></w:del><w:r><w:br/><w:tab/></w:r></w:p>"
    f"<w:tbl><w:tr><w:tc><w:p><w:r><w:t>{PROSE[1]}</w:t></w:r></w:p></w:tc></w:tr></w:tbl></w:body></w:document>"
)
CONTENT = (
    f'<office:document-content {_ODF}><office:body><office:text><text:h text:outline-level="1">One</text:h>'
    f'<text:p>{PROSE[0]}<text:note text:note-class="footnote"><text:note-citation>1</text:note-citation>'
    "<text:note-body><text:p>Or ten.</text:p></text:note-body></text:note></text:p>"
    f'<text:list><text:list-item><text:p>{PROSE[1]}<text:s text:c="3"/><text:line-break/></text:p></text:list-item>'
    "</text:list></office:text></office:body></office:document-content>"
)
TEI = (
    '<TEI xmlns="http://www.tei-c.org/ns/1.0"><teiHeader><fileDesc><titleStmt><title>The Cut</title></titleStmt>'
    '</fileDesc></teiHeader><text><body><div type="act"><head>Act I</head><stage>Night.</stage><sp who="#k">'
    f"<speaker>Keeper</speaker><l>Nine up</l><l>eight down</l></sp><p>{PROSE[0]}<note>Or ten.</note></p>"
    "<lg><l>Up the cut</l><l>and down</l></lg></div></body></text></TEI>"
)
TEXT = (
    "THE CUT\n\nCHAPTER I\n\n"
    + "\n\n".join(PROSE)
    + "\n\n* * *\n\n    Up the cut\n    and down again\n\nII\n\n[1] Or ten.\n"
)
MARKDOWN = (
    "---\ntitle: The Cut\n---\n# One\n\n" + "\n\n".join(PROSE) + "\n\n> quoted\n\n- a\n- b\n\n***\n\n[^1]: Or ten.\n"
)
RTF = (
    r"{\rtf1\ansi\ansicpg1252\deff0{\fonttbl{\f0 Times;}}{\info{\title The Cut}}\pard\s1 One\par\pard "
    + PROSE[0]
    + r" \u8220?Nine\'94\line up{\footnote Or ten.}\par{\*\hidden x}\bin3 abc\par}"
)
RECIPE = (
    "shelf:\n  - path: novel.epub\n  - {sample: tale}\nbase: embedded\ntrain: &t\n  epochs: 3\n"
    "  learning_rate: 5e-5\n  method: {lora: {rank: 8}}\nwrite:\n  stop: ['x', \"y\\u00e9\"]\n"
)
_ROWS = [{"title": "Up", "author": "K", "text": PROSE[0]}, {"title": "Down", "author": "K", "text": "\n".join(PROSE)}]


def zipped(entries: dict[str, str | bytes]) -> bytes:
    """A zip archive of these entries."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name), data, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def epub(page: str | bytes = PAGE) -> bytes:
    package = (
        '<package xmlns="http://www.idpf.org/2007/opf"><metadata xmlns:dc="http://purl.org/dc/elements/1.1/">'
        "<dc:title>The Cut</dc:title><dc:creator>K</dc:creator><dc:language>en</dc:language></metadata><manifest>"
        '<item id="a" href="a.xhtml" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="a"/></spine>'
        "</package>"
    )
    container = '<container><rootfiles><rootfile full-path="b.opf"/></rootfiles></container>'
    return zipped(
        {"mimetype": "application/epub+zip", "META-INF/container.xml": container, "b.opf": package, "a.xhtml": page}
    )


def docx(document: str | bytes = DOCUMENT) -> bytes:
    return zipped({"word/document.xml": document})


def odt(content: str | bytes = CONTENT) -> bytes:
    return zipped({"mimetype": "application/vnd.oasis.opendocument.text", "content.xml": content})


def pdf() -> bytes:
    """Two pages, the streams of which are packed on the second."""
    lines = "".join(f"({words}) Tj T* " for words in (PROSE[0][:60], PROSE[0][60:], "ii. Down", PROSE[2][:60]))
    stream = f"BT /F1 12 Tf 14 TL 72 700 Td {lines}ET".encode()
    packed = zlib.compress(stream)
    objects = [
        b"<</Type/Catalog/Pages 2 0 R/Outlines 8 0 R>>",
        b"<</Type/Pages/Count 2/Kids[3 0 R 4 0 R]/MediaBox[0 0 595 842]>>",
        b"<</Type/Page/Parent 2 0 R/Contents 5 0 R/Resources<</Font<</F1 7 0 R>>>>>>",
        b"<</Type/Page/Parent 2 0 R/Contents 6 0 R/Resources<</Font<</F1 7 0 R>>>>>>",
        b"<</Length %d>>stream\n%b\nendstream" % (len(stream), stream),
        b"<</Length %d/Filter/FlateDecode>>stream\n%b\nendstream" % (len(packed), packed),
        b"<</Type/Font/Subtype/Type1/BaseFont/Times-Roman/Encoding/WinAnsiEncoding>>",
        b"<</Type/Outlines/First 9 0 R/Last 9 0 R/Count 1>>",
        b"<</Title(One)/Parent 8 0 R/Dest[3 0 R/Fit]>>",
    ]
    data = b"%PDF-1.4\n"
    places = []
    for number, body in enumerate(objects, start=1):
        places.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n%b" % (len(objects) + 1, table)
    return data + b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)


def wire() -> bytes:
    """The lines in which a reader answers."""
    place = Place("a.txt", "line", 1)
    chapter = Chapter("One", (Block("paragraph", PROSE[0], place), Block("speech", "K\nNine up", place, "K")), "front")
    book = Book("a.txt", "The Cut", (chapter,), notes=(Block("paragraph", "Or ten.", place),), columns=(("a", "b"),))
    dropped = Dropped("head", "THE CUT", Place("b.txt", "page", 2, "in"))
    lines = pack_book(Book(book.path, book.title, book.chapters, notes=book.notes, dropped=(dropped,)))
    return pack_kind("txt") + b"".join(lines) + pack_fault("a.txt is odd", "look", "damaged")


def seeds() -> dict[str, list[bytes]]:
    """For each target what it begins with."""
    rows = "\n".join(json.dumps(row) for row in _ROWS)
    return {
        "txt": [TEXT.encode(), TEXT.encode("utf-16"), ("L’été à l’écluse\n\n" + TEXT).encode("cp1252")],
        "md": [MARKDOWN.encode()],
        "html": [
            PAGE.encode(),
            f"<!DOCTYPE html><body><h1>One<p>{PROSE[0]}<p>{PROSE[1]}&nbsp;&eacute;<pre>x\n y".encode(),
        ],
        "epub": [epub(), PAGE.encode()],
        "pdf": [pdf()],
        "docx": [docx(), DOCUMENT.encode()],
        "odt": [odt(), CONTENT.encode()],
        "rtf": [RTF.encode()],
        "jsonl": [rows.encode(), json.dumps(_ROWS, indent=1).encode(), b"text,title\n" + PROSE[0].encode() + b",x\n"],
        "tei": [TEI.encode()],
        "recipe": [RECIPE.encode(), b"a: &a [1, 2]\nb: {<<: *a}\n"],
        "wire": [wire()],
        "kinds": [b"PK\x03\x04", epub(), b"%PDF-1.7", b"\xd0\xcf\x11\xe0", TEXT.encode("utf-16-le"), b'{"text": "x"}'],
    }


WORDS: dict[str, list[bytes]] = {
    "xml": [b"<!DOCTYPE x [<!ENTITY a 'b'>]>", b"&a;", b"&#0;", b"&#x202e;", b"<![CDATA[", b"]]>", b"<?x ?>", b"<!--", b"-->",
            b"xmlns:a='b'", b"<a:b>", b"</p>", b"<p>", b"<table><tr><td>", b"<l>", b"<lg>", b"<note>", b"<h1>", b"<br/>",
            b"id='n1'", b"href='#n1'", b"\xff\xfe", b"\xed\xa0\x80"],
    "pdf": [b" obj\n", b"endobj", b"stream\n", b"endstream", b"/Kids", b"/Count 99999999", b" 0 R", b"<<", b">>", b"[", b"]",
            b"/Type/Pages", b"/Filter/FlateDecode", b"/Filter[/ASCIIHexDecode/LZWDecode]", b"/ToUnicode", b"/Rotate 90",
            b"-2147483648", b"1e38", b"BT", b"ET", b"Tj", b" 0 0 0 0 0 0 Tm ", b"/MediaBox[0 0 0 0]", b"Do", b"q", b"Q"],
    "text": [b"\n\n", b"CHAPTER II\n\n", b"XIV", b"* * *", b"[1]", b"_", b"*", b"\t", b"\r", b"\x0c", b"\xe2\x80\xae", b"\x1b[31m",
             b"\x00", b"\xef\xbb\xbf", b"*** START OF THE PROJECT GUTENBERG EBOOK ***", b"SCENE I.", b"KEEPER.", b"--", b"```",
             b"Contents\n\n", b"1850", b"\xc4\xb1v.", b"\xc3\x83\xc2\xa9"],
    "json": [b'{"text": ', b"[", b"]", b"{", b"}", b'"', b"\\ud800", b"\\u0000", b"NaN", b"-1e999", b"null", b",", b"\n",
             b'"messages"', b'"conversations"', b'"content"', b'["book"', b'["end"]\n', b'["blocks",[', b"9" * 40],
    "rtf": [b"{", b"}", b"\\par ", b"\\'e9", b"\\u-3913?", b"\\uc3", b"\\bin99999999 ", b"{\\*\\x ", b"{\\footnote ", b"\\cell", b"\\row",
            b"\\ansicpg932", b"\\u2147483648?"],
    "yaml": [b"&a ", b"*a", b": ", b"- ", b"[", b"]", b"{", b"}", b"!!python/name:os.system", b"<<: ", b"? ", b"|\n", b">-\n",
             b"%TAG", b"---\n", b"'", b'"', b"\\U0010ffff", b"1_0", b"1e5", b"\t"],
    "zip": [b"PK\x01\x02", b"PK\x03\x04", b"PK\x05\x06", b"\xff\xff\xff\xff", b"../", b"word/document.xml", b"content.xml",
            b"META-INF/encryption.xml"],
}  # fmt: skip
FAMILY = {
    "txt": "text", "md": "text", "html": "xml", "epub": "xml", "pdf": "pdf", "docx": "xml", "odt": "xml", "rtf": "rtf",
    "jsonl": "json", "tei": "xml", "recipe": "yaml", "wire": "json", "kinds": "zip",
}  # fmt: skip
