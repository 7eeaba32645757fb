"""Rich Text Format, by a small reader of our own: text, paragraphs, notes and what names them; nothing is carried
out.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass, field, replace
from pathlib import Path

from quire.books.book import Book, Place
from quire.books.draft import Draft, finish
from quire.books.limits import PLAIN, ReadOptions
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
        "fonttbl colortbl stylesheet listtable listoverridetable rsidtbl generator pict object "
        "themedata colorschememapping "
        "datastore latentstyles xmlnstbl filetbl revtbl fldinst bkmkstart bkmkend ftnsep ftnsepc "
        "ftncn aftnsep aftnsepc "
        "aftncn nonshppict private template wgrffmtfilter mmathpr atnid atnauthor annotation operator company keywords "
        "subject doccomm comment category manager creatim revtim printim buptim tc xe "
        "nesttableprops pntext pntxta pntxtb"
    ).split()
)
_HEADS = frozenset(("header", "headerl", "headerr", "headerf", "footer", "footerl", "footerr", "footerf"))
_FIELDS = {"title": "title", "author": "author"}
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
_STYLE_HEADING = re.compile(r"(?:heading|überschrift|titre)\s*([1-9])", re.IGNORECASE)
DEEPEST = 500


@dataclass(frozen=True, slots=True)
class State:
    """What holds within a group: where its text goes, how many bytes follow a \\u, and the running font."""

    into: str = "body"
    skip: int = 1
    font: int = -1
    hidden: bool = False


@dataclass
class Parser:
    """One pass over the tokens of a file."""

    draft: Draft
    state: State = field(default_factory=State)
    stack: list[State] = field(default_factory=list)
    pieces: dict[str, list[str]] = field(default_factory=dict)
    encoding: str = "cp1252"
    fonts: dict[int, str] = field(default_factory=dict)
    styles: dict[int, tuple[str, int]] = field(default_factory=dict)
    style: int = -1
    level: int = 0
    unread: int = 0
    count: int = 0
    star: bool = False
    bytes_: bytearray = field(default_factory=bytearray)

    def run(self, data: bytes) -> None:
        for token in _TOKEN.finditer(data):
            word, number, hexed, symbol, brace, end, plain = token.groups()
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
            elif word is not None:
                self._word(word.decode("ascii"), int(number) if number is not None else None)
        self._flush()
        self._paragraph()

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
            self._text(self.bytes_.decode(self.fonts.get(self.state.font, self.encoding), "replace"))
            self.bytes_ = bytearray()

    def _text(self, text: str) -> None:
        self.star = False
        if self.state.hidden and self.state.into in ("body", "note"):
            self.draft.drop("tracked deletion or hidden text", text, self._place())
        elif self.state.into != "skip":
            self.pieces.setdefault(self.state.into, []).append(text)

    def _place(self) -> Place:
        return Place(self.draft.path, "paragraph", self.count)

    def _brace(self, brace: bytes) -> None:
        self.unread = 0
        self.star = False
        if brace == b"{":
            if len(self.stack) >= DEEPEST:
                raise BookError(
                    f"{self.draft.path} is nested too deeply to be a book", then="save it again as .docx or .txt"
                )
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
        elif into == "head":
            self.draft.drop("running head", text, self._place())
        elif into == "title":
            self.draft.title = text
        elif into == "author":
            self.draft.author = text
        elif into.startswith("style "):
            match = _STYLE_HEADING.match(text)
            name = text.rstrip("; ").lower()
            self.styles[int(into[6:])] = (name, int(match[1]) if match else 0)

    def _symbol(self, symbol: str) -> None:
        if symbol == "*":
            self.star = True
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
        if word == "u" and number is not None:
            self._unicode(number)
        elif word in _CHARACTERS:
            self._text(_CHARACTERS[word])
        elif word in ("par", "sect", "page", "cell", "row"):
            self._paragraph()
        elif word == "pard":
            self.style, self.level = -1, 0
        elif word == "uc" and number is not None:
            self.state = replace(self.state, skip=max(0, number))
        elif word == "bin" and number:
            self.unread = number
        elif word == "f" and number is not None:
            self.state = replace(self.state, font=number)
        elif word == "fcharset" and number is not None and self.state.into == "fonts":
            self.fonts[self.state.font] = _CHARSETS.get(number, self.encoding)
        elif word == "ansicpg" and number is not None:
            self.encoding = _known(f"cp{number}", self.encoding)
        elif word in _CODE_PAGES:
            self.encoding = _CODE_PAGES[word]
        elif word in ("v", "deleted"):
            self.state = replace(self.state, hidden=number != 0)
        elif word == "s" and number is not None:
            self._style(number)
        elif word == "outlinelevel" and number is not None and 0 <= number < 9:
            self.level = number + 1
        else:
            self._group(word, star)

    def _style(self, number: int) -> None:
        if self.state.into == "styles":
            self.state = replace(self.state, into=f"style {number}")
        else:
            self.style = number

    def _group(self, word: str, star: bool) -> None:
        """Words that say what their group is for."""
        if self.state.into == "skip":
            return
        if word == "fonttbl":
            self.state = replace(self.state, into="fonts")
        elif word == "stylesheet":
            self.state = replace(self.state, into="styles")
        elif word in ("footnote", "endnote"):
            self.state = replace(self.state, into="note")
        elif word in _HEADS:
            self.state = replace(self.state, into="head")
        elif word == "info":
            self.state = replace(self.state, into="info")
        elif word in _FIELDS and self.state.into == "info":
            self.state = replace(self.state, into=_FIELDS[word])
        elif word in _SKIPPED or (star and word not in ("shptxt", "shpinst")):
            self.state = replace(self.state, into="skip")

    def _unicode(self, number: int) -> None:
        code = number + 65536 if number < 0 else number
        pieces = self.pieces.get(self.state.into)
        if 0xDC00 <= code < 0xE000 and pieces and pieces[-1] and 0xD800 <= ord(pieces[-1][-1]) < 0xDC00:
            high = ord(pieces[-1][-1])
            pieces[-1] = pieces[-1][:-1] + chr(0x10000 + ((high - 0xD800) << 10) + code - 0xDC00)
        elif code < 0x110000:
            self._text(chr(code))
        self.unread = self.state.skip

    def _paragraph(self) -> None:
        """The end of a paragraph of the body (inside of a note it is a space)."""
        if self.state.into != "body":
            if self.state.into == "note":
                self._text(" ")
            return
        self.count += 1
        lines = [" ".join(line.split(" ")).strip() for line in "".join(self.pieces.pop("body", [])).split("\n")]
        lines = [line for line in lines if line]
        if not lines:
            return
        name, level = self.styles.get(self.style, ("", 0))
        text = "\n".join(lines)
        if name == "title":
            self.draft.title = self.draft.title or " ".join(lines)
            self.draft.drop("title page", text, self._place())
        elif level or self.level:
            self.draft.add("heading", text, self._place(), level or self.level)
        else:
            self.draft.add("verse" if len(lines) > 1 else "paragraph", text, self._place())


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
        raise BookError(f"{path} is no RTF document", then="check that it is the file you meant")
    draft = Draft(str(path))
    Parser(draft).run(data)
    if not draft.title:
        draft.title = path.stem
    return [finish(draft, options)]
