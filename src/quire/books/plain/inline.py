"""The marks within a line.  Of Markdown: emphasis, links, notes, markup, changes, and those of programs that write it;
of plain text: underscores."""

from __future__ import annotations

import re

# No pattern looks further than the next sign of its own kind, or so many characters: a page of opening signs without
# a closing one must cost no more than its length.
_TAGS = (
    "i b em strong span sup sub small u s a cite abbr center font big tt code kbd q mark ins del div p section article "
    "header footer figure figcaption img hr br table thead tbody tr td th ul ol li blockquote pre ruby rb wbr dl dt dd "
    "h1 h2 h3 h4 h5 h6 nav main aside details summary"
)
_TARGET = r"[^()\s]*(?:\([^()\s]*\)[^()\s]*){0,4}(?:\s+[\"'][^\"()]{0,300}[\"'])?"
_INLINE = (
    (re.compile(r"!\[([^\[\]]{0,1000})\](?:\(" + _TARGET + r"\)|\[[^\[\]]{0,200}\])(?:\{[^{}]{0,300}\})?"), ""),
    (re.compile(r"\[\^[^\[\]]{1,200}\]"), ""),
    (re.compile(r"\[\[(?:[^\[\]|]{1,300}\|)?([^\[\]|]{1,300})\]\]"), r"\1"),
    (re.compile(r"\[([^\[\]]{0,1000})\]\(" + _TARGET + r"\)(?:\{[^{}]{0,300}\})?"), r"\1"),
    (re.compile(r"\[([^\[\]]{1,1000})\]\[[^\[\]]{0,200}\]"), r"\1"),
    (re.compile(r"\[([^\[\]]{1,1000})\]\{[^{}]{0,300}\}"), r"\1"),
    (re.compile(r"<((?:https?://|mailto:)[^<>\s]{1,1000})>"), r"\1"),
    (re.compile(r"<rt>[^<>]{0,200}</rt>|<rp>[^<>]{0,20}</rp>", re.IGNORECASE), ""),
    (re.compile(r"<br\s{0,9}/?>", re.IGNORECASE), "\n"),
    (re.compile(rf"</?(?:{_TAGS.replace(' ', '|')})(?:\s[^<>]{{0,1000}})?/?>", re.IGNORECASE), ""),
    (re.compile(r"\{\+\+([^{}]{0,2000}?)\+\+\}"), r"\1"),
    (re.compile(r"\{~~[^{}]{0,1000}~>([^{}]{0,1000})~~\}"), r"\1"),
    (re.compile(r"\{==([^{}]{0,2000}?)==\}"), r"\1"),
    (re.compile(r"\{\{[<%][^{}]{0,500}[%>]\}\}|\{%[^{}%]{0,500}%\}"), ""),
    (re.compile(r"(?<![\\*])\*\*\*(?=\S)((?:[^*\\]|\\.){1,3000}?)(?<=\S)\*\*\*", re.DOTALL), r"\1"),
    (re.compile(r"(?<![\\*])\*\*(?=\S)((?:[^*\\]|\\.|\*(?!\*)){1,3000}?)(?<=\S)\*\*", re.DOTALL), r"\1"),
    (re.compile(r"(?<![\\*])\*(?=[^\s*])((?:[^*\\]|\\.){1,3000}?)(?<=[^\s\\])\*(?!\*)", re.DOTALL), r"\1"),
    (re.compile(r"(?<![\w\\_])__(?=\S)((?:[^_\\]|\\.|_(?!_)){1,3000}?)(?<=\S)__(?!\w)", re.DOTALL), r"\1"),
    (re.compile(r"(?<![\w\\_])_(?=[^\s_])((?:[^_\\]|\\.|\B_\B){1,3000}?)(?<=[^\s\\])_(?!\w)", re.DOTALL), r"\1"),
    (re.compile(r"~~(?=\S)([^~]{1,3000}?)(?<=\S)~~"), r"\1"),
    (re.compile(r"`([^`]{1,3000})`"), r"\1"),
    (re.compile(r"\\([\\`*_{}\[\]()#+\-.!>~|\"'<$^&@=/:;,?%])"), r"\1"),
)  # fmt: skip
UNDERSCORED = re.compile(r"(?<![\w_])_(?=\S)([^_]{1,2000}?)(?<=\S)_(?![\w_])")
"""Italics, as those write them who have only letters."""
_ENTITY = re.compile(r"&(?:#\d{1,8}|#x[0-9a-fA-F]{1,8}|[A-Za-z]{1,32}\d{0,2});")
_NOTE = re.compile(r"\^\[((?:[^\[\]]|\[[^\[\]]{0,300}\]){1,3000})\]")
_GONE = re.compile(r"\{--[^{}]{0,2000}?--\}|\{>>[^{}]{0,2000}?<<\}")
_MARKS = frozenset("*_[]`<\\~&!{^")


def inline(text: str) -> str:
    """A line without the marks of emphasis, links, code, escapes and accepted changes."""
    if _MARKS.isdisjoint(text):
        return text
    for pattern, instead in _INLINE:
        text = pattern.sub(instead, text)
    if "&" in text:
        from html import unescape

        text = _ENTITY.sub(lambda match: unescape(match[0]), text)
    return text


def take_aside(text: str) -> tuple[str, list[str], list[str]]:
    """The text without notes that stand in the line (`^[…]`) and without what was struck out or remarked; and those."""
    notes: list[str] = []
    gone: list[str] = []
    if "^[" in text:
        notes = _NOTE.findall(text)
        text = _NOTE.sub("", text)
    if "{--" in text or "{>>" in text:
        gone = [one[3:-3] for one in _GONE.findall(text)]
        text = _GONE.sub("", text)
    return text, notes, gone
