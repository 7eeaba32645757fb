"""Words that a line end cut in two: joined, or kept with their hyphen, on the evidence of the book itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_WORD = re.compile(r"[^\W\d_]+(?:[-‐‑][^\W\d_]+)*")
# What French sets after a verb with a hyphen: pronouns in questions and commands, and the small words of place.
_PRONOUNS = frozenset("je tu il elle on nous vous ils elles ce moi toi lui leur le la les y en".split())
_SURE_PRONOUNS = frozenset("il elle ils elles nous vous".split())
_PLACES = frozenset("là ci même mêmes dessus dessous delà devant dire né née nés nées être".split())
_FRENCH_BEFORE = frozenset(
    (
        "demi après avant grand grands beau belle petit petite petits arrière ci là contre quasi "
        "nouveau mi rendez peut "
        "chef arc haut basse haute bas long saint sainte saints celui celle ceux celles sous vice "
        "porte garde tout toute"
    ).split()
)
_FRENCH_NUMBERS = frozenset(
    (
        "vingt vingts trente quarante cinquante soixante quatre deux trois cinq six sept huit neuf "
        "dix onze douze treize "
        "quatorze quinze seize un une"
    ).split()
)
_ENGLISH_BEFORE = frozenset(
    "self well ill half ex twenty thirty forty fifty sixty seventy eighty ninety never ever all so".split()
)
_ENGLISH_AFTER = frozenset(
    (
        "like looking eyed haired headed hearted handed minded faced coloured colored known made "
        "bred born natured tempered "
        "humoured dressed legged bound shaped rimmed bodied toned spoken stricken sized law"
    ).split()
)
# First and last parts of words that English writes as one.
_ENGLISH_PREFIX = frozenset(
    (
        "un re in im dis mis over under out fore with every some any no be en up down on for to an "
        "a con com per pre pro "
        "sub trans inter extra super never where there here what who when how him her them it my your our man"
    ).split()
)
_ENGLISH_SUFFIX = frozenset(
    (
        "able age ally ant ate ed en ence ent er ers est ful full hood ing ings ion ions ism ist "
        "ity less ling ly man men "
        "ment ments ness one or ous self selves ship side some ted ten ter the thing things time times ward wards ware "
        "where wise work works yard light day room body port son ton land house-keeper break"
    ).split()
)


class Hyphens:
    """Decides by the words of one book that stand whole somewhere in it."""

    def __init__(self, texts: Iterable[str], language: str) -> None:
        """`texts` are the book's lines; the last word of a cut line and the first of the next must not be in them."""
        self.words: Counter[str] = Counter()
        for text in texts:
            self.words.update(word.lower().replace("‐", "-").replace("‑", "-") for word in _WORD.findall(text))
        self.language = language
        self._told = False
        self._uncut = False

    def learn(self, cuts: Iterable[tuple[str, str, bool]], lines: int) -> None:
        """Find out whether the file tells the typesetter's hyphens (drawn apart from the word) from the author's.

        Where nearly none of so many lines ends with a hyphen nothing was hyphenated: all of them are the author's.
        `cuts` are the end of a line, the start of the next, and whether the hyphen between was drawn apart.  Words
        that stand whole elsewhere in the book are the witnesses.
        """
        votes: Counter[tuple[bool, bool]] = Counter()
        apart = inside = 0
        for before, after, own in cuts:
            head, tail = _bare(_last_word(before).lower()), _first_word(after).lower()
            whole, parted = self.words[head + tail], self.words[f"{head}-{tail}"]
            apart, inside = apart + own, inside + (not own)
            if whole != parted:
                votes[own, whole > parted] += 1
        right = votes[True, True] + votes[False, False]
        apart_holds = votes[True, True] >= 9 * votes[True, False]
        inside_holds = votes[False, True] <= 0.15 * (votes[False, True] + votes[False, False])
        self._uncut = apart == 0 and inside <= 0.012 * lines and votes[False, True] == 0
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
        left, right = _bare(head.lower()), tail.lower()
        whole, parted = self.words[left + right], self.words[f"{left}-{right}"]
        if whole != parted:
            return parted > whole
        if tail[0].isupper() and not head.isupper():
            return True
        first, _, rest = right.partition("-")
        last = left.rsplit("-", 1)[-1]
        if self.language == "fr" and self._is_french_pair(last, first):
            return True
        if self.words[last + first] or (rest and self.words[f"{last}{first}-{rest}"]):
            return False
        if (rest or "-" in left) and self._are_words(last, first):
            return True
        if self._has_relative(left + right):
            return False
        return self.language != "fr" and self._is_english_pair(last, first)

    def _are_words(self, *words: str) -> bool:
        return all(self.words[word] > 0 or word in ("à", "de", "of", "the", "in") for word in words)

    def _has_relative(self, word: str) -> bool:
        """Whether another form of the word stands somewhere in one piece."""
        shorter = sum(self.words[word[:-cut]] for cut in (1, 2, 3) if len(word) > cut + 4)
        return shorter + sum(self.words[word + ending] for ending in ("s", "d", "ed", "e", "es", "r", "nt", "ly")) > 0

    def _is_french_pair(self, left: str, right: str) -> bool:
        known = self.words[left] > 0
        if "t" in (left, right):
            return True
        if right in _PRONOUNS:
            commands = left.endswith(("ons", "ez")) and len(left) > 4
            # `appartenait-il`, and `accomplissons-les` even where the verb stands nowhere else; not `fail-les`.
            return (
                commands
                or (right in _SURE_PRONOUNS and (known or len(left) >= 4))
                or (known and len(left) > 3 and right != "on")
            )
        if right in _PLACES and (known or right in ("même", "mêmes")):
            return True
        if left in _FRENCH_NUMBERS and right in _FRENCH_NUMBERS:
            return True
        return left in _FRENCH_BEFORE and self.words[right] > 0 and len(right) > 3

    def _is_english_pair(self, left: str, right: str) -> bool:
        if left in _ENGLISH_BEFORE and len(right) > 2 and (left == "self" or self.words[right] or len(right) > 4):
            return True
        if right in _ENGLISH_AFTER:
            return True
        if left in _ENGLISH_PREFIX or right in _ENGLISH_SUFFIX or min(len(left), len(right)) < 3:
            return False
        # Two words that both stand alone are a compound more often (15 of 20 in two novels) than one longer word.
        return self._are_words(left, right)


def _bare(word: str) -> str:
    """Without what is elided before it: `l’eau` → `eau`."""
    return re.split("[’']", word)[-1]


def _last_word(text: str) -> str:
    match = re.search(r"[^\W_]+(?:['’-][^\W_]+)*$", text)
    return match[0] if match else ""


def _first_word(text: str) -> str:
    match = re.match(r"[^\W_]+(?:-[^\W_]+)*", text)
    return match[0] if match else ""
