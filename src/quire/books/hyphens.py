"""Words that a line end cut in two: joined, or kept with their hyphen, on the evidence of the book itself.

What the book does not tell is asked of a small lexicon: `hyphens_en.txt` and `hyphens_fr.txt` hold words, counted in
novels of the nineteenth and early twentieth century, that begin or end many compounds, and such words and compounds as
would be taken for each other by these rules.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_WORD = re.compile(r"[^\W\d_]+(?:[-‐‑][^\W\d_]+)*")
# What French sets after a verb with a hyphen, and no word ends with in a way that a line end could cut off.
_FRENCH_ALWAYS = frozenset("je moi toi vous nous leurs y t même mêmes".split())
_FRENCH_OBJECTS = frozenset("le la les lui leur".split())
_FRENCH_NUMBERS = frozenset(
    (
        "vingt vingts trente quarante cinquante soixante quatre deux trois cinq six sept huit neuf dix onze douze "
        "treize quatorze quinze seize un une"
    ).split()
)
_FRENCH_UNITS = re.compile(
    r"(?:un|deux|trois|quatr|cinqu|six|sept|huit|neuv|dix|onz|douz|treiz|quatorz|quinz|seiz)ième"
)
# French cuts words before a consonant; before a vowel only behind these.
_FRENCH_PREFIX = frozenset(
    "in dés més mal sub sur trans inter hyper super per non bis ex im dis circon cis co anti en em".split()
)
# What goes on from `sous` in one word: souscrire, soustraire, soussigné.
_FRENCH_UNDER = ("cri", "tra", "sig", "tend", "tenu", "tien")
# Small words inside compounds (`rez-de-chaussée`, `whisky-and-water`), and first parts that never stand in one word.
_LINKS = frozenset("à de du des la le les en au and of the to in a o".split())
_APART = frozenset("semi pseudo anglo franco ultra quasi russo gallo demi".split())
_ENGLISH_NUMBERS = frozenset("twenty thirty forty fifty sixty seventy eighty ninety".split())
# What stands after an apostrophe and is no word that could be cut: `bull’s-eyes`, `thank’ee-marms`.
_ELIDED = re.compile(r"[^\W\d_]{2}['’][a-z]{1,2}$")
# `to-day` was written with a hyphen into the twentieth century.
_DAYS = ("day", "night", "morrow")
# First and last parts of words that English writes as one.
_ENGLISH_PREFIX = frozenset(
    (
        "un re in im dis mis over under out fore with every some any no be en up down on for to an a con com per pre "
        "pro sub trans inter extra super never where there here what who when how him her them it my your our man"
    ).split()
)
_ENGLISH_SUFFIX = frozenset(
    (
        "able age ally ant ate ed en ence ent er ers est ful full hood ing ings ion ions ism ist ity less ling ly man "
        "men ment ments ness one or ous self selves ship side some ted ten ter the thing things time times ward wards "
        "ware where wise work works yard light day room body port son ton land house-keeper break"
    ).split()
)
_ENGLISH_ENDINGS = frozenset("ing ings ness less ful ed er ers est ly ment ments let lets ish able".split())
_ENDINGS = ("s", "d", "ed", "e", "es", "r", "nt", "ly", "ing", "ness")


@dataclass(frozen=True, slots=True)
class Lexicon:
    """`first` and `second`: words with which many compounds begin or end; `solid`: words in one piece that look like
    compounds; `hyphened`: compounds that look like one word; `heads` and `tails`: those of the first two with which so
    many compounds begin or end, and so few words, that the other half may be any; `modern`: compounds that are one word
    today, and were not while one wrote `to-day`."""

    first: frozenset[str] = frozenset()
    second: frozenset[str] = frozenset()
    solid: frozenset[str] = frozenset()
    hyphened: frozenset[str] = frozenset()
    heads: frozenset[str] = frozenset()
    tails: frozenset[str] = frozenset()
    modern: frozenset[str] = frozenset()


@cache
def lexicon(language: str) -> Lexicon:
    """The lexicon of a language; an empty one where there is none."""
    path = Path(__file__).with_name(f"hyphens_{language}.txt")
    if language not in ("en", "fr"):
        return Lexicon()
    lists: dict[str, set[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, _, words = line.partition(":")
            lists.setdefault(name, set()).update(words.split())
    names = ("first", "second", "solid", "hyphened", "heads", "tails", "modern")
    return Lexicon(*(frozenset(lists.get(name, ())) for name in names))


class Hyphens:
    """Decides by the words of one book that stand whole somewhere in it."""

    def __init__(self, texts: Iterable[str], language: str) -> None:
        """`texts` are the book's lines; the last word of a cut line and the first of the next must not be in them."""
        self.words: Counter[str] = Counter()
        for text in texts:
            self.words.update(word.lower().replace("‐", "-").replace("‑", "-") for word in _WORD.findall(text))
        self.language = language
        self.lexicon = lexicon(language)
        self._told = False
        self._uncut = False
        old = sum(self.words[f"to-{day}"] for day in _DAYS)
        self._old = old > sum(self.words[f"to{day}"] for day in _DAYS)

    def learn(self, cuts: Iterable[tuple[str, str, bool]], lines: int) -> None:
        """Find out whether the file tells the typesetter's hyphens (drawn apart from the word) from the author's.

        Where nearly none of so many lines ends with a hyphen nothing was hyphenated: all of them are the author's.
        `cuts` are the end of a line, the start of the next, and whether the hyphen between was drawn apart.  Words
        that stand whole elsewhere in the book are the witnesses.
        """
        votes: Counter[tuple[bool, bool]] = Counter()
        apart = inside = joined = 0
        for before, after, own in cuts:
            head, tail = _bare(_last_word(before).lower()), _first_word(after).lower()
            whole, parted = self.words[head + tail], self.words[f"{head}-{tail}"]
            apart, inside = apart + own, inside + (not own)
            joined += not self._keeps(_last_word(before), _first_word(after), soft=True)
            if whole != parted:
                votes[own, whole > parted] += 1
        right = votes[True, True] + votes[False, False]
        apart_holds = votes[True, True] >= 9 * votes[True, False]
        inside_holds = votes[False, True] <= 0.15 * (votes[False, True] + votes[False, False])
        whole_words = votes[True, True] + votes[False, True]
        rare = apart + inside <= 0.02 * lines and joined <= 0.4 * (apart + inside)
        self._uncut = whole_words == 0 and (rare or (apart == 0 and inside <= 0.012 * lines))
        self._told = min(apart, 3 * inside) >= 3 and right >= 1 and apart_holds and inside_holds

    def join(self, before: str, after: str, soft: bool, own: bool = False) -> str:
        """The end of one line and the start of the next as one text.

        `before` ends without its hyphen.  `soft` says that the file itself marks the hyphen as one of the line end's
        making; even then `dix-huit` may have lost its own.  `own`: it was drawn apart from the word.
        """
        head, tail = _last_word(before), _first_word(after)
        if self._uncut and head and tail:
            return f"{before}-{after}"
        keeps = not own if self._told and head and tail else self._keeps(head, tail, soft)
        hyphen = "-" if keeps else ""
        return f"{before}{hyphen}{after}"

    def _keeps(self, head: str, tail: str, soft: bool) -> bool:
        if not head or not tail:
            return not soft
        if head[-1].isdigit() or tail[0].isdigit():
            return True
        if len(head) == 1 and len(tail) > 1:
            # No typesetter leaves one letter at a line's end: `a-walking`.
            return True
        if self.language != "fr" and _ELIDED.search(head):
            return True
        left, right = _bare(head.lower()), tail.lower()
        whole, parted = self.words[left + right], self.words[f"{left}-{right}"]
        if whole != parted:
            return parted > whole
        if tail[0].isupper() and not head.isupper():
            return True
        told = self._kin(left, right) - self._kin(f"{left}-", right)
        if told:
            return told < 0
        first, _, rest = right.partition("-")
        last = left.rsplit("-", 1)[-1]
        if rest and self.words[f"{last}{first}-{rest}"]:
            return False
        if said := self._said(last, first):
            return said > 0
        if (rest and first in _LINKS) or ("-" in left and last in _LINKS) or last in _APART:
            return True
        if (rest or "-" in left) and self._are_words(last, first):
            return True
        if self.language == "fr":
            return self._is_french_pair(last, first)
        if "-" in left and self._is_known(first) and (self._is_known(last) or min(len(last), len(first)) > 4):
            return True
        return self._is_english_pair(last, first, head[0].isupper() and not head.isupper())

    def _is_known(self, word: str) -> bool:
        return self.words[word] > 0 or word in self.lexicon.first or word in self.lexicon.second

    def _are_words(self, *words: str) -> bool:
        return all(self.words[word] > 0 or word in _LINKS for word in words)

    def _kin(self, left: str, right: str) -> int:
        """How often other forms of a word of two parts stand in the book."""
        word = left + right
        shorter = sum(self.words[word[:-cut]] for cut in (1, 2, 3) if len(right) > cut + 1 and len(word) > cut + 4)
        return shorter + sum(self.words[word + ending] for ending in _ENDINGS)

    def _said(self, left: str, right: str) -> int:
        """What the lexicon says: 1 for a compound, -1 for one word, 0 for nothing."""
        ends = ("", "s", "es", "d", "ed", "ly") if self.language != "fr" else ("", "s", "e", "es")
        for end in ends:
            if end and not right.endswith(end):
                continue
            stem = right[: len(right) - len(end)]
            if left + stem in self.lexicon.solid or (not self._old and left + stem in self.lexicon.modern):
                return -1
            if f"{left}-{stem}" in self.lexicon.hyphened:
                return 1
        return 0

    def _is_french_pair(self, left: str, right: str) -> bool:
        if left == "t" or right in _FRENCH_ALWAYS or left == "très":
            return True
        if left == "mi" and right not in ("lieu", "nuit", "sol", "son", "né", "mes"):
            return right in self.lexicon.second or self.words[right] > 0
        if left == "sous":
            return not right.startswith(_FRENCH_UNDER)
        if right == "là":
            return left not in ("voi", "de", "ho")
        if right == "tu":
            return left.endswith(("s", "x"))
        if right in _FRENCH_OBJECTS:
            # `accomplissons-les` even where the verb stands nowhere else; not `fail-les`.
            return (left.endswith(("ons", "ez")) and len(left) > 4) or (left in self.lexicon.first and len(left) > 2)
        if left in _FRENCH_NUMBERS and (right in _FRENCH_NUMBERS or _FRENCH_UNITS.fullmatch(right)):
            return True
        if right[0] in "aeiouyéèêàâîôûœh" and left not in _FRENCH_PREFIX and len(left) > 2:
            return right in self.lexicon.second or left in self.lexicon.first or self.words[left] > 0
        if left in self.lexicon.first and right in self.lexicon.second:
            return True
        known = self.words[left] > 0
        return (left in self.lexicon.first and self.words[right] > 0 and len(right) > 3) or (
            right in self.lexicon.second and known and len(left) > 3
        )

    def _is_english_pair(self, left: str, right: str, name: bool = False) -> bool:
        """`name`: the first part begins with a capital, and may be half of a name (`Norwood`)."""
        if left == "to" and right in _DAYS:
            return self._old
        if left in ("pre", "re", "co") and right[0] == left[-1]:
            return True
        if left in _ENGLISH_NUMBERS or (left == "self" and right != "ish"):
            return True
        if right in _ENGLISH_ENDINGS:
            return False
        if left.endswith("ly") and len(left) > 4 and right.endswith(("ed", "ing")):
            return True
        begins, ends = left in self.lexicon.first, right in self.lexicon.second
        if begins and ends:
            return True
        if min(len(left), len(right)) < 3:
            return False
        if (left in self.lexicon.heads and len(right) > 3) or right in self.lexicon.tails:
            # `half-derisive`, `neutral-tinted`.
            return True
        if (begins and self.words[right]) or (ends and self.words[left]):
            return True
        if left in _ENGLISH_PREFIX or right in _ENGLISH_SUFFIX:
            return False
        # Two words that both stand alone are a compound more often (15 of 20 in two novels) than one longer word.
        return not name and self._are_words(left, right)


def _bare(word: str) -> str:
    """Without what is elided before it: `l’eau` → `eau`."""
    return re.split("[’']", word)[-1]


def _last_word(text: str) -> str:
    match = re.search(r"[^\W_]+(?:['’-][^\W_]+)*$", text)
    return match[0] if match else ""


def _first_word(text: str) -> str:
    match = re.match(r"[^\W_]+(?:-[^\W_]+)*", text)
    return match[0] if match else ""
