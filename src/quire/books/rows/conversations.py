"""Rows that are conversations: ShareGPT's `conversations`, the chat interface's `messages`, and their relatives.

A conversation is kept as a work of its own: a turn a block, `speaker` its role.  What is wrong with a row is told by
one of a few reasons, so that they can be counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quire.books import pulse
from quire.books.book import Block, Book, BookKind, Chapter, Dropped, Place, Role
from quire.books.cleaning import Cleaner, line_ends, repair_mojibake, say_repaired
from quire.books.language import detect_language
from quire.books.rows.row import Values

MOST_TURNS = 10_000
_LISTS = ("conversations", "conversation", "messages", "dialogue", "dialog", "turns", "chat")
_ROLES = ("from", "role", "speaker", "sender")
_TEXTS = ("value", "content", "text", "message", "utterance")
_SYSTEM_COLUMNS = ("system", "system_prompt", "system prompt")
_NAMES = ("id", "conversation_id", "title", "name")
_SAMPLE = 20_000
_UNANSWERED = "last turn without an answer"

# What data sets call the three roles, in the languages of the people who made them.
_CALLED: dict[Role, str] = {
    "system": "system système systeme sistema developer 系统 系統 система システム",
    "user": "user human prompter customer utilisateur humain benutzer nutzer mensch usuario humano utente umano "
    "usuário пользователь человек 用户 用戶 ユーザー 사용자",
    "character": "assistant gpt chatgpt bot chatbot ai model character bing bard claude asistente assistente assistent "
    "personnage charakter personaje personaggio personagem ассистент персонаж 助手 アシスタント 어시스턴트",
}
_ROLE_OF: dict[str, Role] = {name: role for role, names in _CALLED.items() for name in names.split()}
# A turn may also be an object of both sides: {"input": …, "output": …}.
_ASKED = ("input", "human", "user", "prompt", "instruction", "question")
_ANSWERED = ("output", "assistant", "gpt", "bot", "response", "completion", "answer")


@dataclass(frozen=True, slots=True)
class Unfit:
    """Why a row is no conversation or completion; `detail` is the piece that shows it."""

    reason: str
    detail: str = ""


Turn = tuple[Role, str]


def are_conversations(rows: Sequence[Values]) -> bool:
    """Whether rows (as they are, not flattened) hold lists of turns, each with a role."""
    return any(_is_list_of_turns(value) for row in rows if (value := _list_of(row)) is not None)


def _list_of(row: Values) -> Any:
    lower = {name.lower(): value for name, value in reversed(row.items()) if value is not None}
    return next((lower[name] for name in _LISTS if name in lower), None)


def _is_list_of_turns(value: object) -> bool:
    if not isinstance(value, list):
        return False
    return any(isinstance(item, dict) and (_first(item, _ROLES) is not None or _pair(item)) for item in value)


def is_turn(value: Values) -> bool:
    """Whether an object is a turn with its role, as those of a conversation are that is alone in its file."""
    return isinstance(_first(value, _ROLES), str) and any(name in value for name in _TEXTS)


def make_conversation(path: Path, place: Place, row: Values, language: str) -> Book | Unfit:
    """The conversation of a row, or why there is none.

    Turns must alternate, the user first, after at most one system turn.  A last turn that nobody answered teaches
    nothing and is dropped alone.
    """
    cleaner, repaired = Cleaner(), [0]
    turns = _turns(row, cleaner, repaired)
    if isinstance(turns, Unfit):
        return turns
    if (unfit := _out_of_order(turns)) is not None:
        return unfit
    dropped: tuple[Dropped, ...] = ()
    if turns[-1][0] == "user":
        dropped = (Dropped(_UNANSWERED, turns.pop()[1], place),)
    warnings = cleaner.warnings() + ([say_repaired(repaired[0])] if repaired[0] else [])
    if _says_weights(row):
        warnings.append("weights of single turns are not heeded: all answers are learned")
    return said_work(path, place, row, turns, "conversations", language, dropped, warnings)


def said_work(
    path: Path,
    place: Place,
    row: Values,
    turns: Sequence[Turn],
    kind: BookKind,
    language: str,
    dropped: tuple[Dropped, ...],
    warnings: Sequence[str],
) -> Book:
    """A work of turns, with the row's other plain columns."""
    blocks = tuple(Block("speech", text, place, role) for role, text in turns)
    words = "\n".join(text[:_SAMPLE] for _, text in turns)
    plain = {name: value for name, value in row.items() if isinstance(value, str | int | float)}
    lower = {name.lower(): str(value).strip() for name, value in reversed(plain.items())}
    name = next((lower[key] for key in _NAMES if lower.get(key)), "")
    title = " ".join(Cleaner().clean(name[:200]).split())
    columns = tuple((key, str(value)[:1000]) for key, value in plain.items()) if kind == "conversations" else ()
    return Book(
        path=str(path),
        title=title or f"{path.stem}, {place.unit} {place.number}",
        chapters=(Chapter(None, blocks),),
        language=detect_language(words) or language,
        kind=kind,
        dropped=dropped,
        warnings=tuple(warnings),
        columns=columns,
    )


def clean_turn(text: str, cleaner: Cleaner, repaired: list[int]) -> str:
    """The words of a turn, cleaned as all text is; `repaired` counts characters whose encoding was mended."""
    text, count = repair_mojibake(line_ends(text))
    repaired[0] += count
    pulse.beat()
    return cleaner.clean_all([text])[0]


def _turns(row: Values, cleaner: Cleaner, repaired: list[int]) -> list[Turn] | Unfit:
    said = _list_of(row)
    if not isinstance(said, list):
        return Unfit("row without a list of turns", "" if said is None else str(said)[:80])
    if not said:
        return Unfit("conversation without turns")
    if len(said) > MOST_TURNS:
        return Unfit(f"conversation of more than {MOST_TURNS:,} turns")
    turns: list[Turn] = []
    for number, item in enumerate(said, start=1):
        for each in _sides(item):
            turn = _turn(each, cleaner, repaired)
            if isinstance(turn, Unfit):
                return Unfit(turn.reason, f"turn {number}{': ' + turn.detail if turn.detail else ''}")
            turns.append(turn)
    outside = _first(row, _SYSTEM_COLUMNS)
    if isinstance(outside, str) and turns[0][0] != "system" and (text := clean_turn(outside, cleaner, repaired)):
        turns.insert(0, ("system", text))
    return turns


def _sides(item: object) -> list[object]:
    """The turns of an entry: itself, or both sides where it holds what was asked and what was answered."""
    if isinstance(item, dict) and _first(item, _ROLES) is None and (both := _pair(item)):
        return [{"role": role, "content": item[name]} for role, name in zip(("user", "character"), both, strict=True)]
    return [item]


def _pair(item: Values) -> tuple[str, str] | None:
    asked = next((name for name in _ASKED if name in item), None)
    answered = next((name for name in _ANSWERED if name in item), None)
    return (asked, answered) if asked is not None and answered is not None else None


def _turn(item: object, cleaner: Cleaner, repaired: list[int]) -> Turn | Unfit:
    if not isinstance(item, dict):
        return Unfit("turn that is no object", str(item)[:80])
    called = _first(item, _ROLES)
    if not isinstance(called, str) or not called.strip():
        return Unfit("turn without a role")
    role = _ROLE_OF.get(called.strip().casefold())
    if role is None:
        return Unfit("turn with an unknown role", repr(called.strip()[:80]))
    text = _text(_first(item, _TEXTS))
    if text is None:
        return Unfit("turn whose text is no text")
    words = clean_turn(text, cleaner, repaired)
    return (role, words) if words.strip() else Unfit("turn without text")


def _text(value: object) -> str | None:
    """The text of a turn; of a list of parts that are all text, theirs together.  None where it is none."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(p, dict) and isinstance(p.get("text"), str) for p in value):
        return "\n\n".join(part["text"] for part in value)
    return None


def _out_of_order(turns: Sequence[Turn]) -> Unfit | None:
    said = [role for role, _ in turns]
    body = said[1:] if said[0] == "system" else said
    if "system" in body:
        return Unfit("system turn in the middle", f"turn {1 + len(said) - len(body) + body.index('system')}")
    if "character" not in body:
        return Unfit("conversation without an answer")
    if body[0] == "character":
        return Unfit("answer before anything was said to it")
    for number, (role, following) in enumerate(zip(body, body[1:], strict=False), start=2 + len(said) - len(body)):
        if role == following:
            who = "of the user" if role == "user" else "of the character"
            return Unfit(f"two turns {who} in a row", f"turn {number}")
    return None


def _says_weights(row: Values) -> bool:
    said = _list_of(row)
    return any(isinstance(item, dict) and item.get("weight", 1) in (0, 0.0) for item in said)


def _first(item: Values, names: Sequence[str]) -> Any:
    """The value of the first of these keys that is there."""
    return next((item[name] for name in names if item.get(name) is not None), None)
