"""Cleaning of characters: what no reader would miss goes, and is counted; what carries form or meaning stays."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence

# C0 and C1 controls but tab and line end, DEL, non-characters, and sequences that steer a terminal.
_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u206a-\u206f\ufff9-\ufffb\ufffe\uffff]")
# Quotation marks and dashes of Windows-1252 that were read as Latin-1.
_WINDOWS = re.compile(r"[\x80\x8c\x91-\x97\x9c]")
# Unseen copies of ASCII; after a black flag they say whose flag it is.
_TAGS = re.compile("\U0001f3f4[\U000e0020-\U000e007f]+|[\U000e0000-\U000e007f]+")
_BIDI = re.compile(r"[\u202a-\u202e\u2066-\u2069]")
_MARKS = re.compile(r"[\u200e\u200f\u061c]")
_INVISIBLE = re.compile(r"[\u200b\u2060-\u2064\ufeff\u180e]")
_SOFT_HYPHEN = re.compile("\u00ad")
_JOINER = re.compile(r"[\u200c\u200d]")
# Sorting a run of accents takes time that grows with its square; Unicode's own bound is thirty on one letter.
_ACCENT = r"[\u0300-\u036f\u0483-\u0487\u0591-\u05bd\u064b-\u065f\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]"
_PILE = re.compile(rf"({_ACCENT}{{30}}){_ACCENT}+")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SPACES = re.compile(r"[ \t\x0b\x0c\u2000-\u2008\u200a\u205f\u3000]{1,}")
_LINE_ENDS = re.compile(r"\r\n?|[\x85\u2028\u2029]")
_SUSPECT = re.compile(
    r""
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)
_RIGHT_TO_LEFT = re.compile(r"[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]")
_LIGATURES = {
    "\ufb00": "ff",
    "\ufb01": "fi",
    "\ufb02": "fl",
    "\ufb03": "ffi",
    "\ufb04": "ffl",
    "\ufb05": "st",
    "\ufb06": "st",
}
_LIGATURE = re.compile("[\ufb00-\ufb06]")


# Removed without being counted: they have no width and say nothing.
_SILENT = frozenset("\u00ad\u200b\u2060\u2061\u2062\u2063\u2064\ufeff\u180e")
_ODD_SPACES = frozenset("\t\x0b\x0c\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u200a\u205f\u3000")
_COMMON = bytes(range(0x20, 0x7F)) + b"\n\x00"
_SEAM = "\x00"
_SLICE = 1 << 16


class Cleaner:
    """Cleans texts and remembers what it took away."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def clean(self, text: str) -> str:
        """NFC, one kind of space (no-break ones stay), no invisible characters; line ends stay."""
        if _SUSPECT.search(text):
            text = self._remove(text)
        if _PILE.search(text):
            text = self._count("piles of accents", _PILE, r"\1", text)
        if not unicodedata.is_normalized("NFC", text):
            text = unicodedata.normalize("NFC", text)
        if _LIGATURE.search(text):
            text = _LIGATURE.sub(lambda match: _LIGATURES[match[0]], text)
        text = _SPACES.sub(" ", text)
        return _strip(text)

    def clean_all(self, texts: Sequence[str], odd: str | None = None) -> list[str]:
        """Each text as `clean` gives it back, at the price of a few passes over all of them together.

        What a book needs is told by the set of its characters beyond ASCII, which is small: most texts need nothing.
        `odd` are those of `uncommon`, where they are known.
        """
        if odd is None:
            joined = _SEAM.join(texts)
            if joined.count(_SEAM) != len(texts) - 1:
                return [self.clean(text) for text in texts]
            odd = uncommon(joined)
        found = set(odd)
        cleaned = list(texts)
        if any(map(_SUSPECT.match, found - _ODD_SPACES - _SILENT)):
            cleaned = [self._remove(text) if _SUSPECT.search(text) else text for text in texts]
        else:
            for char in found & _SILENT:
                cleaned = [text.replace(char, "") for text in cleaned]
        if not all(map(_is_composed, found - _SILENT)):
            # Most texts are composed, or nothing but ASCII, and come back as they are.
            cleaned = [self._count("piles of accents", _PILE, r"\1", text) for text in cleaned]
            cleaned = [unicodedata.normalize("NFC", text) for text in cleaned]
            found |= set(uncommon(_SEAM.join(cleaned)))
        for char in found & _LIGATURES.keys():
            cleaned = [text.replace(char, _LIGATURES[char]) for text in cleaned]
        for char in found & _ODD_SPACES:
            cleaned = [text.replace(char, " ") for text in cleaned]
        cleaned = [_SPACES.sub(" ", text) if "  " in text else text for text in cleaned]
        return [_strip(text) if "\n" in text else text.strip(" ") for text in cleaned]

    def _remove(self, text: str) -> str:
        text = _LINE_ENDS.sub("\n", text)
        text = self._count("control characters", _ESCAPE, "", text)
        text = self._count("Windows-1252 characters", _WINDOWS, _windows, text)
        text = self._count("control characters", _CONTROL, "", text)
        text = self._untagged(text)
        text = self._count("bidirectional controls", _BIDI, "", text)
        text = self._count("broken characters", _SURROGATE, "\ufffd", text)
        text = _INVISIBLE.sub("", text)
        text = _SOFT_HYPHEN.sub("", text)
        if not _RIGHT_TO_LEFT.search(text):
            text = self._count("bidirectional controls", _MARKS, "", text)
        return _JOINER.sub(lambda match: _joiner(text, match), text)

    def _untagged(self, text: str) -> str:
        hidden = sum(len(tags) for tags in _TAGS.findall(text) if tags >= "\U000e0000")
        if not hidden:
            return text
        self.counts["control characters"] += hidden
        return _TAGS.sub(lambda match: "" if match[0] >= "\U000e0000" else match[0], text)

    def _count(
        self, what: str, pattern: re.Pattern[str], instead: str | Callable[[re.Match[str]], str], text: str
    ) -> str:
        text, found = pattern.subn(instead, text)
        if found:
            self.counts[what] += found
        return text

    def warnings(self) -> list[str]:
        """One sentence for each kind of character that was removed or replaced."""
        verbs = {"broken characters": "replaced", "Windows-1252 characters": "repaired", "piles of accents": "cut"}
        return [f"{count} {what} {verbs.get(what, 'removed')}" for what, count in sorted(self.counts.items())]


def uncommon(text: str) -> str:
    """The characters of a text in their order, without printable ASCII, line ends and zeros."""
    # Bytes are searched several times faster than characters; a whole book's would lie in memory that must be had anew.
    slices = [text[start : start + _SLICE] for start in range(0, len(text), _SLICE)]
    beyond = [part.encode("utf-8", "surrogatepass").translate(None, _COMMON) for part in slices]
    return b"".join(beyond).decode("utf-8", "surrogatepass")


def _strip(text: str) -> str:
    return "\n".join([line.strip(" ") for line in text.split("\n")]).strip("\n")


def _is_composed(char: str) -> bool:
    """Whether a character is in NFC whatever stands beside it, as far as that is quickly told."""
    if char < "\u0300":
        return True
    plain = unicodedata.category(char)[0] in "PSZN" or "\u2e80" <= char <= "\u9fff" or "\u0370" <= char <= "\u052f"
    return plain and unicodedata.is_normalized("NFC", char) and not unicodedata.combining(char)


def _windows(match: re.Match[str]) -> str:
    return match[0].encode("latin-1").decode("cp1252")


def _joiner(text: str, match: re.Match[str]) -> str:
    """Joiners shape Arabic, Indic scripts and emoji; between other letters they are litter."""
    before = text[match.start() - 1 : match.start()]
    return match[0] if before and (ord(before) >= 0x0600 or before == "\ufe0f") and not before.isspace() else ""


def line_ends(text: str) -> str:
    """Every kind of line end as \\n; a page feed counts as one."""
    return _LINE_ENDS.sub("\n", text).replace("\x0c", "\n")


_CP1252 = {bytes([byte]).decode("cp1252", "ignore") or chr(byte): byte for byte in range(0x80, 0x100)}
_TAIL = "[" + "".join(re.escape(char) for char, byte in _CP1252.items() if 0x80 <= byte < 0xC0) + "]"
_LEADS = {2: range(0xC2, 0xE0), 3: range(0xE0, 0xF0), 4: range(0xF0, 0xF5)}
_TWICE = re.compile(
    "|".join(
        "[" + "".join(re.escape(c) for c, b in _CP1252.items() if b in leads) + "]" + _TAIL + f"{{{length - 1}}}"
        for length, leads in sorted(_LEADS.items(), reverse=True)
    )
)
_ASCII = bytes(range(0x80))


def say_repaired(count: int) -> str:
    """The warning that goes with what `repair_mojibake` did."""
    return f"{count} characters repaired: UTF-8 had been read as Windows-1252"


def repair_mojibake(text: str, odd: str | None = None) -> tuple[str, int]:
    """Undo UTF-8 that was read as Windows-1252 (`Ã©` → `é`) where that is certain; returns how many characters.

    It is certain when such sequences are many and nearly nothing beyond ASCII stands outside of them: an author who
    writes `Ã©` on purpose also writes other accents.  `odd` are those of `uncommon`, where they are known.
    """
    odd = uncommon(text) if odd is None else odd
    beyond = odd.encode("utf-8", "surrogatepass").translate(None, _ASCII).decode("utf-8", "surrogatepass")
    if not beyond:
        return text, 0
    # Neighbours in the text are neighbours here too, so that there are no fewer sequences than in the text; each is
    # at most four characters long.
    if len(_TWICE.findall(beyond)) < max(4, len(beyond) / 4.2):
        return text, 0
    spans = [match for match in _TWICE.finditer(text) if _undo(match[0]) is not None]
    inside = sum(len(match[0]) for match in spans)
    outside = len(beyond) - inside
    if len(spans) < 4 or outside > 0.1 * len(spans):
        return text, 0
    return _TWICE.sub(lambda match: _undo(match[0]) or match[0], text), len(spans)


def _undo(chars: str) -> str | None:
    try:
        return bytes(_CP1252[char] for char in chars).decode("utf-8")
    except (UnicodeDecodeError, KeyError):
        return None
