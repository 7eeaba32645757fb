"""From bytes to text: byte-order mark, what the file declares, UTF-8, UTF-16 without a mark, then a guess."""

from __future__ import annotations

import codecs
import re

from quire.books.finishing import gutenberg

_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_PARTS_OF_UTF8 = re.compile(rb"(?:[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3})")
_GUESS_BYTES = 60_000
# Letters that English, French, German, Spanish, Italian and Portuguese write beyond ASCII, with the signs of printers.
_USUAL = frozenset("àâäáãåæçèéêëìíîïñòóôöõøœùúûüÿßÀÂÄÁÃÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÖÕØŒÙÚÛÜŸ«»“”‘’„‚‹›—–…°§£€©®·•†‡¡¿½¼¾ªº\xa0´²³¶")

_BEYOND = re.compile(r"[^\x00-\x7f]")
_CAPITALS = "ÁÀÂÄÃÅÆÇÉÈÊËÍÌÎÏÑÓÒÔÖÕØŒÚÙÛÜŸ"
# `À` and `Ô` are words.
_MISPLACED = re.compile(
    rf"(?<=[a-zß-öø-ÿœ])[{_CAPITALS}]|(?<![^\W\d_])[ÓÒÕÑÄÃÅÖÜÍÌ](?![^\W\d_])|(?<=[a-z])[†‡°§¶](?=[a-z])"
)


def decode(data: bytes) -> tuple[str, str, list[str]]:
    """The text of a file, the encoding it was in, and warnings.  Never fails: what cannot be decoded becomes U+FFFD."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return data[len(mark) :].decode(encoding, "replace"), encoding, []
    declared = gutenberg.declared_encoding(data[:20_000])
    if declared and (text := _try(data, declared)) is not None:
        return text, declared, []
    if (text := _try(data, "utf-8")) is not None:
        if "\x00" not in text[:10_000]:
            return text, "utf-8", []
        if encoding := utf16_without_mark(data):
            return data.decode(encoding, "replace"), encoding, []
        return text, "utf-8", []
    if encoding := utf16_without_mark(data):
        return data.decode(encoding, "replace"), encoding, []
    if _mostly_utf8(data):
        return _mixed(data)
    encoding = _guess(data)
    return data.decode(encoding, "replace"), encoding, []


def _try(data: bytes, encoding: str) -> str | None:
    name = encoding.lower().replace(" ", "-")
    # What people declare as Latin-1 or ASCII uses Windows' quotation marks as soon as it uses bytes 0x80-0x9f.
    if name in ("iso-8859-1", "latin-1", "latin1", "iso-latin-1", "iso8859-1", "us-ascii", "ascii"):
        if _is_utf8(data) and any(byte > 0x7F for byte in data[:200_000]):
            return data.decode("utf-8")
        name = "cp1252" if re.search(rb"[\x80-\x9f]", data) else "latin-1"
    try:
        return data.decode(name)
    except (UnicodeDecodeError, LookupError):
        return None


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def utf16_without_mark(data: bytes) -> str:
    """`utf-16-le` or `utf-16-be` when every other byte is mostly zero (Latin letters in two bytes), else `""`."""
    sample = data[:4000]
    if len(sample) < 8 or len(data) % 2:
        return ""
    pairs = len(sample) // 2
    even, odd = sample[0::2].count(0) / pairs, sample[1::2].count(0) / pairs
    if odd > 0.6 and even < 0.1:
        return "utf-16-le"
    return "utf-16-be" if even > 0.6 and odd < 0.1 else ""


def _mostly_utf8(data: bytes) -> bool:
    """Whether some sequences are valid UTF-8 beyond ASCII, enough that the file cannot be all in one 8-bit encoding."""
    whole = sum(len(match) for match in _PARTS_OF_UTF8.findall(data))
    high = sum(byte > 0x7F for byte in data)
    return whole >= 6 and whole >= 0.3 * high


def _mixed(data: bytes) -> tuple[str, str, list[str]]:
    """UTF-8 with Windows-1252 in between: line by line, each in the encoding that it is valid in."""
    lines = []
    foreign = broken = 0
    for line in data.split(b"\n"):
        try:
            lines.append(line.decode("utf-8"))
        except UnicodeDecodeError:
            if _PARTS_OF_UTF8.search(line):
                broken += 1
                lines.append(line.decode("utf-8", "replace"))
            else:
                foreign += 1
                lines.append(line.decode("cp1252", "replace"))
    warnings = []
    if foreign:
        warnings.append(f"{foreign} lines were in Windows-1252 in a file that is otherwise UTF-8")
    if broken:
        warnings.append(f"{broken} lines hold bytes that are no text; they were replaced by U+FFFD")
    return "\n".join(lines), "utf-8", warnings


def _guess(data: bytes) -> str:
    """An 8-bit encoding: the one under which the high bytes are letters and signs that books use, where they do."""
    sample = data[:_GUESS_BYTES] if any(byte > 0x7F for byte in data[:_GUESS_BYTES]) else data
    scores = {encoding: _plausible(sample.decode(encoding, "replace")) for encoding in ("cp1252", "mac-roman")}
    best = max(scores, key=lambda name: scores[name])
    if scores[best] >= 0.95:
        return best
    from charset_normalizer import from_bytes

    found = from_bytes(data[:_GUESS_BYTES]).best()
    return found.encoding if found and found.encoding != "ascii" else "cp1252"


def _plausible(text: str) -> float:
    """The share of the characters beyond ASCII that books use, and use there.

    Quotation marks of one encoding are capitals of the other, after small letters or between spaces: `ThereÕs`.
    """
    beyond = _BEYOND.findall(text)
    good = sum(char in _USUAL for char in beyond)
    return (good - len(_MISPLACED.findall(text))) / max(1, len(beyond))
