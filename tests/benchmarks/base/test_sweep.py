from __future__ import annotations

import json

from benchmarks.base.sweep import CASES, END, PAGE, RESULTS, START, with_table


def test_the_page_has_the_table_of_the_results() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert with_table(page, json.loads(RESULTS.read_text(encoding="utf-8"))) == page


def test_a_table_takes_the_place_of_the_one_before() -> None:
    one = {"weights": 6.5e6, "tokens": 1.55e6, "en": 1.96, "fr": 2.0684}
    first = with_table(f"a\n{START}old\n{END}\nb\n", {"muon": one})
    assert "| muon | 6.5 M | 1.55 M | 1.960 | 2.068 |" in first
    assert (first.startswith("a\n"), first.endswith("\nb\n"), "old" in first) == (True, True, False)
    assert with_table(first, {"muon": one}) == first


def test_every_case_has_a_name_of_its_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
