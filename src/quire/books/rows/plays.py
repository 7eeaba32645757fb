"""Plays whose speeches are the rows of a data set: the rows of one play are one book."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from quire.books import pulse
from quire.books.book import Book, Place
from quire.books.cleaning import line_ends
from quire.books.draft import Draft
from quire.books.finishing.finish import finish
from quire.books.headings import recognise
from quire.books.language import language_code
from quire.books.limits import ReadOptions
from quire.books.plays import parts as plays
from quire.errors import BookError

_SPEAKERS = ("speaker", "character", "player", "persona", "personnage", "speaker_name", "character_name", "role", "who")
_WORDS = ("text", "line", "lines", "dialogue", "speech", "playerline", "player_line", "words", "content", "utterance")
_DIRECTIONS = ("stage_directions", "stage_direction", "stage directions", "stage direction", "directions", "direction",
               "didascalie", "didascalies", "stage")  # fmt: skip
_PLAYS = ("play", "play_title", "play title", "play_name", "title", "work", "piece", "pièce", "drama")
_ACTS = ("act", "acte", "act_number", "act number")
_SCENES = ("scene", "scène", "scene_number", "scene number")
_NUMBERED = ("actsceneline", "act_scene_line")
_AUTHORS = ("author", "playwright", "dramatist", "auteur", "by", "writer")
_LANGUAGES = ("language", "lang")


@dataclass(frozen=True, slots=True)
class Columns:
    """Which column says what; "" where none does."""

    speaker: str
    words: str
    directions: str
    play: str
    act: str
    scene: str
    numbered: str
    author: str
    language: str


def find_columns(names: Iterable[str], options: ReadOptions) -> Columns | None:
    """The columns of a play, or None where rows are no speeches.

    A speaker and words are not enough, since chats have them too: an act, a scene, directions or the recipe's
    `format: plays` must say that it is a play.
    """
    if options.format not in (None, "plays"):
        return None
    lower = {name.lower(): name for name in reversed(list(names))}

    def first(usual: Sequence[str]) -> str:
        return next((lower[name] for name in usual if name in lower), "")

    columns = Columns(
        speaker=first(_SPEAKERS),
        words=options.text or first(_WORDS),
        directions=first(_DIRECTIONS),
        play=first(_PLAYS),
        act=first(_ACTS),
        scene=first(_SCENES),
        numbered=first(_NUMBERED),
        author=first(_AUTHORS),
        language=first(_LANGUAGES),
    )
    if not columns.speaker or not columns.words or columns.speaker == columns.words:
        return None
    staged = columns.act or columns.scene or columns.numbered or columns.directions
    return columns if staged or options.format == "plays" else None


def read_rows(
    path: Path, rows: Iterable[tuple[int, Mapping[str, object]]], columns: Columns, options: ReadOptions
) -> Iterator[Book]:
    """A book for each run of rows of one play, in their order."""
    for play, group in groupby(rows, key=lambda row: _said(row[1], columns.play)):
        book = _play(path, play, group, columns, options)
        if book is not None:
            yield book


def _play(
    path: Path, play: str, rows: Iterable[tuple[int, Mapping[str, object]]], columns: Columns, options: ReadOptions
) -> Book | None:
    draft = Draft(str(path), kind="plays")
    draft.title = play or path.stem
    written = _Rows(draft, columns)
    constant: dict[str, str] | None = None
    for number, row in rows:
        pulse.beat()
        written.add(row, Place(str(path), "line", number))
        told = {name: str(value) for name, value in row.items() if isinstance(value, str | int | float)}
        constant = told if constant is None else {k: v for k, v in constant.items() if told.get(k) == v}
        draft.author = draft.author or _said(row, columns.author)
        draft.language = draft.language or language_code(_said(row, columns.language))
    written.close()
    own = {columns.speaker, columns.words, columns.directions, columns.act, columns.scene, columns.numbered}
    draft.columns = tuple((name, value) for name, value in (constant or {}).items() if name not in own)
    try:
        return finish(draft, options)
    except BookError:
        return None


class _Rows:
    """Speeches and directions of one play, as its rows come.

    Rows of one speaker that follow each other are one speech; a direction alone in its row that stands between two
    such rows does not end it.
    """

    def __init__(self, draft: Draft, columns: Columns) -> None:
        self.draft = draft
        self.columns = columns
        self.act = self.scene = self.speaker = ""
        self.place: Place | None = None
        self.lines: list[str] = []
        self.waiting: list[tuple[str, Place]] = []

    def add(self, row: Mapping[str, object], place: Place) -> None:
        self._division(row, place)
        speaker = _said(row, self.columns.speaker)
        words = [line.strip() for line in line_ends(_text(row, self.columns.words)).split("\n") if line.strip()]
        directions = _directions(row, self.columns.directions)
        if not speaker:
            self.waiting += [(plays.direction(text), place) for text in [*directions, " ".join(words)] if text.strip()]
            return
        if speaker != self.speaker:
            self.close()
            self.speaker, self.place = speaker, place
        self.lines += [text for text, _ in self.waiting]
        self.waiting = []
        # Where in the speech something is done, the row does not say: who leaves does so after the last word.
        shown = [plays.direction(text) for text in directions]
        before = [text for text in shown if not plays.is_leaving(text)]
        self.lines += before + words + [text for text in shown if plays.is_leaving(text)]

    def close(self) -> None:
        """The speech so far is over; what was done after it stands alone."""
        if self.place is not None and self.lines:
            text = plays.speech(self.speaker, self.lines)
            self.draft.add("speech", text, self.place, speaker=plays.speaker_of(self.speaker))
        for text, place in self.waiting:
            self.draft.add("direction", text, place)
        self.speaker, self.place, self.lines, self.waiting = "", None, [], []

    def _division(self, row: Mapping[str, object], place: Place) -> None:
        act, scene = _said(row, self.columns.act), _said(row, self.columns.scene)
        numbers = re.findall(r"\d+", _said(row, self.columns.numbered))
        if len(numbers) >= 2 and not act:
            act, scene = numbers[0], numbers[1]
        act, scene = _named("Act", act), _named("Scene", scene)
        if (act, scene) == (self.act, self.scene):
            return
        self.close()
        # Every row says where it stands, so every scene is called by its act.
        self.draft.add("heading", ", ".join(name for name in (act, scene) if name), place, 1)
        self.act, self.scene = act, scene


def _named(unit: str, value: str) -> str:
    """`3` and `III` become `Act 3` and `Act III`; a name stays."""
    heading = recognise(value) if value else None
    return f"{unit} {value}" if heading is not None and heading.kind == "bare" and not heading.titled else value


def _text(row: Mapping[str, object], column: str) -> str:
    value = row.get(column) if column else None
    if isinstance(value, bool) or value is None:
        return ""
    return str(value) if isinstance(value, str | int | float) else ""


def _said(row: Mapping[str, object], column: str) -> str:
    return " ".join(_text(row, column).split())


def _directions(row: Mapping[str, object], column: str) -> list[str]:
    """A list of them, or one text with a blank line between two."""
    value = row.get(column) if column else None
    texts = [str(item) for item in value] if isinstance(value, list) else re.split(r"\n\s*\n", _text(row, column))
    return [" ".join(text.split()) for text in texts if text.strip()]
