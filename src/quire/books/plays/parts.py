"""What every reader of plays shares: how speeches and directions are written down, who speaks, acts and scenes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quire.books.draft import Item

_BRACKETED = re.compile(r"\s*(?:\(.*\)|\[.*\]|\{.*\})[.,;]?\s*", re.DOTALL)
_INNER = re.compile(r"[(\[{][^)\]}]*[)\]}]?")
_LABEL_END = " .,:;—–-"
# After a name, what is done: `LE COMTE, à part`, `Algernon, rising`; two names stay: `ROSS, ANGUS`.
_MANNER = re.compile(r"(?<=\w\w)\.?,\s+(?=[a-zà-öø-ÿ])(?!(?:and|et|und|y|e)\s).*$", re.DOTALL)
_ACT = re.compile(
    r"acte?|akt|aufzug|acto|atto|ato|jornada|journée|handlung|bedrijf|akten|part|partie|book|livre|tableau|día",
    re.IGNORECASE,
)
_STRICT_ACT = re.compile(r"acte?|akt|aufzug|acto|atto|ato|jornada|bedrijf|akten", re.IGNORECASE)
_WORD = re.compile(r"[\w’']+")
_SCENE = re.compile(
    r"sc[eèé]ne|scena|sz[eé]ne|escena|cena|auftritt|tooneel|toneel|scen|tableau|bild|cuadro|quadro", re.IGNORECASE
)
_CAST = re.compile(
    r"(?:the\s+)?(?:dramatis person(?:æ|ae|a)|(?:list of )?(?:persons|characters|people)(?: (?:represented|of|in|"
    r"reading)\b.*)?|(?:the )?persons? of the (?:play|drama|dialogue)|(?:the )?(?:actors|players)[’']? names|"
    r"(?:the )?names? of (?:all )?the (?:actors|players|persons)|cast(?: of characters)?|personnages(?: .*)?|acteurs|"
    r"les acteurs|noms des (?:acteurs|personnages)|personen|personaggi|interlocutori|personas|personajes|pessoas)"
    r"\s*[.:]?",
    re.IGNORECASE,
)
# What ends what someone does on the stage: it stands after the words.
_LEAVING = re.compile(
    r"\W*(?:exit|exeunt|dies|goes (?:out|off)|leaves|il sort|elle sort|ils sortent|sort|he goes|she goes)\b",
    re.IGNORECASE,
)
LONGEST_LABEL = 60


def speaker_of(label: str) -> str:
    """Who speaks, by the label as printed: `LE COMTE, à part.` → `LE COMTE`, `Hamlet [aside]:` → `Hamlet`."""
    name = _INNER.sub(" ", label)
    if not any(char.isalnum() for char in name):
        # All in brackets: who speaks under the others' words, or whom the editor names.
        name = re.sub(r"[()\[\]{}]", " ", label)
    name = _MANNER.sub("", " ".join(name.split()))
    return name.rstrip(_LABEL_END)


def direction(text: str) -> str:
    """A stage direction as it is shown: in its own brackets, or in round ones where it has none."""
    text = text.strip()
    return text if not text or _BRACKETED.fullmatch(text) else f"({text})"


def speech(label: str, lines: Iterable[str]) -> str:
    """The text of a speech: the label on a line of its own, then the lines."""
    return "\n".join(line for line in (" ".join(label.split()), *lines) if line.strip())


def is_leaving(text: str) -> bool:
    """Whether a direction says that someone goes, so that it stands after what was said."""
    return bool(_LEAVING.match(text))


def is_cast_heading(text: str) -> bool:
    """`Dramatis Personæ`, `Persons of the Play`, `Personnages`."""
    line = " ".join(text.split())
    return len(line) <= 80 and bool(_CAST.fullmatch(line))


def is_act(text: str, strict: bool = False) -> bool:
    """Whether a heading names an act, or (not `strict`) a part or book, which plays have too."""
    return _names(text, _STRICT_ACT if strict else _ACT)


def is_scene(text: str) -> bool:
    return _names(text, _SCENE)


def _names(text: str, unit: re.Pattern[str]) -> bool:
    """Whether the first words are such a unit and its number, in either order: `Act II`, `Zweiter Aufzug`."""
    line = text.partition("\n")[0]
    first = _WORD.search(line)
    if first is None:
        return False
    if unit.fullmatch(first[0]):
        return not first[0][0].islower()
    # Every paragraph of a book is asked: most are longer.
    return len(line) <= 40 and any(unit.fullmatch(word) for word in _WORD.findall(line)[1:3])


def arrange(items: Sequence[Item]) -> list[Item]:
    """Headings of a play set in order: one chapter a scene, and the first of an act is called by the act too.

    An act's heading and that of its first scene become one, unless someone speaks between them; no other scene is
    called by its act, since nothing that is not printed comes in.
    """
    arranged: list[Item] = []
    act_at: int | None = None
    for item in items:
        if item.kind == "heading" and is_scene(item.text):
            title = _flat(item.text)
            if act_at is not None:
                opening, between = arranged[act_at], arranged[act_at + 1 :]
                title = f"{opening.text.rstrip('.,:;— ')}, {title}"
                arranged[act_at:] = [replace(opening, text=title, matter=opening.matter or item.matter), *between]
                act_at = None
            else:
                arranged.append(replace(item, text=title, level=1))
            continue
        if item.kind == "heading" and is_act(item.text):
            act_at = len(arranged)
            arranged.append(replace(item, text=_flat(item.text), level=1))
            continue
        if item.kind == "heading" and (item.level <= 2 or is_cast_heading(item.text)):
            act_at = None
            item = replace(item, level=1)
        elif item.kind == "speech":
            act_at = None
        arranged.append(item)
    return arranged


def _flat(text: str) -> str:
    """A heading of several lines on one: `ACT I.` and `A street.` stay apart by their stop or a comma."""
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    joined = ""
    for line in lines:
        joined = f"{joined}{'' if not joined else ' ' if joined[-1] in '.:;—–!?' else ', '}{line}"
    return joined


def is_mostly_spoken(items: Sequence[Item]) -> bool:
    """Whether speeches and directions are a third or more of what the items hold: prefaces may be long."""
    spoken = sum(len(item.text) for item in items if item.kind in ("speech", "direction"))
    told = sum(len(item.text) for item in items if item.kind in ("paragraph", "verse"))
    return 2 * spoken > told and sum(item.kind == "speech" for item in items) >= 2
