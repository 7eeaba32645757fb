"""A goal holds for the worst book of its group, and nothing is softened."""

from __future__ import annotations

from benchmarks.goals import judge
from benchmarks.truth import Count, Measured


def one(name: str, f1: float, **figures: object) -> Measured:
    result = Measured(name, "pdf", "en", recall=f1, precision=f1, edges=1.0)
    for key, value in figures.items():
        setattr(result, key, value)
    return result


def outcome(text: str, *results: Measured) -> tuple[bool | None, str]:
    (found,) = (one for one in judge(results) if one.goal.startswith(text))
    return found.passed, found.worst


def test_the_worst_book_decides() -> None:
    assert outcome("PDF, one column: word F1", one("a", 1.0), one("b", 0.996)) == (True, "b")
    assert outcome("PDF, one column: word F1", one("a", 1.0), one("b", 0.99)) == (False, "b")


def test_one_running_head_is_too_many() -> None:
    assert outcome("PDF, one column: heads", one("a", 1.0, furniture=1)) == (False, "a")


def test_a_book_that_is_refused_misses() -> None:
    assert outcome("PDF, one column: word F1", one("a", 1.0), one("b", 0.0, refused="is damaged")) == (False, "b")


def test_hyphens_are_pooled_by_language() -> None:
    results = one("a", 1.0, hyphens=Count(99, 100)), one("b", 1.0, hyphens=Count(49, 50), language="fr")
    assert outcome("PDF: line-end hyphens, English", *results) == (True, "a 99/100")
    assert outcome("PDF: line-end hyphens, French", *results) == (True, "b 49/50")


def test_figures_without_a_goal_are_told_too() -> None:
    assert outcome("PDF: verse lines", one("a", 1.0, verse=Count(1, 2))) == (None, "a 1/2")
