"""Rich Text Format, by a small reader of our own: text, paragraphs, notes and what names them; nothing is carried
out.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from quire.books import pulse
from quire.books.book import Book, Place
from quire.books.draft import Draft
from quire.books.finishing.finish import finish
from quire.books.limits import PLAIN, ReadOptions
from quire.books.office.flow import lay_out
from quire.books.office.paragraph import Paragraph, set_looks
from quire.books.office.styles import CONTENTS, LISTS, PAGE_NUMBERS, Style, heading_level
from quire.books.office.symbols import symbol
from quire.errors import BookError

_TOKEN = re.compile(
    rb"\\([a-zA-Z]{1,32})(-?\d{1,10})? ?|\\'([0-9a-fA-F]{2})|\\([^a-zA-Z0-9'])|([{}])|([\r\n]+)|([^\\{}\r\n]+)|\\"
)
_CHARACTERS = {
    "emdash": "—",
    "endash": "–",
    "lquote": "‘",
    "rquote": "’",
    "ldblquote": "“",
    "rdblquote": "”",
    "bullet": "•",
    "tab": " ",
    "line": "\n",
    "emspace": " ",
    "enspace": " ",
    "qmspace": " ",
    "zwj": "\u200d",
    "zwnj": "\u200c",
}
# Groups that hold no text of the body.  Others that begin with \* are skipped whatever they are.
_SKIPPED = frozenset(
    (
        "colortbl listtable listoverridetable rsidtbl generator pict object themedata colorschememapping "
        "datastore latentstyles xmlnstbl filetbl revtbl bkmkstart bkmkend ftnsep ftnsepc ftncn aftnsep "
        "aftnsepc aftncn nonshppict private template wgrffmtfilter mmathpr atnid atnauthor atntime atnicn "
        "atnref operator company keywords subject doccomm manager creatim revtim printim buptim tc xe "
        "nesttableprops nonesttables pntext pntxta pntxtb listtext shprslt sp hlinkbase upr falt panose "
        "listname leveltext levelnumbers"
    ).split()
)
_HEADS = frozenset(("header", "headerl", "headerr", "headerf", "footer", "footerl", "footerr", "footerf"))
_FIELDS = {"title": "title", "author": "author"}
# Where the text of a group goes.
_INTO = (
    {"fonttbl": "fonts", "stylesheet": "styles", "footnote": "note", "endnote": "note", "info": "info"}
    | dict.fromkeys(_HEADS, "head")
    | {"annotation": "comment", "fldinst": "code"}
    | _FIELDS
)
_DROPPED = {"head": "running head", "comment": "comment", "contents": "contents"}
_READ_THOUGH_STARRED = frozenset(("shptxt", "shpinst", "do", "dptxbxtext", "fldinst"))
_ENDS = frozenset(("par", "sect", "page", "pagebb", "cell", "row", "nestcell", "nestrow", "column"))
_CODE_PAGES = {"mac": "mac-roman", "pc": "cp437", "pca": "cp850"}
_CHARSETS = {
    0: "cp1252",
    77: "mac-roman",
    128: "cp932",
    129: "cp949",
    134: "cp936",
    136: "cp950",
    161: "cp1253",
    162: "cp1254",
}
_CHARSETS |= {163: "cp1258", 177: "cp1255", 178: "cp1256", 186: "cp1257", 204: "cp1251", 222: "cp874", 238: "cp1250"}
_BEAT = 20_000
DEEPEST = 500


@dataclass(frozen=True, slots=True)
class State:
    """What holds within a group: where its text goes, how many bytes follow a \\u, and the running font."""

    into: str = "body"
    skip: int = 1
    font: int = -1
    hidden: bool = False
    deleted: bool = False
    bold: bool = False
    size: float = 0.0
    outer: str = "body"


@dataclass
class Parser:
    """One pass over the tokens of a file."""

    draft: Draft
    state: State = field(default_factory=State)
    stack: list[State] = field(default_factory=list)
    pieces: dict[str, list[str]] = field(default_factory=dict)
    encoding: str = "cp1252"
    fonts: dict[int, str] = field(default_factory=dict)
    symbols: set[int] = field(default_factory=set)
    default_font: int = -1
    styles: dict[int, Style] = field(default_factory=dict)
    bases: dict[int, int] = field(default_factory=dict)
    style: int = -1
    level: int = 0
    centred: bool = False
    new_page: bool = False
    instruction: str = ""
    first: bool = False
    looks: list[tuple[bool, float, int]] = field(default_factory=list)
    levels: dict[int, int] = field(default_factory=dict)
    deleted: list[str] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)
    paragraphs: list[Paragraph] = field(default_factory=list)
    unread: int = 0
    count: int = 0
    star: bool = False
    bytes_: bytearray = field(default_factory=bytearray)

    def run(self, data: bytes) -> None:
        """Read all of a file.  Pictures in bytes of their own (`\\bin`) are jumped over."""
        position: int | None = 0
        while position is not None:
            position = self._read(data, position)
        self._flush()
        self._paragraph()
        if self.stack:
            self.draft.warnings.append(f"the file ends within {len(self.stack)} open groups: it may have been cut off")

    def _read(self, data: bytes, start: int) -> int | None:
        """Read from `start` up to the bytes of a picture; where to go on, or None at the end."""
        for count, token in enumerate(_TOKEN.finditer(data, start)):
            if count % _BEAT == 0:
                pulse.beat()
            word, value, hexed, symbol, brace, end, plain = token.groups()
            if hexed is not None:
                self._byte(int(hexed, 16))
                continue
            if plain is not None:
                self._plain(plain)
                continue
            if end is not None:
                continue
            self._flush()
            if brace is not None:
                self._brace(brace)
            elif symbol is not None:
                self._symbol(symbol.decode("latin-1"))
            elif word == b"bin" and value is not None and 0 < int(value) <= len(data) - token.end():
                return token.end() + int(value)
            elif word is not None:
                self._word(word.decode("ascii"), int(value) if value is not None else None)
        return None

    def _byte(self, value: int) -> None:
        if self.unread:
            self.unread -= 1
        else:
            self.bytes_.append(value)

    def _plain(self, data: bytes) -> None:
        if self.unread:
            gone = min(self.unread, len(data))
            self.unread -= gone
            data = data[gone:]
        self.bytes_ += data

    def _flush(self) -> None:
        """Bytes gathered so far, decoded by the code page of their font."""
        if self.bytes_:
            font = self.state.font
            if font in self.symbols and self.state.into in ("body", "note"):
                self._text("".join(symbol(byte, "Symbol") for byte in self.bytes_))
            else:
                self._text(self.bytes_.decode(self.fonts.get(font, self.encoding), "replace"))
            self.bytes_ = bytearray()

    def _text(self, text: str) -> None:
        self.first = self.star = False
        state = self.state
        if state.into in ("body", "note") and (state.hidden or state.deleted):
            (self.deleted if state.deleted else self.hidden).append(text)
        elif state.into != "skip":
            self.pieces.setdefault(state.into, []).append(text)
            if state.into == "body" and text.strip():
                self.looks.append((state.bold, state.size, len(text)))

    def _place(self) -> Place:
        return Place(self.draft.path, "paragraph", self.count)

    def _brace(self, brace: bytes) -> None:
        self.unread = 0
        self.star = False
        self.first = brace == b"{"
        if brace == b"{":
            if len(self.stack) >= DEEPEST:
                what = f"{self.draft.path} is nested too deeply to be a book"
                raise BookError(what, then="save it again as .docx or .txt", code="too-long")
            self.stack.append(self.state)
            return
        closed = self.state
        self.state = self.stack.pop() if self.stack else State()
        if closed.into != self.state.into:
            self._leave(closed.into)

    def _leave(self, into: str) -> None:
        """The end of a group whose text did not go into the body."""
        text = " ".join("".join(self.pieces.pop(into, [])).split())
        if into == "note":
            self.draft.add("note", text, self._place())
        elif into in _DROPPED:
            self.draft.drop(_DROPPED[into], text, self._place())
        elif into == "title":
            self.draft.title = text
        elif into == "author":
            self.draft.author = text
        elif into == "code":
            self.instruction = (text.split() or [""])[0].lower()
        elif into == "fonts" or into.startswith("font "):
            if into != "fonts" and text.lower().startswith("symbol"):
                self.symbols.add(int(into[5:]))
        elif into.startswith("style "):
            number = int(into[6:])
            name = text.rstrip("; ").split(";")[0]
            inherited = self.styles.get(self.bases.get(number, -1), Style()).level
            level = heading_level(name) or self.levels.pop(number, None)
            self.styles[number] = Style(name.lower(), inherited if level is None else level)

    def _symbol(self, symbol: str) -> None:
        if symbol == "*":
            # Only at the start of a group it says that the group may be ignored.
            self.star = self.first
        elif symbol in "{}\\":
            self._text(symbol)
        elif symbol == "~":
            self._text("\u00a0")
        elif symbol == "_":
            self._text("-")
        elif symbol in "\r\n":
            self._paragraph()

    def _word(self, word: str, number: int | None) -> None:
        star, self.star = self.star, False
        first, self.first = self.first, False
        on = number != 0
        if word == "u" and number is not None:
            self._unicode(number)
        elif word in _CHARACTERS:
            self._text(_CHARACTERS[word])
        elif word in _ENDS:
            self.new_page = self.new_page or word == "pagebb"
            self._paragraph()
            self.new_page = word in ("page", "sect")
        elif word in ("pard", "plain", "f", "fs", "b", "v", "deleted", "qc", "ql", "qj", "qr", "s", "outlinelevel"):
            self._format(word, number, on)
        elif word == "uc" and number is not None:
            self.state = replace(self.state, skip=max(0, number))
        elif word == "fcharset" and number is not None and self.state.into.startswith("font"):
            self.fonts[self.state.font] = _CHARSETS.get(number, self.encoding)
            if number == 2:
                self.symbols.add(self.state.font)
        elif word == "deff" and number is not None:
            self.default_font = number
            self.state = replace(self.state, font=number)
        elif word == "ansicpg" and number is not None:
            self.encoding = _known(f"cp{number}", self.encoding)
        elif word in _CODE_PAGES:
            self.encoding = _CODE_PAGES[word]
        elif word == "sbasedon" and number is not None and self.state.into.startswith("style "):
            self.bases[int(self.state.into[6:])] = number
        elif first:
            self._group(word, star)

    def _format(self, word: str, number: int | None, on: bool) -> None:
        """How what follows is set."""
        if word == "pard":
            self.style, self.level, self.centred = -1, 0, False
        elif word == "plain":
            self.state = replace(self.state, hidden=False, deleted=False, bold=False, size=0.0, font=self.default_font)
        elif word == "f" and number is not None:
            into = f"font {number}" if self.state.into == "fonts" else self.state.into
            self.state = replace(self.state, font=number, into=into)
        elif word == "fs" and number is not None:
            self.state = replace(self.state, size=number / 2)
        elif word == "b":
            self.state = replace(self.state, bold=on)
        elif word == "v":
            self.state = replace(self.state, hidden=on)
        elif word == "deleted":
            self.state = replace(self.state, deleted=on)
        elif word == "outlinelevel" and number is not None and 0 <= number <= 9:
            if self.state.into.startswith("style "):
                self.levels[int(self.state.into[6:])] = (number + 1) % 10
            elif self.state.into == "body":
                self.level = (number + 1) % 10
        elif word == "s" and number is not None:
            if self.state.into == "styles":
                self.state = replace(self.state, into=f"style {number}")
            elif self.state.into == "body":
                self.style = number
        elif word in ("qc", "ql", "qj", "qr"):
            self.centred = word == "qc"

    def _group(self, word: str, star: bool) -> None:
        """The word at the start of a group may say what the group is for."""
        state = self.state
        if word == "ud" and state.into == "skip" and state.outer:
            self.state = replace(state, into=state.outer)
        elif state.into == "skip":
            return
        elif word in _INTO and (word not in _FIELDS or state.into == "info"):
            self.state = replace(state, into=_INTO[word])
        elif word == "fldrslt":
            if self.instruction in LISTS or self.instruction in PAGE_NUMBERS:
                self.state = replace(state, into="contents" if self.instruction in LISTS else "skip", outer="")
            self.instruction = ""
        elif word in _SKIPPED or (star and word not in _READ_THOUGH_STARRED):
            self.state = replace(state, into="skip", outer=state.into if word == "upr" else "")

    def _unicode(self, number: int) -> None:
        code = number + 65536 if number < 0 else number
        pieces = self.pieces.get(self.state.into)
        if 0xDC00 <= code < 0xE000 and pieces and pieces[-1] and 0xD800 <= ord(pieces[-1][-1]) < 0xDC00:
            high = ord(pieces[-1][-1])
            pieces[-1] = pieces[-1][:-1] + chr(0x10000 + ((high - 0xD800) << 10) + code - 0xDC00)
        elif 0xF020 <= code <= 0xF0FF:
            self._text(symbol(code, "Symbol" if self.state.font in self.symbols else ""))
        elif 0 <= code < 0x110000:
            self._text(chr(code))
        self.unread = self.state.skip

    def _paragraph(self) -> None:
        """The end of a paragraph of the body (inside of a note it is a space)."""
        if self.state.into != "body":
            if self.state.into in ("note", "contents", "head", "comment"):
                self._text(" ")
            return
        self.count += 1
        text = "".join(self.pieces.pop("body", []))
        style = self.styles.get(self.style, Style())
        if self.level:
            style = replace(style, level=self.level)
        paragraph = Paragraph(text, style, self.deleted, self.hidden, centred=self.centred, new_page=self.new_page)
        set_looks(paragraph, self.looks)
        paragraph.contents = style.name.startswith(CONTENTS)
        self.paragraphs.append(paragraph)
        self.looks, self.deleted, self.hidden, self.new_page = [], [], [], False


def _known(encoding: str, otherwise: str) -> str:
    if encoding == "cp65001":
        return "utf-8"
    try:
        codecs.lookup(encoding)
    except LookupError:
        return otherwise
    return encoding


def read(path: Path, options: ReadOptions = PLAIN) -> list[Book]:
    """The one book of an RTF file.  Raises BookError when it is none or holds no text."""
    data = path.read_bytes()
    if not data.startswith(b"{\\rtf"):
        raise BookError(f"{path} is no RTF document", then="check that it is the file you meant", code="wrong-kind")
    draft = Draft(str(path))
    parser = Parser(draft)
    parser.run(data)
    lay_out(draft, parser.paragraphs, options.matter == "all")
    if not draft.title:
        draft.title = path.stem
    return [finish(draft, options)]
