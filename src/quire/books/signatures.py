"""What is no book: told by its first bytes, and plain text that is something else by its name."""

from __future__ import annotations

from pathlib import Path

_RECOGNISE = "recognise its text first, with OCRmyPDF for example"
_UNPACK = "unpack it and name the folder"
_CONVERT = "convert it to .epub, with Calibre for example"
_SAVE = "open it in a word processor and save it as .docx"
_TO_PDF = "convert it to .pdf, with ps2pdf for example"
_NOTHING = "name the text itself: a picture, a sound or a program has none"
_PICKLE = "a pickle, which Quire never opens"
RENAME = "if it is a text to be read all the same, name it .txt"

# (offset, bytes, what it is, what to do); letters alone are followed by what no text has there.
_SIGNATURES: tuple[tuple[int, bytes, str, str], ...] = (
    *(
        (0, sign, name, _RECOGNISE)
        for sign, name in (
            (b"\x89PNG", "a PNG picture"),
            (b"\xff\xd8\xff", "a JPEG picture"),
            (b"GIF87a", "a GIF picture"),
            (b"GIF89a", "a GIF picture"),
            (b"II*\x00", "a TIFF picture"),
            (b"MM\x00*", "a TIFF picture"),
            (b"8BPS\x00", "a Photoshop picture"),
            (b"\x00\x00\x00\x0cjP  ", "a JPEG picture"),
            (b"\x00\x00\x01\x00\x01\x00", "an icon"),
            (b"AT&TFORM", "a DjVu scan"),
        )
    ),
    *((8, sign, "a picture", _RECOGNISE) for sign in (b"WEBPVP8", b"ILBM")),
    *(
        (0, sign, name, _UNPACK)
        for sign, name in (
            (b"\x1f\x8b", "a gzip archive"),
            *((b"BZh%d" % level, "a bzip2 archive") for level in range(1, 10)),
            (b"\xfd7zXZ", "an xz archive"),
            (b"7z\xbc\xaf", "a 7z archive"),
            (b"Rar!\x1a", "a RAR archive"),
            (b"\x28\xb5\x2f\xfd", "a zstd archive"),
            (b"\x04\x22\x4d\x18", "an lz4 archive"),
            (b"LZIP\x01", "an lzip archive"),
            (b"\x1f\x9d", "a compressed archive"),
            (b"\x60\xea", "an ARJ archive"),
            (b"MSCF\x00", "a cabinet archive"),
            (b"!<arch>\n", "an ar archive"),
            (b"xar!\x00", "a xar archive"),
            (b"\xed\xab\xee\xdb", "an RPM package"),
            (b"BOM\x00\x00", "a bill of materials"),
        )
    ),
    (257, b"ustar", "a tar archive", _UNPACK),
    (7, b"**ACE**", "an ACE archive", _UNPACK),
    (2, b"-lh5-", "an LHA archive", _UNPACK),
    *(
        (offset, sign, "a Kindle book", _CONVERT)
        for offset, sign in (
            *((60, b"BOOKMOBI"), (60, b"TEXtREAd"), (0, b"TPZ0"), (0, b"TPZ3"), (0, b"\xeaDRMION\xee")),
            (0, b"CONT\x02"),
        )
    ),
    *((60, sign, "a Palm book", _CONVERT) for sign in (b"PNRdPPrs", b"DataPlkr", b"zTXTGPlm")),
    (0, b"!!8-Bit!!", "a Psion book (.tcr)", _CONVERT),
    (0, b"SNBP000B", "a Bambook book (.snb)", _CONVERT),
    (0, b"ITOLITLS", "a Microsoft Reader book (.lit)", _CONVERT),
    (0, b"ITSF\x03", "a compiled help file (.chm)", _CONVERT),
    (0, b"L\x00R\x00F\x00", "a Sony book (.lrf)", _CONVERT),
    (0, b"\xb0\x0c\xb0\x0c", "a Rocket book (.rb)", _CONVERT),
    (0, b"\xffWPC", "a WordPerfect document", _SAVE),
    (0, b"\xdb\xa5", "an old Word document (.doc)", _SAVE),
    (0, b"1\xbe\x00\x00", "an old Write document (.wri)", _SAVE),
    (0, b"%!PS", "a PostScript file", _TO_PDF),
    (0, b"\xc5\xd0\xd3\xc6", "a PostScript picture", _TO_PDF),
    (0, b"version https://git-lfs", "a pointer to a file that was not fetched", "git lfs pull"),
    *(
        (offset, sign, name, _NOTHING)
        for offset, sign, name in (
            *((8, sign, "sound or video") for sign in (b"WAVEfmt", b"AVI LIST", b"AIFFCOMM", b"AIFCFVER")),
            (4, b"ftyp", "video, sound or a picture"),
            (0, b"\x1aE\xdf\xa3", "video"),
            (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "video or sound"),
            (0, b"\x00\x00\x01\xba", "video"),
            (0, b"FLV\x01", "video"),
            *((0, b"ID3" + version, "sound") for version in (b"\x02", b"\x03", b"\x04")),
            *(
                (0, sign, "sound")
                for sign in (b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"\xff\xf1", b"OggS\x00", b"fLaC\x00")
            ),
            (0, b"MThd\x00", "music"),
            (0, b"\x7fELF", "a program"),
            (0, b"MZ\x90", "a program"),
            (0, b"\xca\xfe\xba\xbe", "a program"),
            (0, b"\xfe\xed\xfa", "a program"),
            (0, b"\xcf\xfa\xed\xfe", "a program"),
            (0, b"\x00asm", "a program"),
            (0, b"SQLite format 3\x00", "a database"),
            (0, b"ARROW1\x00", "an Arrow table"),
            (0, b"OTTO\x00", "a font"),
            (0, b"wOFF\x00", "a font"),
            (0, b"wOF2\x00", "a font"),
            (0, b"\x00\x01\x00\x00\x00", "a font"),
            *((0, b"\x80" + version, _PICKLE) for version in (b"\x02", b"\x03", b"\x04", b"\x05")),
        )
    ),
)
_PROGRAM = "the source of a program"
_BY_NAME = {
    **dict.fromkeys(
        ".py .pyi .js .mjs .ts .tsx .jsx .c .h .cc .cpp .hpp .cs .java .kt .go .rs .rb .php .pl .pm .lua .swift .scala "
        ".hs .ml .el .lisp .clj .sh .bash .zsh .bat .cmd .ps1 .asm .s .sql .r .jl .m .vb .css .scss .less .vue "
        ".ipynb .cmake .mk .gradle .patch .diff".split(),
        _PROGRAM,
    ),
    **dict.fromkeys(".yaml .yml .toml .ini .cfg .conf .properties .plist .lock".split(), "a file of settings"),
    **dict.fromkeys(".svg .eps .ai .dxf .obj .stl".split(), "a drawing"),
    **dict.fromkeys(".srt .vtt .ass .lrc".split(), "subtitles"),
    **dict.fromkeys(".ics .vcf .gpx .kml .rss .atom .opml .ncx .opf".split(), "a list for programs"),
    ".bib": "a bibliography for programs",
    ".log": "a log",
}
_TEX = {".tex", ".ltx", ".sty", ".cls", ".dtx"}
# Signs that sentences hardly have, and at how many of a hundred a text is written for programs.
_SIGNS = frozenset(b"{}[]()=<>#$\\/_|&@+*:;%^~`")
_MOST_SIGNS = 2.5
_SCRIPTS = (b"#!/", b"#! /", b"<?php", b"#include <", b"<%@ ")


def foreign(head: bytes) -> tuple[str, str] | None:
    """What the first bytes of a file say it is, if that is no book, and what to do."""
    for offset, sign, name, then in _SIGNATURES:
        if head.startswith(sign, offset):
            return name, then
    return None


def foreign_text(path: Path, head: bytes) -> tuple[str, str] | None:
    """What a file of text is by its name, or by how it begins, if that is no book, and what to do.

    What Word saves as a web page in a single file is often named .doc.  A name alone does not make a program of prose.
    """
    suffix = path.suffix.lower()
    if head.startswith((b"MIME-Version:", b"From: <Saved by")) and b"multipart/related" in head:
        return "a web archive (.mht)", _SAVE
    if suffix in _TEX or rb"\documentclass" in head:
        return "a LaTeX source", "make a .pdf of it, or convert it with Pandoc, and read that"
    if suffix in _BY_NAME and not _is_prose(head):
        return _BY_NAME[suffix], RENAME
    return (_PROGRAM, RENAME) if suffix != ".txt" and head.startswith(_SCRIPTS) else None


def _is_prose(head: bytes) -> bool:
    written = [byte for byte in head if byte > 32]
    return 100 * sum(byte in _SIGNS for byte in written) < _MOST_SIGNS * len(written)
