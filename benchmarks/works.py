"""The texts that the bench sets and writes: the sample works, texts of its own, and texts that someone names."""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Literal

PieceKind = Literal["heading", "paragraph", "verse", "break", "quote", "dateline", "signature"]
TEXTS = Path(__file__).parent / "texts"
_GAP = re.compile(r"\n\s*\n")
# So long a piece of a longer work is set: enough pages for running heads, and the bench stays quick.
MOST_WORDS = 20_000


@dataclass(frozen=True)
class Piece:
    """One part of a work.  `*…*` in it is italic; verse has its line ends."""

    kind: PieceKind
    text: str

    @property
    def plain(self) -> str:
        return strip_marks(self.text)


@dataclass(frozen=True)
class Work:
    title: str
    author: str
    language: str
    pieces: tuple[Piece, ...]


def strip_marks(text: str) -> str:
    """Without the stars of italics."""
    return re.sub(r"\*([^*\n]+)\*", r"\1", text)


def sample(name: str) -> Work:
    """A work that ships with Quire."""
    return from_markdown(_asset(f"{name}.md"))


def _asset(name: str) -> str:
    return resources.files("quire").joinpath("assets", "samples", name).read_text(encoding="utf-8")


def own(name: str) -> Work:
    """A text of the bench."""
    return from_markdown((TEXTS / f"{name}.md").read_text(encoding="utf-8"))


def poems(most: int = 60) -> Work:
    """Poems of the sample, each under its title, their stanzas apart."""
    rows = [json.loads(line) for line in _asset("poems.jsonl").splitlines()][:most]
    pieces: list[Piece] = []
    for row in rows:
        pieces.append(Piece("heading", row["poem name"]))
        pieces += [Piece("verse", stanza.strip()) for stanza in _GAP.split(row["content"]) if stanza.strip()]
    return Work("Poems", rows[0]["author"].title(), "en", tuple(pieces))


def from_markdown(text: str) -> Work:
    """Headings, paragraphs, `>` verse, `* * *`; nothing else is in these texts."""
    _, facts, text = text.split("---\n", 2)
    told = dict(line.split(": ", 1) for line in facts.strip().splitlines())
    pieces = []
    for part in _GAP.split(text.strip()):
        if part.startswith("# "):
            continue
        if part.startswith("## "):
            pieces.append(Piece("heading", part[3:]))
        elif part == "* * *":
            pieces.append(Piece("break", part))
        elif part.startswith(">"):
            pieces.append(Piece("verse", re.sub(r"^> ?", "", part, flags=re.MULTILINE)))
        else:
            pieces.append(Piece("paragraph", part))
    return Work(told["title"], told["author"], told["language"], tuple(pieces))


def named(folder: Path, each: int = 1) -> Iterator[Work]:
    """The works under a folder: `.txt` with blank lines between paragraphs, `.jsonl.xz` with a work a line.

    Of each packed file the first `each` works, and of each work its first chapters.
    """
    for path in sorted(folder.iterdir()):
        if path.name.endswith(".jsonl.xz"):
            with lzma.open(path, "rt", encoding="utf-8") as lines:
                for _, line in zip(range(each), lines, strict=False):
                    row = json.loads(line)
                    yield _from_text(row["text"], row["title"], row["author"], row["lang"])
        elif path.suffix == ".txt":
            text = path.read_text(encoding="utf-8")
            yield _from_text(text, path.stem, "Anonymous", "fr" if text.count(" que ") > text.count(" that ") else "en")


def _from_text(text: str, title: str, author: str, language: str) -> Work:
    pieces: list[Piece] = []
    count = 0
    for part in _GAP.split(text.strip()):
        part = part.strip("\n")
        if "\n" in part:
            piece = Piece("verse", part)
        elif len(part) < 60 and not re.search(r"[.!?…,;:”»\"’]$", part) and not part.startswith(("—", "–", "«")):
            # Two lines of one heading.
            if pieces and pieces[-1].kind == "heading":
                pieces[-1] = replace(pieces[-1], text=f"{pieces[-1].text}. {part}")
                continue
            piece = Piece("heading", part)
        else:
            piece = Piece("paragraph", part)
        pieces.append(replace(piece, text=piece.text.replace("*", "")))
        count += len(part.split())
        if count > MOST_WORDS:
            break
    if not pieces or pieces[0].kind != "heading":
        pieces.insert(0, Piece("heading", "I"))
    return Work(title, author, language, tuple(pieces))


def enrich(work: Work, verse: Sequence[str] = (), quotes: Sequence[str] = (), letters: Sequence[str] = ()) -> Work:
    """The work with verse, quotations and letters put between its paragraphs, at even distances."""
    pieces: list[Piece] = []
    stock = [[Piece("verse", text)] for text in verse] + [[Piece("quote", text)] for text in quotes]
    stock += [_letter(text) for text in letters]
    count = used = 0
    for number, piece in enumerate(work.pieces):
        pieces.append(piece)
        after = work.pieces[number + 1] if number + 1 < len(work.pieces) else None
        if piece.kind == "paragraph" and after is not None and after.kind == "paragraph":
            count += 1
            if stock and count % 12 == 5:
                pieces += stock[used % len(stock)]
                used += 1
    return replace(work, pieces=tuple(pieces))


def _letter(text: str) -> list[Piece]:
    first, *middle, last = text.split("\n\n")
    return [Piece("dateline", first), *(Piece("paragraph", part) for part in middle), Piece("signature", last)]
