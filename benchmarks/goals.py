"""The goals of the reading bench, and whether a run reached them.  A goal holds for the worst book of its group."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.measure import Count, Measured
from benchmarks.sentences import Sentences


@dataclass(frozen=True)
class Outcome:
    """One goal: what was reached, by the worst book where there are several, and which book that was.

    `passed` is None for a figure that has no goal.
    """

    goal: str
    wanted: float | None
    reached: str
    passed: bool | None
    worst: str


@dataclass(frozen=True)
class _Goal:
    """`value` of each book of the groups must not fall under `least` (or, with `most`, rise above it)."""

    text: str
    groups: tuple[str, ...]
    value: Callable[[Measured], float | None]
    bound: float
    most: bool = False


_PDF = ("pdf", "pdf columns")
_MARKED = ("docx", "html", "md", "tei")
_GOALS = (
    _Goal("PDF, one column: word F1 ≥ 0.995", ("pdf",), lambda m: m.f1, 0.995),
    _Goal("PDF, one column: heads and folios in the text 0", ("pdf",), lambda m: m.furniture, 0, True),
    _Goal("PDF, one column: paragraph boundaries F1 ≥ 0.97", ("pdf",), lambda m: m.edges, 0.97),
    _Goal("PDF, two columns: word F1 ≥ 0.99", ("pdf columns",), lambda m: m.f1, 0.99),
    _Goal("PDF, two columns: passages out of order 0", ("pdf columns",), lambda m: m.moved, 0, True),
    _Goal("PDF, two columns: heads and folios in the text 0", ("pdf columns",), lambda m: m.furniture, 0, True),
    _Goal("PDF, Whitehead: words of its true paragraphs ≥ 0.985", ("whitehead",), lambda m: m.recall, 0.985),
    _Goal("PDF, Whitehead: heads and folios in the text 0", ("whitehead",), lambda m: m.furniture, 0, True),
    _Goal("PDF: notes in the text 0", (*_PDF, "whitehead"), lambda m: m.notes_leaked, 0, True),
    _Goal("PDF: notes kept aside, all", (*_PDF, "whitehead"), lambda m: m.notes.share if m.notes else None, 1.0),
    _Goal("PDF: notes that name their page, all", (*_PDF, "whitehead"),
          lambda m: m.notes_on_page.share if m.notes_on_page else None, 1.0),
    _Goal("PDF: ligatures, soft hyphens, font codes left in the text 0", (*_PDF, "whitehead"),
          lambda m: m.unrepaired, 0, True),
    _Goal("EPUB: word F1 ≥ 0.999", ("epub",), lambda m: m.f1, 0.999),
    *(_Goal(f"{group.upper()}: word F1 ≥ 0.999", (group,), lambda m: m.f1, 0.999) for group in _MARKED),
    _Goal("ODT, RTF: word F1 ≥ 0.999", ("odt", "rtf"), lambda m: m.f1, 0.999),
    _Goal("marked-up formats: headings found, all", ("epub", *_MARKED, "odt", "rtf"),
          lambda m: m.headings.share if m.headings else None, 1.0),
    _Goal("marked-up formats: verse lines kept, all", ("epub", *_MARKED, "odt", "rtf"),
          lambda m: m.verse.share if m.verse else None, 1.0),
    _Goal("EPUB, DOCX, …: notes in the text 0", ("epub", *_MARKED, "odt", "rtf"), lambda m: m.notes_leaked, 0, True),
    _Goal("plain text: word F1 ≥ 0.995", ("txt",), lambda m: m.f1, 0.995),
)  # fmt: skip


_COUNTS: tuple[tuple[str, Callable[[Measured], Count | None]], ...] = (
    ("headings found", lambda m: m.headings),
    ("verse lines kept", lambda m: m.verse),
    ("scene breaks found", lambda m: m.breaks),
)


def judge(results: Sequence[Measured], sentences: Sequence[Sentences] = ()) -> list[Outcome]:
    """Every goal of which something was measured."""
    outcomes = [outcome for goal in _GOALS if (outcome := _reach(goal, results)) is not None]
    for language, least in (("en", 0.99), ("fr", 0.98)):
        outcomes += _hyphens(results, language, least)
    outcomes += _image_only(results)
    outcomes += [
        Outcome(
            f"sentences, {s.name} ({s.count}): F1 ≥ 0.98", 0.98, f"{s.f1:.4f}", s.f1 >= 0.98, f"{len(s.wrong)} wrong"
        )
        for s in sentences
    ]
    outcomes += _speed(results)
    return outcomes + _without_goal(results)


def _reach(goal: _Goal, results: Sequence[Measured]) -> Outcome | None:
    here = [result for result in results if result.group in goal.groups]
    values = [(value, m.name) for m in here if not m.refused and (value := goal.value(m)) is not None]
    if not values and not here:
        return None
    refused = [m.name for m in here if m.refused]
    if refused:
        return Outcome(goal.text, goal.bound, "refused", False, ", ".join(refused))
    if not values:
        return None
    value, name = max(values) if goal.most else min(values)
    passed = value <= goal.bound if goal.most else value >= goal.bound
    within = sum(v <= goal.bound if goal.most else v >= goal.bound for v, _ in values)
    shown = f"{value:.0f}" if goal.most else f"{value:.4f}"
    return Outcome(goal.text, goal.bound, f"{shown} ({within} of {len(values)})", passed, name)


def _hyphens(results: Sequence[Measured], language: str, least: float) -> list[Outcome]:
    here = [m for m in results if m.language == language and m.hyphens and m.hyphens.all]
    if not here:
        return []
    pooled = Count(sum(m.hyphens.right for m in here if m.hyphens), sum(m.hyphens.all for m in here if m.hyphens))
    worst = min(here, key=lambda m: m.hyphens.share if m.hyphens else 1.0)
    text = f"PDF: line-end hyphens, {'English' if language == 'en' else 'French'} ≥ {least}"
    told = f"{worst.name} {worst.hyphens}"
    return [Outcome(text, least, f"{pooled.share:.4f} ({pooled})", pooled.share >= least, told)]


def _image_only(results: Sequence[Measured]) -> list[Outcome]:
    here = [m for m in results if m.group == "image-only"]
    right = [m for m in here if "image" in m.refused or "picture" in m.refused]
    told = ", ".join(m.name for m in here if m not in right)
    text = "PDF: image-only pages are named"
    return [Outcome(text, 1.0, f"{len(right)} of {len(here)}", len(right) == len(here), told)] if here else []


def _speed(results: Sequence[Measured]) -> list[Outcome]:
    outcomes = []
    pdfs = [m for m in results if m.pages and m.seconds]
    if pdfs:
        rate = sum(m.pages for m in pdfs) / sum(m.seconds for m in pdfs)
        slow = min(pdfs, key=lambda m: m.pages / m.seconds)
        told = f"{slow.name} {slow.pages / slow.seconds:.0f}"
        outcomes.append(Outcome("PDF: pages a second ≥ 150", 150, f"{rate:.0f}", rate >= 150, told))
    epubs = [m for m in results if m.group == "epub" and m.seconds]
    if epubs:
        rate = sum(m.text_bytes for m in epubs) / sum(m.seconds for m in epubs) / 1e6
        slow = min(epubs, key=lambda m: m.text_bytes / m.seconds)
        told = f"{slow.name} {slow.text_bytes / slow.seconds / 1e6:.1f}"
        outcomes.append(Outcome("EPUB: MB of text a second ≥ 20", 20, f"{rate:.1f}", rate >= 20, told))
    return outcomes


def _without_goal(results: Sequence[Measured]) -> list[Outcome]:
    """Sums over all books of a kind, and the book that lacks most."""
    outcomes = []
    for name, groups in (("PDF", (*_PDF, "whitehead")), ("other formats", ("epub", *_MARKED, "odt", "rtf", "txt"))):
        here = [m for m in results if m.group in groups and not m.refused]
        for figure, value in _COUNTS:
            counts = [(count, m.name) for m in here if (count := value(m)) is not None and count.all]
            if counts:
                whole = Count(sum(count.right for count, _ in counts), sum(count.all for count, _ in counts))
                worst = min(counts, key=lambda pair: pair[0].share)
                told = "" if worst[0].share >= 1 else f"{worst[1]} {worst[0]}"
                outcomes.append(Outcome(f"{name}: {figure}", None, f"{whole.share:.4f} ({whole})", None, told))
        if here:
            worst_letters = min(here, key=lambda m: m.letters)
            told = f"{worst_letters.letters:.4f}"
            outcomes.append(Outcome(f"{name}: characters in order, worst", None, told, None, worst_letters.name))
    return outcomes
