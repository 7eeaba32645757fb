"""How much of a book's true text each reader gives back: `python -m benchmarks.reading [FOLDER | --typeset]`.

`--typeset` sets books of its own first, with the `typst` package.
FOLDER holds books and, beside each, `NAME.truth.txt` (its paragraphs, one blank line between them).  Words are runs of
letters and digits with inner apostrophes and hyphens, compared in order: F1 is 2 × (longest common subsequence) over
the sum of both lengths.  Paragraphs count as kept when every word of one is the same.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from quire.books.book import Book
from quire.books.kinds import find_kind
from quire.books.limits import ReadOptions
from quire.books.readers import read_kind
from quire.errors import BookError

_WORD = re.compile(r"\w+(?:[’'\-‐‑]\w+)*")
# Books of the developers' data whose true text goes by another name.
_OTHER_TRUTH = {
    "FRA01302_Flaubert.xml": "FRA01302_Flaubert.txt",
    "joseph-conrad_heart-of-darkness.epub": "heart-of-darkness_two-column.truth.txt",
    "mary-shelley_frankenstein.epub": "frankenstein_typeset.truth.txt",
}


@dataclass(frozen=True)
class Score:
    """One book against its true text."""

    name: str
    words: int
    recall: float
    precision: float
    paragraphs: float
    verse_lines: str
    chapters: int
    notes: int
    dropped: int
    seconds: float

    @property
    def f1(self) -> float:
        both = self.recall + self.precision
        return 2 * self.recall * self.precision / both if both else 0.0


def words_of(text: str) -> list[str]:
    return _WORD.findall(text.replace("\u2019", "'").replace("\u2011", "-").replace("\u2010", "-"))


def common(a: list[str], b: list[str], most: int = 8_000) -> int:
    """Length of the longest common subsequence (Myers 1986, O(ND)); without order beyond `most` differences."""
    if abs(len(a) - len(b)) > most:
        return (Counter(a) & Counter(b)).total()
    furthest = {1: 0}
    for edits in range(most):
        for k in range(-edits, edits + 1, 2):
            down = k == -edits or (k != edits and furthest[k - 1] < furthest[k + 1])
            x = furthest[k + 1] if down else furthest[k - 1] + 1
            while x < len(a) and x - k < len(b) and a[x] == b[x - k]:
                x += 1
            furthest[k] = x
            if x >= len(a) and x - k >= len(b):
                return (len(a) + len(b) - edits) // 2
    return (Counter(a) & Counter(b)).total()


def score(path: Path, truth: str) -> tuple[Score, Book]:
    """Read the book at `path` and compare its body (without headings) with the true text."""
    began = time.perf_counter()
    book = read_kind(find_kind(path), path, ReadOptions())[0]
    seconds = time.perf_counter() - began
    blocks = [block for chapter in book.chapters for block in chapter.blocks if block.kind in ("paragraph", "verse")]
    ours = [word for block in blocks for word in words_of(block.text)]
    true = words_of(truth)
    shared = common(true, ours)
    true_paragraphs = Counter(" ".join(words_of(piece)) for piece in re.split(r"\n\s*\n", truth) if words_of(piece))
    our_paragraphs = Counter(" ".join(words_of(block.text)) for block in blocks if words_of(block.text))
    kept = (true_paragraphs & our_paragraphs).total()
    verse = [
        line.strip() for piece in re.split(r"\n\s*\n", truth) if "\n" in piece.strip() for line in piece.split("\n")
    ]
    verse = [" ".join(words_of(line)) for line in verse if words_of(line)]
    ours_lines = {" ".join(words_of(line)) for block in blocks for line in block.text.split("\n") if "\n" in block.text}
    result = Score(
        name=path.name,
        words=len(ours),
        recall=shared / max(1, len(true)),
        precision=shared / max(1, len(ours)),
        paragraphs=2 * kept / max(1, true_paragraphs.total() + our_paragraphs.total()),
        verse_lines=f"{sum(line in ours_lines for line in verse)}/{len(verse)}" if verse else "–",
        chapters=len(book.chapters),
        notes=len(book.notes),
        dropped=len(book.dropped),
        seconds=seconds,
    )
    return result, book


def find_pairs(folder: Path) -> list[tuple[Path, Path]]:
    """Books and their true texts."""
    pairs = []
    for path in sorted(folder.iterdir()):
        truth = path.with_name(_OTHER_TRUTH.get(path.name, path.stem + ".truth.txt"))
        aside = (".truth.txt", ".footnotes.txt", ".headings.txt", ".tex", ".md")
        if not path.name.endswith(aside) and truth.exists():
            pairs.append((path, truth))
    return pairs


def main() -> None:
    argument = sys.argv[1] if len(sys.argv) > 1 else "../shared/data/books"
    if argument != "--typeset":
        report(Path(argument))
        return
    from benchmarks.typeset import typeset

    with tempfile.TemporaryDirectory() as folder:
        try:
            typeset(Path(folder))
        except ImportError:
            sys.exit("typst is not installed: pip install typst")
        report(Path(folder))


def report(folder: Path) -> None:
    """Print a line for each book of a folder that has its true text beside it."""
    if not folder.is_dir():
        sys.exit(f"{folder} is no folder of books and true texts; name one: python -m benchmarks.reading FOLDER")
    heads = "words", "word F1", "recall", "precision", "para F1", "verse", "chapters", "notes", "dropped", "s"
    print(f"{'file':<46}" + "".join(f"{head:>10}" for head in heads))
    for path, truth in find_pairs(folder):
        try:
            s, _ = score(path, truth.read_text(encoding="utf-8"))
        except BookError as error:
            print(f"{path.name[:45]:<46}refused: {error.what.removeprefix(str(path)).strip()}")
            continue
        row = (s.words, f"{s.f1:.4f}", f"{s.recall:.4f}", f"{s.precision:.4f}", f"{s.paragraphs:.4f}", s.verse_lines)
        row_end = (s.chapters, s.notes, s.dropped, f"{s.seconds:.2f}")
        print(f"{s.name[:45]:<46}" + "".join(f"{value:>10}" for value in row + row_end))


if __name__ == "__main__":
    main()
