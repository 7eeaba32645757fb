"""What a TEI header says of a work: title, author, language, how quotations were encoded."""

from __future__ import annotations

import re
from dataclasses import dataclass

from quire.books.markup import Element, tag

XML = "{http://www.w3.org/XML/1998/namespace}"
_WHITE = re.compile(r"[ \t\r\n]+")
# `1821-1880`, `1564?-1616`, `d. 1601`, `fl. 1580`, `ca. 1600`, `-1593`, `active 16th century`, in brackets too.
_YEAR = r"(?:(?:ca?|fl|d|b|m|né|geb|gest)\.?\s*)?(?:approximately |active )?(?:\d{3,4}\??|\d{2}th (?:cent\.?|century))"
_DATES = re.compile(
    rf"[\s,]*[\[(]?\s*(?:{_YEAR}\s*(?:[-–—/]\s*(?:(?:or )?{_YEAR})?|or \d+)?|[-–—]\s*{_YEAR})[\])]?[.,\s]*$|"
    r"\s*[\[(][^)\]]*(?:\d{3,4}|unknown)[^)\]]*[\])]\s*$",
    re.IGNORECASE,
)
_RANKS = re.compile(
    r"sir|dame|lord|lady|dr\.?|mrs\.?|mr\.?|m\.|mme|mlle|abbé|comte|comtesse|baron(?:ess)?|earl|viscount|marquis|duke",
    re.IGNORECASE,
)
# `Molière [Poquelin, Jean-Baptiste]`
_ALSO = re.compile(r"\s*\[[^\]]*,[^\]]*\]")
# `Conde de`, `Earl of`: a title that the surname is the end of.
_TITLED = re.compile(r"\w+ (?:de|du|d[’']|of|von|van|di|da)(?: la)?", re.IGNORECASE)
_PARTICLE = re.compile(r"(?:de|du|von|van|di|da|del|d[’']|of)\b.*", re.IGNORECASE)
_EDITIONS = r"(?:édition|edition|edição|edición|edizione|ediția|ausgabe|editie|wydanie|izdanje|kiadás)"
# What encoders put after a title: `: ELTeC edition`, `: Edição para o ELTeC`, `(a machine-readable transcription)`.
_EDITION = re.compile(
    rf"\s*[:.]\s*(?:(?:an? )?[\w-]+ {_EDITIONS}|{_EDITIONS} (?:[a-z]{{1,4}} ){{0,2}}[\w-]+)\s*$|"
    rf"\s*[:,.\[(]\s*(?:{_EDITIONS}\s+ELTeC|ELTeC\s+\w+|(?:an? )?(?:TEI|electronic|digital|machine[- ]readable)\b.*)"
    r"[\])]?\s*$",
    re.IGNORECASE,
)
_LONGEST_NAME = 500
_LONGEST_TITLE = 2000
_UNNAMED = frozenset(("idno", "date", "birth", "death", "note", "email", "affiliation", "ref", "ptr", "gap"))


@dataclass(frozen=True, slots=True)
class Header:
    """`people` are the names of a play's persons by their ids; `quotes` is whether marks of quotation must be set."""

    title: str = ""
    subtitle: str = ""
    author: str = ""
    language: str = ""
    people: tuple[tuple[str, str], ...] = ()
    quotes: bool = False


def read_header(work: Element, corpus: Element | None = None) -> Header:
    """The header of a work; author and language of the corpus where it has none of its own."""
    header = next((child for child in work if tag(child) == "teiheader"), None)
    text = next((child for child in work if tag(child) == "text"), None)
    language = (text.get(XML + "lang") or text.get("lang") or "") if text is not None else ""
    language = language or work.get(XML + "lang") or work.get("lang") or ""
    outer = read_header(corpus) if corpus is not None else Header()
    if header is None:
        return Header(author=outer.author, language=language or outer.language)
    statement = next((element for element in header.iter() if tag(element) == "titlestmt"), header)
    main, sub = _titles(statement)
    authors = [_person(element) for element in statement.iter() if tag(element) == "author"]
    names = ", ".join(dict.fromkeys(author for author in authors if author))
    used = [element for element in header.iter() if tag(element) == "language" and (element.get("ident") or "")]
    most = max(used, key=_usage, default=None)
    # Several languages in the header: what the text itself says comes first.
    said = most.get("ident") if most is not None and (len(used) == 1 or not language) else ""
    marks = next((element.get("marks") for element in header.iter() if tag(element) == "quotation"), None)
    return Header(
        title=main,
        subtitle=sub,
        author=names or outer.author,
        language=said or language or outer.language,
        people=tuple(_people(header)) + outer.people,
        quotes=marks == "none",
    )


def _usage(language: Element) -> float:
    try:
        return float(language.get("usage") or 0)
    except ValueError:
        return 0.0


def _titles(statement: Element) -> tuple[str, str]:
    """Main title and subtitle."""
    titles = [
        (element.get("type") or "", flat(element))
        for element in statement.iter()
        if tag(element) == "title" and flat(element) and tag(element.getparent()) in ("titlestmt", "title", "teiheader")
    ]
    mains = [text for kind, text in titles if kind == "main"] or [text for kind, text in titles if kind != "sub"]
    mains = mains or [text for _, text in titles]
    subs = [text for kind, text in titles if kind == "sub"]
    main = _EDITION.sub("", mains[0][:_LONGEST_TITLE]).strip().rstrip(" /:;,") if mains else ""
    return main, subs[0] if subs and subs[0] != main else ""


def _people(header: Element) -> list[tuple[str, str]]:
    """Ids and names of `listPerson`, as drama archives give them."""
    found = []
    for person in header.iter():
        if tag(person) in ("person", "persongrp") and (name := person.get(XML + "id")):
            named = next((inner for inner in person if tag(inner) in ("persname", "name") and flat(inner)), None)
            if named is not None:
                found.append((name, flat(named)))
    return found


def _person(element: Element) -> str:
    """An author's name in the order of speech, without dates and identifiers."""
    parts = {tag(inner): flat(inner) for inner in reversed(list(element.iter())) if flat(inner)}
    if "surname" in parts and "forename" in parts:
        return _in_parts(element)
    for name in ("persname", "name"):
        inner = next((inner for inner in element.iter() if tag(inner) == name and flat(inner)), None)
        if inner is not None:
            return name_of(flat(inner))
    return name_of(_plain(element))


def _in_parts(element: Element) -> str:
    """Forenames, links and surnames as they follow each other in speech."""
    full = next((inner for inner in element.iter() if tag(inner) == "persname"), element)
    parts = [(tag(inner), flat(inner)) for inner in full.iter()]
    order = ("forename", "namelink", "surname")
    return " ".join(text for name in order for kind, text in parts if kind == name and text)


def name_of(name: str) -> str:
    """`Flaubert, Gustave (1821-1880)` → `Gustave Flaubert`, `Sidney, Philip, Sir, 1554-1586.` → `Sir Philip Sidney`."""
    if len(name) > _LONGEST_NAME:
        return name
    if ";" in name:
        return ", ".join(name_of(part) for part in name.split(";") if part.strip())
    plain = _DATES.sub("", _ALSO.sub("", name)).strip()
    plain = _DATES.sub("", plain).strip().rstrip(",;")
    if plain.count(",") and plain.endswith(".") and len(plain.split()[-1]) > 3:
        plain = plain.rstrip(".")
    parts = [part.strip() for part in plain.split(",")]
    if not all(parts):
        return plain
    if len(parts) == 2:
        return f"{parts[1]} {parts[0]}" if len(parts[1]) <= 40 else plain
    if len(parts) == 3 and _RANKS.fullmatch(parts[2]):
        return f"{parts[2]} {parts[1]} {parts[0]}"
    if len(parts) == 3 and _TITLED.fullmatch(parts[2]):
        return f"{parts[1]}, {parts[2]} {parts[0]}"
    if len(parts) == 3 and _PARTICLE.fullmatch(parts[2]):
        return f"{parts[1]} {parts[2]} {parts[0]}"
    return plain


def _plain(element: Element) -> str:
    """The text of an element without identifiers and dates in it."""
    parts = [element.text or ""]
    for child in element:
        if tag(child) and tag(child) not in _UNNAMED:
            parts.append(_plain(child))
        parts.append(child.tail or "")
    return _WHITE.sub(" ", "".join(parts)).strip()


def flat(element: Element) -> str:
    """All text of an element on one line; nothing for a comment."""
    if not tag(element):
        return ""
    return _WHITE.sub(" ", "".join(str(text) for text in element.itertext())).strip()
