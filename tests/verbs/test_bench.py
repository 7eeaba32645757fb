"""The bench measures by doing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from quire.errors import BookError, RecipeError
from quire.run.events import Event
from quire.verbs import bench as module
from quire.verbs.bench import bench, of_house, training_figures
from quire.verbs.benching.figures import Figure, TrainingOutcome, WritingOutcome


def step(seconds: float, tokens: int = 1000, memory: int = 10) -> Event:
    return Event(0.0, "step", values={"seconds": seconds, "tokens": tokens, "memory_bytes": memory})


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Cases that are noted and not carried out."""
    asked: list[str] = []

    def training(shape: Any, precision: str, window: int, ids: list[int], *_: float) -> TrainingOutcome:
        assert len(ids) > window
        asked.append(f"{shape.name}/{precision}/{window}")
        return TrainingOutcome(shape.name, precision, window, None, "not tried")

    def writing(shape: Any, precision: str, batch: int) -> WritingOutcome:
        asked.append(f"{shape.name}/{precision}, {batch} at once")
        return WritingOutcome(shape.name, precision, batch, None, "not tried")

    monkeypatch.setattr(module, "training_case", training)
    monkeypatch.setattr(module, "writing_case", writing)
    return asked


def test_speed_is_the_median_without_the_first_steps() -> None:
    steps = [step(60.0), step(30.0), step(1.0), step(2.0, memory=99), step(4.0)]
    speed, first, memory = training_figures(steps)
    assert speed.value == 500
    assert first.value == 60
    assert memory.value == 99


def test_reading_training_and_writing_are_measured_and_nothing_is_left_behind(
    tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    found = bench(str(tiny_base), settings={"train.window": 64, "train.steps": 3})
    names = {figure.name: figure for figure in found.figures}
    assert names.keys() == {"reading", "training", "first step", "peak memory", "writing"}
    assert all(figure.value > 0 for figure in found.figures)
    assert list(tmp_path.iterdir()) == []


def test_shapes_are_trained_in_every_precision_and_window_and_nothing_else(made: list[str]) -> None:
    told: list[str] = []
    found = bench(shapes=["7M", "135M"], precisions=["bf16"], windows=[64, 128], tell=told.append)
    assert made == ["7M/bf16/64", "7M/bf16/128", "135M/bf16/64", "135M/bf16/128"]
    assert told[1] == "training 7M in bf16, window 128"
    assert found.figures == ()
    assert [outcome.key for outcome in found.training][-1] == "training/135M/bf16/128"


@pytest.mark.parametrize(
    ("asked", "cases"),
    [
        ({"windows": [256]}, ["135M/bf16/256", "135M/int8/256"]),
        ({"precisions": ["fp32"]}, ["135M/fp32/1024"]),
        ({"shapes": ["7M"]}, ["7M/bf16/1024", "7M/int8/1024"]),
    ],
)
def test_what_is_not_said_has_a_usual_value(asked: dict[str, Any], cases: list[str], made: list[str]) -> None:
    bench(**asked)
    assert made == cases


def test_all_is_the_base_the_house_and_the_cases(made: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    figures: Callable[..., tuple[Figure, ...]] = lambda *_: (Figure("reading", 1.0, "words/s", ""),)  # noqa: E731
    monkeypatch.setattr(module, "_of_base", figures)
    monkeypatch.setattr(module, "of_house", lambda _book, _tell: iter([Figure("starting", 1.0, "s", "")]))
    found = bench(shapes=["7M"], precisions=["fp32"], everything=True)
    assert [figure.name for figure in found.figures] == ["reading", "starting"]
    assert made == ["7M/fp32/1024", "7M/fp32, 1 at once", "7M/fp32, 8 at once"]
    facts = found.to_json()
    assert facts["training"][0]["problem"] == "not tried"
    assert facts["machine"]["cores"] > 0


def test_the_house_is_measured_part_by_part(monkeypatch: pytest.MonkeyPatch) -> None:
    for part in ("reading", "tokenising", "auditing"):
        monkeypatch.setattr(module, part, lambda _book, name=part: [Figure(name, 1.0, "s", "")])
    monkeypatch.setattr(module, "starting", lambda: [Figure("starting", 1.0, "s", "")])
    monkeypatch.setattr(module, "first_step", lambda: Figure("first step", 1.0, "s", ""))
    book = module.first_book(module.BOOK)
    assert [figure.name for figure in of_house(book)] == ["starting", "first step", "reading", "tokenising", "auditing"]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"shapes": ["2B"]}, "no shape is called 2B"),
        ({"precisions": ["int3"]}, "int3 is none"),
        ({"windows": [99_999]}, "a window of 99999 tokens is longer than the book"),
        ({"shapes": ["7M"], "settings": {"train.window": 64}}, "--set and --shapes"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(asked: dict[str, Any], said: str, made: list[str]) -> None:
    with pytest.raises(RecipeError, match=said):
        bench(**asked)
    assert made == []


def test_a_book_of_ones_own_is_what_is_trained_on(made: list[str], tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text("CHAPTER I\n\n" + "The ferryman looked at the water for a long time.\n\n" * 40, encoding="utf-8")
    bench(shapes=["7M"], windows=[64], book=book)
    assert len(made) == 2
    with pytest.raises(BookError):
        bench(shapes=["7M"], windows=[64], book=tmp_path / "none.txt")
