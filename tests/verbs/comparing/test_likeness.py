from __future__ import annotations

from pathlib import Path

import pytest

from littleruns import BOOK, little_run
from quire.verbs.comparing.likeness import why_not_by_loss, why_not_by_text
from quire.verbs.comparing.line import RunLine, read_line


def lines(tmp_path: Path, **second: object) -> list[RunLine]:
    """A run, and one that differs from it in what is given."""
    return [read_line(little_run(tmp_path / "a")), read_line(little_run(tmp_path / "b", **second))]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "settings", [{"train.learning_rate": 1e-3}, {"train.epochs": 1}, {"train.method.lora.rank": 4}, {"train.stride": 8}]
)
def test_what_is_learned_otherwise_is_what_one_compares(settings: dict[str, object], tmp_path: Path) -> None:
    pair = lines(tmp_path, settings=settings)
    assert why_not_by_loss(pair) == []
    assert why_not_by_text(pair) == []


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        ({"sources": {"/books/river.md": "bb" * 32}}, "different texts"),
        ({"settings": {"seed": 8}}, "seeds"),
        ({"settings": {"shelf.0.test": "20%"}}, "shared out"),
        ({"settings": {"train.parts": 2}}, "parts"),
    ],
)
def test_other_held_out_text_compares_by_no_number(second: dict[str, object], reason: str, tmp_path: Path) -> None:
    pair = lines(tmp_path, **second)
    assert any(reason in told for told in why_not_by_text(pair))
    assert any(reason in told for told in why_not_by_loss(pair))


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        ({"base": "some/other"}, "different tokens"),
        ({"settings": {"train.window": 64}}, "different windows"),
        ({"settings": {"train.loss": "all"}}, "one measures the answers"),
    ],
)
def test_other_tokens_compare_by_bits_per_byte_alone(second: dict[str, object], reason: str, tmp_path: Path) -> None:
    pair = lines(tmp_path, **second)
    assert why_not_by_text(pair) == []
    assert [reason in told for told in why_not_by_loss(pair)] == [True]


def test_the_same_book_elsewhere_is_the_same_text(tmp_path: Path) -> None:
    pair = lines(tmp_path, sources={"/elsewhere/river.md": BOOK["/books/river.md"]})
    assert why_not_by_loss(pair) == []


def test_of_a_curriculum_the_last_stages_text_counts(tmp_path: Path) -> None:
    pair = lines(
        tmp_path,
        stages=("first", "imprint"),
        sources={**BOOK, "/corpus/all.parquet": "cc" * 32},
    )
    assert why_not_by_loss(pair) == []
