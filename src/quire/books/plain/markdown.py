"""Markdown as people write books in it: front matter, `#` headings, emphasis, verse in block quotes, scene breaks."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from quire.books import pulse
from quire.books.book import Book, Place
from quire.books.cleaning import line_ends
from quire.books.draft import Draft, is_scene_break
from quire.books.encoding import decode
from quire.books.finishing.finish import finish
from quire.books.limits import PLAIN, ReadOptions
from quire.books.plain.inline import inline, take_aside
from quire.books.plain.lines import Lines, group_lines, numbered

_FRONT = re.compile(r"\A\s*---[ \t]*\n(.*?)\n(?:---|\.\.\.)[ \t]*(?:\n|\Z)", re.DOTALL)
_PANDOC = re.compile(r"\A% (.*)\n(?:% (.*)\n)?(?:% .*\n)?")
_FIELD = re.compile(r"^([A-Za-z][\w \t-]*)[:=][ \t]*(.*)$", re.MULTILINE)
_LISTED = re.compile(r"(?:\n[ \t]*-[ \t]+[^\n]*)+")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_FENCE = re.compile(r"^ {0,3}(```|~~~)")
_HEADING = re.compile(r"^ {0,3}(#{1,6})[ \t]+(\S.*)$")
_ATTRIBUTES = re.compile(r"(?<![ \t])[ \t]*\{[^{}]{0,300}\}$")
_UNDERLINE = re.compile(r"^ {0,3}(=+|-+)\s*$")
_RULE = re.compile(r"^ {0,3}(?:(?:\*\s*){3,}|(?:-\s*){3,}|(?:_\s*){3,})$")
_NOTE = re.compile(r"^\[\^([^\]]+)\]:\s*(.*)", re.DOTALL)
_REFERENCE = re.compile(r"^ {0,3}\[[^\]^]+\]:\s*\S+")
_HARD_BREAK = re.compile(r"(?:(?<! ) {2,}|\\)$")
_TOML = re.compile(r"\A\s*\+\+\+[ \t]*\n(.*?)\n\+\+\+[ \t]*(?:\n|\Z)", re.DOTALL)
_ITEM = re.compile(r"^\s*(?:([-*+•])|\d{1,9}[.)])\s+(?=\S)")
_HTML_HEADING = re.compile(r"^\s*<h([1-6])(?:\s[^<>]{0,500})?>(.{1,500}?)</h\1>\s*$", re.IGNORECASE | re.DOTALL)
_BARE_MARKUP = re.compile(
    r"^\s*(?::::.{0,200}|</?(?:div|section|p|center|figure|table|ul|ol)(?:\s[^<>]{0,500})?>)\s*$", re.I
)
_BEAT = 500


def read(path: Path, options: ReadOptions = PLAIN) -> list[Book]:
    """The one book of a Markdown file.  Raises BookError when it holds no text."""
    text, _, warnings = decode(path.read_bytes())
    draft = Draft(str(path), warnings=warnings)
    text = line_ends(text)
    skipped = 0
    if front := _FRONT.match(text) or _TOML.match(text):
        _read_front(draft, front[1])
        skipped = text.count("\n", 0, front.end())
        text = text[front.end() :]
    elif block := _PANDOC.match(text):
        draft.title, draft.author = block[1].strip(), (block[2] or "").strip()
        skipped = text.count("\n", 0, block.end())
        text = text[block.end() :]
    if "-->" in text:
        text = _without_comments(draft, text, skipped)
    for group in pulse.each(group_lines(text, ends=True), _BEAT):
        _read_group(draft, Lines(group.lines, group.number + skipped, group.gap))
    if not draft.title:
        draft.title = _only_top_heading(draft) or path.stem
    return [finish(draft, options)]


def _read_front(draft: Draft, front: str) -> None:
    """Title, author and language; the other keys become columns.  Plain `key: value` lines are all that is read, so
    that no YAML bomb is ever expanded."""
    fields: dict[str, str] = {}
    for match in _FIELD.finditer(front):
        value = match[2].strip().strip("\"'")
        listed = _LISTED.match(front, match.end()) if not value else None
        if listed:
            value = ", ".join(line.strip(" \t-\"'") for line in listed[0].strip().split("\n"))
        elif value.startswith("[") and value.endswith("]"):
            value = ", ".join(part.strip(" \"'") for part in value[1:-1].split(","))
        fields[match[1].strip().lower()] = value
    draft.title = fields.pop("title", "")
    draft.author = fields.pop("author", "")
    draft.language = fields.pop("language", "") or fields.pop("lang", "")
    draft.columns = tuple((key, value) for key, value in fields.items() if value)


def _without_comments(draft: Draft, text: str, skipped: int) -> str:
    """The text without its comments, their line ends kept.  No comment is looked for after the last end of one."""
    closed = text.rfind("-->") + 3
    for number, comment in numbered(_COMMENT, text[:closed]):
        draft.drop("comment", comment[0], Place(draft.path, "line", number + skipped))
    return _COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), text[:closed]) + text[closed:]


def _only_top_heading(draft: Draft) -> str:
    tops = [item for item in draft.items if item.kind == "heading" and item.level == 1]
    lower = any(item.kind == "heading" and item.level > 1 for item in draft.items)
    return " ".join(tops[0].text.split()) if len(tops) == 1 and lower and tops[0] is draft.items[0] else ""


def _read_group(draft: Draft, group: Lines) -> None:
    """Lines without a blank one between them: headings and rules stand alone, the rest is one block each."""
    lines: list[str] = []
    first = group.number
    for number, line in enumerate(group.lines, start=group.number):
        place = Place(draft.path, "line", number)
        if _FENCE.match(line) or _BARE_MARKUP.match(line):
            continue
        heading = _HEADING.match(line)
        underline = _UNDERLINE.match(line) if lines else None
        quoted = [line.lstrip().startswith(">"), bool(lines) and lines[-1].lstrip().startswith(">")]
        starts = heading or _RULE.match(line) or underline or (lines and quoted[0] != quoted[1] and quoted[0])
        if not starts:
            first = number if not lines else first
            lines.append(line)
            continue
        if underline and not heading and len(lines) == 1:
            draft.add("heading", inline(lines[0].strip()), Place(draft.path, "line", first), 1 if "=" in line else 2)
            lines = []
            continue
        _add(draft, lines, Place(draft.path, "line", first))
        lines = []
        if heading:
            draft.add("heading", _heading_text(heading[2]), place, len(heading[1]))
        elif _RULE.match(line):
            draft.add("break", line, place)
        else:
            lines, first = [line], number
    _add(draft, lines, Place(draft.path, "line", first))


def _heading_text(text: str) -> str:
    """A heading's words, without attributes and without the signs that may close it."""
    text = _ATTRIBUTES.sub("", text.rstrip())
    bare = text.rstrip("#")
    return inline(bare.strip() if bare != text and bare[-1:] in (" ", "\t", "") else text)


def _add(draft: Draft, lines: list[str], place: Place) -> None:
    if not lines:
        return
    if all(line.lstrip().startswith(">") for line in lines):
        _add_quote(draft, [re.sub(r"^\s*(?:>\s?)+", "", line) for line in lines], place)
        return
    if lines[0].startswith("|") and all(line.startswith(("|", " ")) for line in lines):
        _add_line_block(draft, lines, place)
        return
    text = "\n".join(lines)
    if (titled := _HTML_HEADING.match(text)) is not None:
        draft.add("heading", inline(titled[2]), place, int(titled[1]))
        return
    if _goes_on_note(draft, lines):
        last = draft.items[-1]
        draft.items[-1] = replace(last, text=f"{last.text}\n{inline(' '.join(text.split()))}")
        return
    if len(lines) > 1 and _ITEM.match(lines[0]) and not _NOTE.match(text):
        _add_list(draft, lines, place)
        return
    if _NOTE.match(text.strip()):
        for part in re.split(r"\n(?=\[\^[^\]]+\]:)", text.strip()):
            if note := _NOTE.match(part):
                draft.add("note", inline(" ".join(note[2].split())), place)
    elif all(_REFERENCE.match(line) for line in lines):
        draft.drop("link reference", text, place)
    elif len(lines) == 1 and is_scene_break(lines[0]):
        draft.add("break", lines[0], place)
    elif len(lines) > 1 and any(_HARD_BREAK.search(line) for line in lines[:-1]):
        _add_hard_breaks(draft, lines, place)
    else:
        _add_paragraph(draft, " ".join(line.strip() for line in lines), place)


def _goes_on_note(draft: Draft, lines: list[str]) -> bool:
    """Whether indented lines after a note are its next paragraph."""
    last = draft.items[-1] if draft.items else None
    return last is not None and last.kind == "note" and all(line.startswith(("    ", "\t")) for line in lines)


def _add_list(draft: Draft, lines: list[str], place: Place) -> None:
    """Each item of a list by itself, with its number or its dash: lines of talk look the same."""
    items: list[list[str]] = []
    for line in lines:
        if _ITEM.match(line) or not items:
            items.append([line])
        else:
            items[-1].append(line)
    for item in items:
        _add_paragraph(draft, " ".join(line.strip() for line in item), place)


def _add_paragraph(draft: Draft, raw: str, place: Place) -> None:
    mark = _ITEM.match(raw)
    if mark and mark[1] in ("*", "+", "•"):
        raw = raw[mark.end() :]
    raw, notes, gone = take_aside(raw)
    for note in notes:
        draft.add("note", inline(note), place)
    for text in gone:
        draft.drop("tracked deletion or hidden text", text, place)
    text = inline(raw)
    draft.add("verse" if "\n" in text else "paragraph", text, place)


def _add_hard_breaks(draft: Draft, lines: list[str], place: Place) -> None:
    """Lines that end with two spaces or a backslash keep their ends; others go on in the next line."""
    kept: list[str] = [""]
    for line in lines:
        kept[-1] = f"{kept[-1]} {_HARD_BREAK.sub('', line).strip()}".strip()
        if _HARD_BREAK.search(line):
            kept.append("")
    _add_lines(draft, [line for line in kept if line], place)


def _add_line_block(draft: Draft, lines: list[str], place: Place) -> None:
    """Lines after strokes are verse; one that is set in goes on from the line before."""
    kept: list[str] = []
    for line in lines:
        if line.startswith("|"):
            kept.append(line[1:].strip())
        else:
            kept[-1] = f"{kept[-1]} {line.strip()}"
    _add_lines(draft, [line for line in kept if line], place)


def _add_quote(draft: Draft, lines: list[str], place: Place) -> None:
    """A block quote of short lines is verse, a stanza between its empty lines; of long ones it is prose."""
    stanza: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            stanza.append(line)
            continue
        if not stanza:
            continue
        heading = _HEADING.match(stanza[0]) if len(stanza) == 1 else None
        hard = any(_HARD_BREAK.search(one) for one in stanza[:-1])
        short = len(stanza) > 1 and max(len(one.strip()) for one in stanza) <= 66 and not _looks_wrapped(stanza)
        if heading:
            draft.add("heading", _heading_text(heading[2]), place, len(heading[1]))
        elif hard:
            _add_hard_breaks(draft, stanza, place)
        elif short:
            _add_lines(draft, [one.strip() for one in stanza], place)
        else:
            _add_paragraph(draft, " ".join(one.strip() for one in stanza), place)
        stanza = []


def _looks_wrapped(lines: list[str]) -> bool:
    """Prose in a narrow measure: no line could have taken the next one's first word, and lines begin anywhere."""
    widest = max(len(line.strip()) for line in lines)
    pairs = list(zip(lines, lines[1:], strict=False))
    full = sum(len(first.strip()) + 1 + len(second.split()[0]) > widest for first, second in pairs)
    low = sum(line.strip()[:1].islower() for line in lines[1:])
    return full == len(pairs) and low >= 0.5 * len(pairs) and widest >= 40


def _add_lines(draft: Draft, lines: list[str], place: Place) -> None:
    draft.add("verse" if len(lines) > 1 else "paragraph", "\n".join(inline(line) for line in lines), place)
