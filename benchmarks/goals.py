"""The goals of the reading bench, and whether a run reached them.  A goal holds for the worst book of its group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.sentences import Sentences
from benchmarks.truth import Count, Measured


@dataclass(frozen=True)
class Outcome:
    """One goal: what the worst book reached, which book that is, and the mean of all.

    `passed` is None for a figure that has no goal.
    """

    goal: str
    wanted: float | None
    mean: str
    reached: str
    passed: bool | None
    worst: str


@dataclass(frozen=True)
class _Goal:
    """`value` of each book of the groups must not fall under `bound` (or, with `most`, rise above it)."""

    text: str
    groups: tuple[str, ...]
    value: Callable[[Measured], float | None]
    bound: float
    most: bool = False


_PDF = ("pdf", "pdf columns")
_MARKED = ("docx", "html", "md", "tei")
_ALL_PDF = (*_PDF, "whitehead")
_ALL_MARKED = ("epub", *_MARKED, "odt", "rtf")
_GOALS = (
    _Goal("PDF, one column: word F1 ≥ 0.995", ("pdf",), lambda m: m.f1, 0.995),
    _Goal("PDF, one column: heads and folios in the text 0", ("pdf",), lambda m: m.furniture, 0, True),
    _Goal("PDF, one column: paragraph boundaries F1 ≥ 0.97", ("pdf",), lambda m: m.edges, 0.97),
    _Goal("PDF, two columns: word F1 ≥ 0.99", ("pdf columns",), lambda m: m.f1, 0.99),
    _Goal("PDF, two columns: passages out of order 0", ("pdf columns",), lambda m: m.moved, 0, True),
    _Goal("PDF, two columns: heads and folios in the text 0", ("pdf columns",), lambda m: m.furniture, 0, True),
    _Goal("PDF, Whitehead: words of its true paragraphs ≥ 0.985", ("whitehead",), lambda m: m.recall, 0.985),
    _Goal("PDF, Whitehead: heads and folios in the text 0", ("whitehead",), lambda m: m.furniture, 0, True),
    _Goal("PDF: notes in the text 0", _ALL_PDF, lambda m: m.notes_leaked, 0, True),
    _Goal("PDF: marks of notes in the text 0", _ALL_PDF, lambda m: m.marks_left, 0, True),
    _Goal("PDF: notes kept aside, each for itself, all", _ALL_PDF, lambda m: _share(m.notes), 1.0),
    _Goal("PDF: notes that name their page, all", _ALL_PDF, lambda m: _share(m.notes_on_page), 1.0),
    _Goal("PDF: ligatures, soft hyphens, font codes left in the text 0", _ALL_PDF, lambda m: m.unrepaired, 0, True),
    _Goal("EPUB: word F1 ≥ 0.999", ("epub",), lambda m: m.f1, 0.999),
    *(_Goal(f"{group.upper()}: word F1 ≥ 0.999", (group,), lambda m: m.f1, 0.999) for group in _MARKED),
    _Goal("ODT, RTF: word F1 ≥ 0.999", ("odt", "rtf"), lambda m: m.f1, 0.999),
    _Goal("marked-up formats: headings found, all", _ALL_MARKED, lambda m: _share(m.headings), 1.0),
    _Goal("marked-up formats: verse lines kept, all", _ALL_MARKED, lambda m: _share(m.verse), 1.0),
    _Goal("marked-up formats: notes in the text 0", _ALL_MARKED, lambda m: m.notes_leaked, 0, True),
    _Goal("plain text: word F1 ≥ 0.995", ("txt",), lambda m: m.f1, 0.995),
)
_COUNTS: tuple[tuple[str, Callable[[Measured], Count | None]], ...] = (
    ("headings found", lambda m: m.headings),
    ("verse lines kept", lambda m: m.verse),
    ("scene breaks found", lambda m: m.breaks),
)
# So many cut words make the share of a single book a figure; a book with fewer counts in the sum alone.
_ENOUGH_HYPHENS = 200


def _share(count: Count | None) -> float | None:
    return count.share if count else None


def judge(results: Sequence[Measured], sentences: Sequence[Sentences] = ()) -> list[Outcome]:
    """Every goal of which something was measured."""
    outcomes = [outcome for goal in _GOALS if (outcome := _reach(goal, results)) is not None]
    for language, least in (("en", 0.99), ("fr", 0.98)):
        outcomes += _hyphens(results, language, least)
    outcomes += _image_only(results)
    outcomes += [_sentences(one) for one in sentences]
    outcomes += _speed(results)
    return outcomes + _without_goal(results)


def _reach(goal: _Goal, results: Sequence[Measured]) -> Outcome | None:
    here = [result for result in results if result.group in goal.groups]
    values = [(value, m.name) for m in here if not m.refused and (value := goal.value(m)) is not None]
    if not here:
        return None
    refused = [m.name for m in here if m.refused]
    if refused:
        return Outcome(goal.text, goal.bound, "", "refused", False, ", ".join(refused))
    if not values:
        return None
    value, name = max(values) if goal.most else min(values)
    passed = value <= goal.bound if goal.most else value >= goal.bound
    within = sum(v <= goal.bound if goal.most else v >= goal.bound for v, _ in values)
    mean = sum(v for v, _ in values) / len(values)
    shown = f"{value:.0f}" if goal.most else f"{value:.4f}"
    # A worst book among books that are all right is none.
    told = "" if value == (0 if goal.most else 1) else name
    reached = f"{shown} ({within} of {len(values)})"
    return Outcome(goal.text, goal.bound, f"{mean:.2f}" if goal.most else f"{mean:.4f}", reached, passed, told)


def _hyphens(results: Sequence[Measured], language: str, least: float) -> list[Outcome]:
    here = [(m.hyphens, m.name) for m in results if m.language == language and m.hyphens and m.hyphens.all]
    if not here:
        return []
    whole = Count(sum(count.right for count, _ in here), sum(count.all for count, _ in here))
    enough = [pair for pair in here if pair[0].all >= _ENOUGH_HYPHENS]
    worst, name = min(enough or here, key=lambda pair: pair[0].share)
    passed = whole.share >= least and all(count.share >= least for count, _ in enough)
    text = f"PDF: line-end hyphens, {'English' if language == 'en' else 'French'} ≥ {least}"
    mean = f"{whole.share:.4f}"
    return [Outcome(text, least, mean, f"{worst.share:.4f} of {whole.all}", passed, f"{name} {worst}")]


def _image_only(results: Sequence[Measured]) -> list[Outcome]:
    here = [m for m in results if m.group == "image-only"]
    right = [m for m in here if "image" in m.refused or "picture" in m.refused]
    told = ", ".join(m.name for m in here if m not in right)
    text = "PDF: image-only pages are named"
    return [Outcome(text, 1.0, "", f"{len(right)} of {len(here)}", len(right) == len(here), told)] if here else []


def _sentences(one: Sentences) -> Outcome:
    text = f"sentences, {one.name} ({one.count}): F1 ≥ 0.98"
    return Outcome(text, 0.98, "", f"{one.f1:.4f}", one.f1 >= 0.98, f"{len(one.wrong)} wrong" if one.wrong else "")


def _speed(results: Sequence[Measured]) -> list[Outcome]:
    """All the pages by all the seconds; the slowest of the longer books is named."""
    outcomes = []
    pdfs = [(m.pages, m.seconds, m.name) for m in results if m.pages and m.seconds]
    epubs = [(m.text_bytes / 1e6, m.seconds, m.name) for m in results if m.group == "epub" and m.seconds]
    for text, bound, rows in (
        ("PDF: pages a second ≥ 150", 150, pdfs),
        ("EPUB: MB of text a second ≥ 20", 20, epubs),
    ):
        if not rows:
            continue
        rate = sum(amount for amount, _, _ in rows) / sum(seconds for _, seconds, _ in rows)
        amount, seconds, name = min(rows, key=lambda row: row[0] / row[1])
        slowest = f"{amount / seconds:.{0 if bound > 100 else 1}f}"
        outcomes.append(Outcome(text, bound, f"{rate:.{0 if bound > 100 else 1}f}", slowest, rate >= bound, name))
    return outcomes


def _without_goal(results: Sequence[Measured]) -> list[Outcome]:
    """Sums over all books of a kind, and the book that lacks most."""
    outcomes = []
    for name, groups in (("PDF", _ALL_PDF), ("other formats", (*_ALL_MARKED, "txt"))):
        here = [m for m in results if m.group in groups and not m.refused]
        for figure, value in _COUNTS:
            counts = [(count, m.name) for m in here if (count := value(m)) is not None and count.all]
            if counts:
                whole = Count(sum(count.right for count, _ in counts), sum(count.all for count, _ in counts))
                worst = min(counts, key=lambda pair: pair[0].share)
                told = "" if worst[0].share >= 1 else f"{worst[1]} {worst[0]}"
                reached = f"{worst[0].share:.4f} ({whole})"
                outcomes.append(Outcome(f"{name}: {figure}", None, f"{whole.share:.4f}", reached, None, told))
        if here:
            worst_letters = min(here, key=lambda m: m.letters)
            mean = sum(m.letters for m in here) / len(here)
            text = f"{name}: characters in order F1"
            outcomes.append(
                Outcome(text, None, f"{mean:.4f}", f"{worst_letters.letters:.4f}", None, worst_letters.name)
            )
    return outcomes
