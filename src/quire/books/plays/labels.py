"""Who speaks, by form alone: the names that begin the speeches of a play set without markup."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from quire.books import pulse
from quire.books.headings import recognise
from quire.books.plays import parts as plays

if TYPE_CHECKING:
    from quire.books.draft import Item

Style = Literal["caps", "caps alone", "mixed", "mixed alone", "number"]

_UP = "A-ZÀ-ÖØ-ÞŒŸ"
# A stop inside a name follows a short form; after any other word it ends the name.
_SHORT = r"(?:M|MM|Mr|Mrs|MR|MRS|Dr|DR|St|ST|Mme|MME|Mlle|MLLE|Sig|SIG|Gen|GEN|Capt|CAPT|Col|COL|Rev|REV)\."
_NUMERAL = r"\d{1,2}(?:ST|ND|RD|TH|D|ER|RE|E|e|er|re|st|nd|rd|th|d|º|°)?\.?"
_CAP_WORD = rf"(?:{_SHORT}|[{_UP}]\.|{_NUMERAL}|(?:Mc|Mac)?[{_UP}][{_UP}'’\-]*|[dl][’'][{_UP}'’\-]+)(?!\w)"
_LINK = r"(?:and|et|und|y|of|the|de|du|des|la|le|les|von|van|to|à|&|AND|ET)"
_CAPS = rf"{_CAP_WORD}(?:(?:,?[ ]+|[ ]*/[ ]*)(?:{_LINK}[ ]+)*(?:{_CAP_WORD})){{0,6}}"
_MIXED_WORD = rf"(?:{_SHORT}|{_NUMERAL}|[{_UP}][\w’'\-]*)(?!\w)"
_MIXED = rf"{_MIXED_WORD}(?:[ ]+(?:{_LINK}[ ]+)?{_MIXED_WORD}){{0,3}}(?:(?<=\w\w)\.[ ][{_UP}](?=\.))?"
# What is done while speaking: after a comma, or in brackets.
_BRACKETS = r"(?:\s*[.,]?\s*(?:\([^)\n]{1,300}\)|\[[^\]\n]{1,300}\]))+"
_MANNER = rf"(?P<manner>\s*,\s*[^.:—\n]{{1,160}}?|{_BRACKETS})?"
_END = r"(?P<end>\s*[.:](?:\s*[—–-]+)?|\s*[—–]{1,2}|\s*\.?--)"
_INLINE_CAPS = re.compile(rf"(?P<name>{_CAPS}){_MANNER}{_END}\s*(?P<rest>.*)$", re.DOTALL)
# Without a stop: alone on its line, or before brackets.
_BARE_CAPS = re.compile(rf"(?P<name>{_CAPS})(?:{_BRACKETS}\s*(?P<rest>.*)|\s*)$", re.DOTALL)
_INLINE_MIXED = re.compile(rf"(?P<name>{_MIXED}){_MANNER}{_END}\s*(?P<rest>.*)$", re.DOTALL)
_ALONE_MIXED = re.compile(rf"(?P<name>{_MIXED}){_MANNER}{_END}?\s*$")
# A name ends, or goes on, right behind its first word: most lines of prose do neither, and need no longer look.
_MAY_NAME = re.compile(rf"[\w’'º°-]+(?:\s*(?:[.,:(\[/—–-]|$)|\s+(?:[{_UP}\d]|{_LINK}\s|[dl][’']))")
_NO_NAME = re.compile(
    r"(?:enter|re-?enter|exit|exeunt|end|fin|finis|the end|curtain|rideau|"
    r"(?:a |long )?pause|silence|un silence|note|notes|act|acte|scene|scène|"
    r"chapter|chapitre|part|partie|book|livre|volume|"
    r"contents|table|preface|introduction|appendix|letter|illustration|footnote|q|a|"
    r"no|yes|oh|ah|well|but|and|mr|mrs|dr|st|oui|non|mais|et|eh|bien|p\.?s|n\.?b|i|ii|iii|iv|v|vi|vii|viii|ix|x|le|la|"
    r"the|what|why|how|here|there|now|then|so|o|la nuit|alors|puis|ici)\.?",
    re.IGNORECASE,
)
_NO_FIRST = re.compile(r"(?:re-?)?(?:enter|exit|exeunt)\b", re.IGNORECASE)
_ROMAN = re.compile(r"[IVXLCDM]+\.?")
_ENTRANCE = re.compile(
    r"[_\s]*(?:[\[(][_\s]*(?:entre(?:nt)?|sort(?:ent)?|la toile|(?:il|elle)s? (?:sort|entre)(?:nt)?)|"
    r"[\[(]?[_\s]*(?:enter|re-?enter|exit|exeunt|flourish|alarum|sennet|curtain|rideau|manent|manet))\b",
    re.IGNORECASE,
)


# A second part of a name that is cut short: `1. Witch.`, `Lady M.`, `Maît. Jacques.`
_MORE = re.compile(rf"(?P<part>[{_UP}][\w’']{{0,11}}|\d{{1,2}})\.(?:\s+(?P<rest>\S.*))?$", re.DOTALL)
_LONGEST_BEGINNING = 6
# Who has but a number in a crowd: `1. Come, come.`
_NUMBER = re.compile(rf"(?P<name>\d{{1,2}})[.:](?:\s*[—–-]+)?(?:\s+(?P<rest>[“\"'‘«]?[{_UP}].*))?$", re.DOTALL)
_LONGEST_TIRADE = 4000
# `(She rises.)`, or `MARA (rising)`
_DONE = re.compile(rf"\s*(?:[{_UP}][\w.’' -]{{0,40}})?[(\[][^)\]]{{3,}}[)\]]")
# A word alone on a line amid others may be verse.
_INSIDE = frozenset(("caps", "caps alone", "mixed"))


@dataclass(frozen=True, slots=True)
class Label:
    """A line's beginning that may name who speaks: as printed, whose name, and the words after it.

    `begins` is the key of the name that this one is longer than by a part, if it is; `mannered` is whether a comma and
    what is done follow the name.
    """

    printed: str
    name: str
    rest: str
    style: Style
    begins: str = ""
    mannered: bool = False


@dataclass(frozen=True, slots=True)
class Cast:
    """The names and styles of labels by which a play's speeches are known; `numbers` is whether some have no name."""

    names: frozenset[str]
    styles: frozenset[str]
    numbers: bool = False

    def label(self, line: str, first: bool = True) -> Label | None:
        """The label that a line begins with, if it is one of this play; `first` is whether it opens a block."""
        for found in labels(line):
            if found.style in self.styles and key(found.name) in self.names and (first or found.style in _INSIDE):
                return found
        return _numbered(line) if self.numbers else None


def _numbered(line: str) -> Label | None:
    match = _NUMBER.match(line.strip())
    if match is None:
        return None
    rest = match["rest"] or ""
    return Label(line.strip().removesuffix(rest).strip(), match["name"], rest.strip(), "number")


def key(name: str) -> str:
    return " ".join(re.findall(r"\w+", name.casefold()))


def labels(line: str) -> Iterator[Label]:
    """What a line may begin with, the strictest form first."""
    line = line.strip()
    if not line or not (line[0].isupper() or line[0].isdigit()) or not _MAY_NAME.match(line):
        return
    for form in (_INLINE_CAPS, _BARE_CAPS):
        match = form.match(line)
        if match is not None and _is_name(match["name"]):
            rest = (match["rest"] or "").strip()
            printed = (line[: match.start("rest")] if rest else line).strip()
            yield from _told(match, printed, rest, "caps" if rest else "caps alone")
            break
    match = _INLINE_MIXED.match(line)
    if match is not None and match["rest"] and _is_name(match["name"]):
        yield from _told(match, line[: match.start("rest")].strip(), match["rest"].strip(), "mixed")
    match = _ALONE_MIXED.match(line)
    if match is not None and _is_name(match["name"]):
        yield from _told(match, line, "", "mixed alone")


def _told(match: re.Match[str], printed: str, rest: str, style: Style) -> Iterator[Label]:
    """The label of a match, after the longer one that it may be the beginning of."""
    name = plays.speaker_of(printed)
    more = _MORE.match(rest) if printed.endswith(".") and len(name) <= _LONGEST_BEGINNING else None
    if more is not None:
        longer = f"{printed} {more['part']}."
        said = more["rest"] or ""
        alone: Style = "mixed alone" if style == "mixed" else "caps alone"
        yield Label(longer, plays.speaker_of(longer), said, style if said else alone, begins=key(name))
    mannered = "," in printed[match.end("name") : match.end("name") + 2]
    yield Label(printed, name, rest, style, mannered=mannered)


def is_label(line: str) -> bool:
    """Whether a whole line may name who speaks."""
    return any(not label.rest for label in labels(line))


def _is_name(name: str) -> bool:
    letters = sum(char.isalpha() for char in name)
    return (
        letters >= 2
        and len(name) <= plays.LONGEST_LABEL
        and not _NO_NAME.fullmatch(name.strip())
        and not _NO_FIRST.match(name)
        and not _ROMAN.fullmatch(name.strip())
        and not plays.is_act(name)
        and not plays.is_scene(name)
        and not plays.is_cast_heading(name)
    )


def is_division(text: str) -> bool:
    """`ACT I`, `SCENE II. A street.`, `ACTE PREMIER`: the heading of an act or a scene by its words."""
    line = " ".join(text.split())
    if len(line) > 400 or not (plays.is_act(line, strict=True) or plays.is_scene(line)):
        return False
    first = re.split(r"(?<=\w)\s*[.:—–-]", line, maxsplit=1)[0]
    heading = recognise(first)
    return heading is not None and heading.kind in ("chapter", "part")


def find_cast(items: Sequence[Item], asked: bool = False) -> Cast | None:
    """The labels of a play, or None where the text is none, or not surely one.

    Speakers recur, and most of what stands in a play is spoken.  `asked` is whether the recipe says that it is one.
    """
    told = [item for item in items if item.kind in ("paragraph", "verse", "heading", "speech", "direction")]
    counts = _count(told)
    staged = _is_staged(told)
    best: Cast | None = None
    most = 0.0
    for styles in (("caps", "caps alone"), ("mixed",), ("mixed alone",)):
        cast = _cast(counts, frozenset(styles), 1 if asked else 8)
        if cast is None or not (asked or _needed(told, counts, cast, staged) <= 1):
            continue
        pulse.beat()
        # The stricter form wins unless a looser one tells much more: words in capitals are of both.
        if (share := _share(told, cast)) > 1.25 * most:
            best, most = cast, share
    if best is None:
        return None
    numbered = sum(_numbered(line) is not None for item in told for line in item.text.split("\n"))
    best = replace(best, numbers=numbered >= 2)
    if asked:
        return best
    sure = most >= _needed(told, counts, best, staged) and _is_spread(told, best) and _is_spoken(told, best)
    return best if sure else None


def _count(items: Sequence[Item]) -> Counter[tuple[str, Style]]:
    """How often each name stands where a speaker's does, in each style."""
    counts: Counter[tuple[str, Style]] = Counter()
    longer: Counter[tuple[str, str, Style]] = Counter()
    plain: Counter[tuple[str, Style]] = Counter()
    for item in pulse.each(items, 100):
        for index, line in enumerate(item.text.split("\n")):
            for label in labels(line):
                name = (key(label.name), label.style)
                if index and label.style not in _INSIDE:
                    continue
                if label.begins:
                    longer[(label.begins, *name)] += 1
                else:
                    counts[name] += 1
                    plain[name] += not label.mannered
    # Verse may begin with a word and a comma; a name stands without what is done, too.
    for name in [name for name in counts if name[1].startswith("mixed") and plain[name] < 0.2 * counts[name]]:
        del counts[name]
    # A name that another part nearly always follows is only the beginning of one.
    follows: Counter[tuple[str, Style]] = Counter()
    for (begins, _, style), count in longer.items():
        follows[(begins, style)] += count if count >= 2 else 0
    whole = {short for short, count in follows.items() if count >= 0.8 * counts[short]}
    for (begins, full, style), count in longer.items():
        if count >= 2 and (begins, style) in whole:
            counts[(full, style)] += count
            counts[(begins, style)] -= count
    return Counter({name: count for name, count in counts.items() if count > 0})


def _needed(items: Sequence[Item], counts: Counter[tuple[str, Style]], cast: Cast, staged: bool) -> float:
    """The share of speeches that makes sure: less where acts and entrances are told, and where names are in capitals.

    Without them it takes a company, and things that are done: a novel may be a talk of two, the record of a session
    one of ten.
    """
    capitals = "caps" in cast.styles
    if staged:
        return 0.12 if capitals else 0.25
    if sum(bool(_DONE.match(item.text)) for item in items) < 3:
        return 2.0
    often = {name for (name, style), count in counts.items() if style in cast.styles and count >= 3}
    return 2.0 if len(often) < 4 or "mixed alone" in cast.styles else 0.7 if capitals else 0.75


def _cast(counts: Counter[tuple[str, Style]], styles: frozenset[str], fewest: int) -> Cast | None:
    """The recurring names of some styles, if they are most of what looks like a name in them."""
    totals: Counter[str] = Counter()
    for (name, style), count in counts.items():
        if style in styles:
            totals[name] += count
    recurring = {name for name, count in totals.items() if count >= 2 and name}
    covered = sum(totals[name] for name in recurring)
    if covered < fewest or len(recurring) < (1 if fewest == 1 else 2) or covered < 0.6 * sum(totals.values()):
        return None
    # Who speaks once is known by the company: a label in capitals that ends like the others.
    names = frozenset(totals) if "caps" in styles else frozenset(recurring)
    return Cast(names, styles)


def _share(items: Sequence[Item], cast: Cast) -> float:
    """Which share of the blocks begins with a label, a label alone and what follows it counted as one."""
    blocks = labelled = 0
    for item in items:
        lines = item.text.split("\n")
        found = sum(cast.label(line, index == 0) is not None for index, line in enumerate(lines))
        alone = len(lines) == 1 and found and (first := cast.label(lines[0])) is not None and not first.rest
        labelled += found
        blocks += 0 if alone else max(1, found)
    return labelled / max(1, blocks)


def _is_staged(items: Sequence[Item]) -> bool:
    """Whether acts, scenes, a cast or entrances are told."""
    divisions = sum(is_division(item.text) for item in items if len(item.text) <= 400)
    entrances = sum(bool(_ENTRANCE.match(item.text)) for item in items if len(item.text) <= 300)
    cast = any(plays.is_cast_heading(item.text) for item in items[:200] if len(item.text) <= 80)
    return divisions + entrances >= 3 or cast


def _is_spread(items: Sequence[Item], cast: Cast) -> bool:
    """Whether speeches stand all over the text: a novel may have a chapter in the form of a play."""
    total = sum(len(item.text) for item in items)
    tenths = set()
    passed = 0
    for item in items:
        for index, line in enumerate(item.text.split("\n")):
            if cast.label(line, index == 0) is not None:
                tenths.add(10 * passed // max(1, total))
            passed += len(line)
    return len(tenths) >= 6 or total < 4000


def _is_spoken(items: Sequence[Item], cast: Cast) -> bool:
    """Whether labels follow each other as in talk: who writes of plays quotes their scenes between pages of his own.

    Of 68 plays that were set in four ways, tirades as long as this hold a quarter of the text at most; of five books on
    plays that are full of scenes, the pages between hold half of it and more.
    """
    stretches: list[int] = []
    for item in items:
        for index, line in enumerate(item.text.split("\n")):
            if cast.label(line, index == 0) is not None:
                stretches.append(0)
            if stretches:
                stretches[-1] += len(line)
    # What follows the last speech may be an afterword.
    told = stretches[:-1]
    return sum(length for length in told if length > _LONGEST_TIRADE) <= 0.4 * sum(told)


def is_entrance(text: str) -> bool:
    """`Enter the King`, `Exeunt`, `Ils sortent`: a direction, though it has no brackets."""
    return len(text) <= 400 and bool(_ENTRANCE.match(text))
