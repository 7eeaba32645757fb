"""The library is built from the sources that lie beside it, and an install without a compiler goes through."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from quire.model.kernels import build as building

compiles = pytest.mark.skipif(
    not sys.platform.startswith("linux") or shutil.which("cc") is None, reason="no C compiler here"
)


@compiles
def test_it_is_built_from_what_lies_there(tmp_path: Path) -> None:
    assert building.build(tmp_path / "made.so") is None
    assert (tmp_path / "made.so").stat().st_size > 10_000
    assert list(tmp_path.iterdir()) == [tmp_path / "made.so"], "nothing else is left"


@compiles
@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_the_compiler_has_nothing_to_say(compiler: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An install goes through with warnings; ours does without."""
    if shutil.which(compiler) is None:
        pytest.skip(f"no {compiler} here")
    monkeypatch.setenv("CC", compiler)
    monkeypatch.setattr(building, "FLAGS", (*building.FLAGS, "-Werror"))
    assert building.build(tmp_path / "made.so") is None


@compiles
def test_a_compiler_that_fails_is_told_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "false")
    assert "false failed" in (building.build(tmp_path / "made.so") or "")
    assert list(tmp_path.iterdir()) == []


def test_without_a_compiler_the_reason_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setattr(building.shutil, "which", lambda _name: None)
    monkeypatch.setattr(building.platform, "machine", lambda: "x86_64")
    monkeypatch.setattr(building.sys, "platform", "linux")
    assert building.build(tmp_path / "made.so") == "no C compiler was found"
    monkeypatch.setattr(building.sys, "platform", "darwin")
    assert "no native kernels for darwin" in (building.build(tmp_path / "made.so") or "")


def test_other_sources_have_another_hash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = building.source_hash()
    shutil.copytree(building.SOURCES, tmp_path / "source")
    monkeypatch.setattr(building, "SOURCES", tmp_path / "source")
    assert building.source_hash() == before
    with (tmp_path / "source" / "about.c").open("a") as file:
        file.write("/* more */")
    assert building.source_hash() != before
