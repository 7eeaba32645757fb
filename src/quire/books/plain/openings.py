"""Which of the lines of a plain text open chapters, and of what rank they are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from quire.books.draft import is_scene_break
from quire.books.headings import LONGEST, Heading, bare_in_order, is_dateline, is_title_line, recognise
from quire.books.plain.contents import title_key
from quire.books.plain.lines import Lines


def find_headings(groups: Sequence[Lines], listed: Counter[str] | None = None) -> dict[int, Heading | None]:
    """Indices of the groups that are headings (value None: a title line under a heading, or a plain title).

    Bare numbers count where they count up from one; so do lines that a list of chapters announced, `listed`.  Without
    any numbered heading, short lines in capitals or with much space above are headings.
    """
    found: dict[int, Heading | None] = {}
    candidates = {
        index: heading
        for index, group in enumerate(groups)
        if len(group.lines) <= 3 and (heading := recognise(group.text)) and not is_scene_break(group.text)
    }
    believed = bare_in_order(list(candidates.values()))
    for (index, heading), good in zip(candidates.items(), believed, strict=True):
        if good:
            found[index] = heading
    _add_titles(groups, found)
    _add_apart(groups, found)
    if _add_listed(groups, found, listed or Counter()):
        return found
    if sum(heading is not None and heading.kind != "named" for heading in found.values()) < 2:
        _add_capitals(groups, found) or _add_spaced(groups, found)
    return found


def _add_listed(groups: Sequence[Lines], found: dict[int, Heading | None], listed: Counter[str]) -> bool:
    """Lines that say what an entry of the list of chapters says, where most entries are met again, and no oftener;
    whether they are."""
    met: dict[str, list[int]] = {}
    if not listed:
        return False
    for index, group in enumerate(groups):
        if len(group.lines) <= 3 and len(group.text) <= LONGEST and (key := title_key(group.text)) in listed:
            met.setdefault(key, []).append(index)
    if len(met) < 3 or len(met) < 0.5 * len(listed):
        return False
    # What a chapter is called, somebody may also say.
    known = {title_key(groups[index].text) for index in found}
    for key, places in met.items():
        if len(places) <= listed[key] + 1 and key not in known:
            found.update({index: None for index in places if index not in found})
    return True


def _add_apart(groups: Sequence[Lines], found: dict[int, Heading | None]) -> None:
    """Short lines with as much space above them as the headings have that could be told by their words."""
    gaps = sorted(groups[index].gap for index, heading in found.items() if heading is not None and index)
    if len(gaps) < 3 or gaps[len(gaps) // 5] < 3:
        return
    least = gaps[len(gaps) // 5]
    for index, group in enumerate(groups[:-1]):
        below = groups[index + 1]
        stands = group.gap >= least and below.gap < group.gap and index not in found and index - 1 not in found
        if stands and len(group.lines) <= 2 and is_title_line(group.text) and not is_scene_break(group.text):
            found[index] = None


def _are_titled(groups: Sequence[Lines], found: dict[int, Heading | None]) -> bool:
    """Whether a short line follows most of the headings that have no title in their own line."""
    bare = [i for i, heading in found.items() if heading is not None and not heading.titled and i + 1 < len(groups)]
    titled = [
        i
        for i in bare
        if len(groups[i + 1].lines) == 1 and len(groups[i + 1].text) <= 60 and is_title_line(groups[i + 1].text)
    ]
    return len(titled) >= 2 and len(titled) >= 0.7 * len(bare)


def _add_titles(groups: Sequence[Lines], found: dict[int, Heading | None]) -> None:
    """The short line under `CHAPTER I` is its title, when it stands as one."""
    usual = _are_titled(groups, found)
    for index in sorted(found):
        heading = found[index]
        following = index + 1
        if (
            heading is None
            or heading.titled
            or heading.kind == "named"
            or following >= len(groups)
            or following in found
        ):
            continue
        group = groups[following]
        after = groups[following + 1] if following + 1 < len(groups) else None
        if len(group.lines) > 3 or not is_title_line(group.text) or after is None:
            continue
        if (
            group.text.isupper()
            or after.gap >= 2
            or (len(group.lines) == 1 and (after.gap >= group.gap or usual) and group.gap <= 2)
        ):
            found[following] = None


def _add_capitals(groups: Sequence[Lines], found: dict[int, Heading | None]) -> bool:
    """Short lines in capitals with two blank lines above; whether there are several."""
    return _add_all(
        found,
        [
            index
            for index, group in enumerate(groups)
            if len(group.text) <= 70
            and group.text.isupper()
            and sum(char.isalpha() for char in group.text) >= 3
            and group.gap >= 2
            and _stands(group)
        ],
    )


def _add_spaced(groups: Sequence[Lines], found: dict[int, Heading | None]) -> bool:
    """Short lines that read as titles, with more space above them than nearly all else has."""
    titles = [
        index
        for index, group in enumerate(groups[:-1])
        if group.gap >= 3 and groups[index + 1].gap < 8 and is_title_line(group.text) and _stands(group)
    ]
    rare = sum(group.gap >= 3 for group in groups) <= 0.1 * len(groups)
    return rare and _add_all(found, titles)


def _stands(group: Lines) -> bool:
    return len(group.lines) <= 2 and not is_scene_break(group.text) and not is_dateline(group.text)


def _add_all(found: dict[int, Heading | None], titles: list[int]) -> bool:
    titles = [index for index in titles if index not in found]
    if len(titles) >= 3:
        found.update(dict.fromkeys(titles, None))
    return len(titles) >= 3


def rank(found: Mapping[int, Heading | None], groups: Sequence[Lines]) -> dict[int, int]:
    """The levels of headings: parts (1) above chapters (2) above what stands within a chapter (3).

    Where most chapters call themselves so, a bare number that counts anew after one, and a line that is only set like
    a heading, divide that chapter; a title line belongs to the chapter whose number stands before it.
    """
    order = sorted(found)
    kinds = {index: heading.kind if heading else "title" for index, heading in found.items()}
    chapters = [index for index in order if kinds[index] == "chapter"]
    bare = [index for index in order if kinds[index] == "bare"]
    gaps = sorted(groups[index].gap for index in chapters)
    inner = len(chapters) >= 3 and len(chapters) >= 0.25 * len(bare)
    levels: dict[int, int] = {}
    last: int | None = None
    counting = False
    for index in order:
        heading = found[index]
        levels[index] = 1 if kinds[index] == "part" else 2
        if heading is not None and heading.kind == "chapter":
            last, counting = heading.number, False
        elif heading is not None and heading.kind == "bare" and inner and index > chapters[0]:
            counting = (counting or heading.number == 1) and heading.number != (last or 0) + 1
            if counting:
                levels[index] = 3
            else:
                last = heading.number
        elif heading is None and inner and chapters[0] < index < chapters[-1] and index - 1 not in found:
            levels[index] = 3 if groups[index].gap < gaps[len(gaps) // 2] else 2
        elif heading is None and index - 1 in levels:
            levels[index] = levels[index - 1] if kinds[index - 1] != "part" else 1
    return levels
