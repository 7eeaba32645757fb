"""Prompts are unpicked beginnings of held-out paragraphs; what was drawn once is not drawn again."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.base.drawing import PROMPT_WORDS, Drawn, Prompt, drawn, prompts_of
from benchmarks.base.task import Task
from benchmarks.base.texts import Texts, keep

from benchmarks.base import drawing
from madeworks import book_of, pieces_of, silence
from quire.model.base import Base
from quire.recipe.schema import WriteSettings


def test_prompts_begin_paragraphs_of_held_out_works(kept: Texts) -> None:
    prompts = prompts_of(kept, 5)
    assert [prompt.language for prompt in prompts] == ["en"] * 3 + ["fr"] * 3, "each has three paragraphs"
    assert len(set(prompts)) == 6
    assert prompts == prompts_of(kept, 5)
    held_out = {work.language: kept.text(work) for work in kept.of("test")}
    for prompt in prompts:
        assert len(prompt.text.split()) == PROMPT_WORDS
        assert "\n\n" + prompt.text + prompt.human[:50] in held_out[prompt.language]
    assert prompts_of(kept, 2) == [*prompts[:2], *prompts[3:5]], "more prompts leave the first ones as they are"


def test_a_language_of_which_nothing_was_held_out_is_not_written(tmp_path: Path) -> None:
    works = [book_of(0, ["word " * 70], "en"), book_of(1, ["mot " * 70], "fr"), book_of(2, ["pas " * 70], "fr")]
    texts = keep(tmp_path, "made", pieces_of(works, ["test", "train", "train"]), silence)
    prompts = prompts_of(texts, 2)
    assert Drawn("greedy", tuple(prompts), ("a", "b")).languages == ["en"]


def test_headings_and_verses_are_no_prompts() -> None:
    long = "word " * 70
    text = f"A heading\n\n{long}\n\nshort one\n\n\n{long}\nsecond line of it"
    assert [text[at : at + 4] for at in drawing._starts(text)] == ["word", "word"]
    assert drawing._starts("one\ntwo " + long) == []


def test_what_was_drawn_is_kept(task: Task, kept: Texts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "own"  # nobody has written there yet
    shutil.copytree(kept.folder, home, ignore=shutil.ignore_patterns("drawn-*"))
    task = replace(task, home=home)
    written: list[str] = []
    really = drawing._write

    def write(base: Base, prompts: Sequence[Prompt], settings: WriteSettings, way: str) -> list[str]:
        written.append(way)
        return really(base, prompts, settings, way)

    monkeypatch.setattr(drawing, "_write", write)
    first = drawn(task, ["greedy", "temperature 0.8"])
    assert drawn(task, ["greedy", "temperature 0.8"]) == first
    assert written == ["greedy", "temperature 0.8"]
    assert [len(one.texts) for one in first] == [4, 4]
    assert len(first[0].of("fr")) == 2
    drawn(replace(task, tokens=3), ["greedy"])
    assert len(written) == 3
