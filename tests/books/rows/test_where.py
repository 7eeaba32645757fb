"""Which rows are kept, and what is said when none is."""

from __future__ import annotations

from pathlib import Path

import pytest

from quire.books.rows.where import Filter
from quire.errors import BookError

PATH = Path("rows.jsonl")


def test_values_and_names_in_any_case_of_letters() -> None:
    asked = Filter((("Age", ("renaissance", "Modern")), ("year", ("1900",))))
    rows = [
        {"age": "Renaissance ", "year": 1900},
        {"AGE": "MODERN", "Year": "1900"},
        {"age": "modern", "year": 1901},
        {},
    ]
    assert [asked.keeps(row) for row in rows] == [True, True, False, False]
    asked.check(PATH)
    assert asked.kept == 2


def test_a_value_that_was_nowhere_names_some_that_were() -> None:
    asked = Filter((("kind", ("Ode",)),))
    for number in range(5000):
        asked.keeps({"kind": f"kind {number % 3000}"})
    with pytest.raises(BookError, match=r"no row has kind = 'Ode'; its values are kind 0, .* and many more") as raised:
        asked.check(PATH)
    assert len(raised.value.what) < 400
    assert raised.value.then == "set where.kind to one of them"


def test_a_column_that_was_nowhere_and_values_that_never_meet() -> None:
    asked = Filter((("age", ("modern",)), ("type", ("Love",))))
    assert not asked.keeps({"age": "Modern", "type": "Nature"})
    with pytest.raises(BookError, match="no row has type = 'Love'"):
        asked.check(PATH)
    assert not asked.keeps({"age": "Old", "type": "Love"})
    with pytest.raises(BookError, match="no row that passed the other filters"):
        asked.check(PATH)
    nowhere = Filter((("era", ("x",)),))
    nowhere.keeps({"age": "Modern"})
    with pytest.raises(BookError, match="no column 'era'; its columns are age"):
        nowhere.check(PATH)
