"""Words that a line end cut in two: joined, or kept with their hyphen, on the evidence of the book itself."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable

_WORD = re.compile(r"[^\W\d_]+(?:[-‐‑][^\W\d_]+)*")
# What French sets after a verb with a hyphen: pronouns in questions and commands, and the small words of place.
_FRENCH_AFTER = frozenset(
    (
        "je tu il elle on nous vous ils elles ce moi toi lui leur le la les y en là ci même mêmes t-il t-elle t-on "
        "être dessus dessous delà devant dire né née nés nées"
    ).split()
)
_FRENCH_BEFORE = frozenset(
    (
        "demi sous après avant grand grands grands beau belle petit petite petits arrière au ci là par vice contre quasi "
        "tout toute nouveau mi non ex extra vis rendez c-est peut chef arc dix vingt trente quarante cinquante soixante "
        "quatre soixante-dix quatre-vingt quatre-vingts haut basse haute bas long saint sainte celui celle ceux celles eux "
        "elle elles lui moi toi soi nous vous aussitôt est-ce qu-est"
    ).split()
)
_FRENCH_NUMBERS = frozenset(
    "deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize un une".split()
)
_ENGLISH_BEFORE = frozenset(
    (
        "self well ill half ex twenty thirty forty fifty sixty seventy eighty ninety good old new great grand-father "
        "so-called mother father brother sister son daughter cross high low long short first second third two three four "
        "five six seven eight nine ten"
    ).split()
)
_ENGLISH_AFTER = frozenset(
    (
        "like looking in-law eyed haired headed hearted handed minded faced coloured colored looking known made bred born "
        "natured tempered humoured dressed legged bound shaped wide old year mile foot"
    ).split()
)
_VOWELS = frozenset("aeiouyàâäéèêëîïôöùûüœæáíóúãõ")


class Hyphens:
    """Decides by the words of one book that stand whole somewhere in it."""

    def __init__(self, texts: Iterable[str], language: str) -> None:
        """`texts` are the book's lines; the last word of a cut line and the first of the next must not be in them."""
        self.words: Counter[str] = Counter()
        for text in texts:
            self.words.update(word.lower().replace("‐", "-").replace("‑", "-") for word in _WORD.findall(text))
        self.language = language

    def join(self, before: str, after: str, soft: bool) -> str:
        """The end of one line and the start of the next as one text.

        `before` ends without its hyphen.  `soft` says that the file itself marks the hyphen as one of the line end's
        making; even then `dix-huit` may have lost its own.
        """
        head, tail = _last_word(before), _first_word(after)
        hyphen = "-" if self._keeps(head, tail, soft) else ""
        return f"{before}{hyphen}{after}"

    def _keeps(self, head: str, tail: str, soft: bool) -> bool:
        if not head or not tail:
            return not soft
        if head[-1].isdigit() or tail[0].isdigit():
            return True
        left, right = head.lower(), tail.lower()
        whole, parted = self.words[left + right], self.words[f"{left}-{right}"]
        if whole != parted and (whole or parted):
            return parted > whole
        if tail[0].isupper() and not head.isupper():
            return True
        stems = sum(self.words[left + right[:-cut]] for cut in (1, 2, 3) if len(right) > cut + 1)
        stems += sum(self.words[left + right + ending] for ending in ("s", "d", "ed", "e", "es", "r", "nt"))
        if stems:
            return False
        if self.language == "fr":
            return self._keeps_french(left, right)
        return self._keeps_english(left, right)

    def _keeps_french(self, left: str, right: str) -> bool:
        last = left.rsplit("-", 1)[-1].rsplit("’", 1)[-1].rsplit("'", 1)[-1]
        known = self.words[last] > 0
        if right in _FRENCH_AFTER and (known or len(last) > 3):
            # `par-le`: a verb before its pronoun stands alone elsewhere; `fami-lle` would not.
            return known or right not in ("le", "la", "les", "y", "en", "on", "ce", "né", "née")
        if right.split("-")[0] == "t" or left.endswith("-t"):
            return True
        if last in _FRENCH_BEFORE:
            return self.words[right] > 0 and (
                last not in ("par", "au", "mi", "non", "ex", "en", "tout", "sous") or len(right) > 3
            )
        return self.words[last] > 2 and right in _FRENCH_NUMBERS and last in _FRENCH_NUMBERS

    def _keeps_english(self, left: str, right: str) -> bool:
        last = left.rsplit("-", 1)[-1]
        if "-" in left and self.words[last] and self.words[right]:
            return True
        if not self.words[right] or not self.words[last]:
            return False
        if last in _ENGLISH_BEFORE or right in _ENGLISH_AFTER:
            return len(right) > 2
        # Two words that both stand alone, each longer than a syllable, make a compound more often than a longer word.
        return len(last) >= 5 and len(right) >= 5 and self.words[last] >= 3 and self.words[right] >= 3


def _last_word(text: str) -> str:
    match = re.search(r"[^\W_]+(?:['’-][^\W_]+)*$", text)
    return match[0] if match else ""


def _first_word(text: str) -> str:
    match = re.match(r"[^\W_]+(?:-[^\W_]+)*", text)
    return match[0] if match else ""
