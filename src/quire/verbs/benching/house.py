"""Everything around the training that takes time: starting, reading, tokenising, packing, searching for copies."""

from __future__ import annotations

import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from quire.books.book import Book
from quire.planner.bases import find_base
from quire.recipe.schema import TrainSettings
from quire.run.events import read_events
from quire.run.folder import RunFolder
from quire.verbs.benching.figures import Figure
from quire.verbs.benching.pages import PAGE_WORDS, write_pdf
from quire.verbs.read import read

STARTS, ROUNDS = 5, 3
LONG_WORDS = 100_000  # a novel of 300 pages, made by repeating the book
PDF_PAGES = 100
WINDOW, PACKED = 1024, 16  # the length of rows, and how often the long text is packed: once would be over at once
TEXTS, TEXT_WORDS, RECITED = 20, 100, 40  # written texts, words of each, and how many of them stand in the book


def starting() -> list[Figure]:
    """From the command to the first sign of life."""
    how = f"the median of {STARTS} processes"
    asked = _seconds_of([sys.executable, "-m", "quire", "--help"])
    bare, loaded = (_seconds_of([sys.executable, "-c", program]) for program in ("pass", "import quire"))
    return [
        Figure("quire --help", asked, "s", how),
        Figure("import quire", max(0.0, loaded - bare), "s", f"{how}, beyond a Python's own {bare:.3f} s"),
    ]


def first_step(base: str = "embedded") -> Figure:
    """From the command `quire train` on the bundled novella to the end of its first step: libraries, book, base, the
    measuring that decides, and a first validation."""
    with tempfile.TemporaryDirectory(prefix="quire-bench-") as home:
        run = Path(home) / "run"
        asked = ["train", "sample:novella", "--base", base, "--run", str(run)]
        few = ["--set", "train.steps=1", "--set", "write.max_new_tokens=1"]
        started = time.time()
        subprocess.run([sys.executable, "-m", "quire", *asked, *few], capture_output=True, check=True)  # noqa: S603
        stepped = next(event.time for event in read_events(RunFolder(run).events_file) if event.kind == "step")
    return Figure("first step after the command", stepped - started, "s", f"quire train sample:novella --base {base}")


def reading(book: Book) -> list[Figure]:
    """A long plain text and a PDF of the book's words, each read in a process of its own as every file is."""
    with tempfile.TemporaryDirectory(prefix="quire-bench-") as home:
        plain, pdf = Path(home) / "long.txt", Path(home) / "pages.pdf"
        long = _long(book)
        plain.write_text("\n\n".join(long), encoding="utf-8")
        pages = write_pdf(pdf, "\n\n".join(long), PDF_PAGES)
        text = _best(lambda: read(plain))
        paged = _best(lambda: read(pdf))
        words = read(plain).words
    how = f"the best of {ROUNDS}, its process included"
    return [
        Figure("reading a long text", words / text, "words/s", f"{words:,} words of plain text, {how}"),
        Figure("reading a long text, in pages", words / PAGE_WORDS / text, "pages/s", f"of {PAGE_WORDS} words"),
        Figure("reading a PDF", pages / paged, "pages/s", f"{pages} pages, {how}"),
    ]


def tokenising(book: Book) -> list[Figure]:
    """Text to tokens with the embedded base's tokenizer, and tokens to rows, as arrays that a model takes."""
    import numpy as np

    from quire.tokens.rows import make_rows
    from quire.tokens.stretches import Stretch
    from quire.tokens.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(find_base("embedded", weights=False).path)
    texts = _long(book)
    encoded = _best(lambda: tokenizer.encode_all(texts))
    ids = tokenizer.encode_all(texts)
    tokens = sum(map(len, ids))
    arrays = [np.asarray(one, dtype=np.int32) for one in ids] * PACKED
    stretches = [Stretch(one, number, True) for number, one in enumerate(arrays)]
    settings = TrainSettings(window=WINDOW)

    def pack() -> None:
        rows = make_rows(stretches, settings, tokenizer.start)
        for index in range(len(rows)):
            rows.arrays(index)

    how = f"tokens, the best of {ROUNDS}"
    return [
        Figure("tokenising", tokens / encoded, "tokens/s", f"{tokens:,} {how}, the embedded base's tokenizer"),
        Figure("packing", PACKED * tokens / _best(pack), "tokens/s", f"{PACKED * tokens:,} {how}, rows of {WINDOW:,}"),
    ]


def auditing(book: Book) -> list[Figure]:
    """The search for runs of words that stand in the book, in texts that recite a part of it."""
    from quire.judging.copying import TrainingText

    stretches = [[(chapter.text, chapter.heading) for chapter in book.chapters]]
    training = TrainingText(stretches)
    built = _best(lambda: TrainingText(stretches))
    texts = _written(book)
    spent = _best(lambda: training.count(texts))
    words = sum(len(text.split()) for text in texts)
    return [
        Figure("memory audit", spent * 1000 / words, "s", f"for 1,000 words written, {RECITED} % of them recited"),
        Figure("memory audit, the book's index", built, "s", f"{book.words:,} words, made once"),
    ]


def _long(book: Book) -> list[str]:
    """The book's chapters again and again, to the length of a novel."""
    return [chapter.text for chapter in book.chapters] * max(1, LONG_WORDS // max(1, book.words))


def _written(book: Book) -> list[str]:
    """Texts as a model might write them: the book's words in an order of their own, and a passage by heart."""
    words, draw = book.text.split(), random.Random(7)
    texts = []
    for _ in range(TEXTS):
        recited = min(RECITED, len(words))
        first = draw.randrange(len(words) - recited + 1)
        texts.append(" ".join(draw.choices(words, k=TEXT_WORDS - recited) + words[first : first + recited]))
    return texts


def _best(work: Callable[[], object]) -> float:
    """Seconds of the best of a few rounds."""
    found = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        work()
        found.append(time.perf_counter() - started)
    return min(found)


def _seconds_of(command: Sequence[str]) -> float:
    """Median seconds of a process from its start to its end."""
    found = []
    for _ in range(STARTS):
        started = time.perf_counter()
        subprocess.run(command, capture_output=True, check=True)  # noqa: S603
        found.append(time.perf_counter() - started)
    return statistics.median(found)
