"""`import quire`: light, typed, and what the README says it is."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import quire


@pytest.mark.parametrize("name", [name for name in quire.__all__ if name != "__version__"])
def test_every_public_name_loads(name: str) -> None:
    assert getattr(quire, name).__name__ == name


def test_editors_and_type_checkers_see_the_same_names_as_programs() -> None:
    tree = ast.parse(Path(quire.__file__).read_text(encoding="utf-8"))
    (block,) = [node for node in tree.body if isinstance(node, ast.If)]
    seen = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    assert seen == quire._HOMES
    assert set(quire.__all__) == {*seen, "__version__"}


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'reed'"):
        quire.reed  # noqa: B018


def test_names_are_offered_for_completion() -> None:
    assert dir(quire) == sorted(quire.__all__)


def test_importing_quire_loads_no_library_and_takes_less_than_fifty_milliseconds() -> None:
    """The best of five, since the machine that runs the tests does other things at the same time."""
    taken = []
    for _ in range(5):
        command = [sys.executable, "-X", "importtime", "-c", "import quire, sys; assert 'torch' not in sys.modules"]
        report = subprocess.run(command, check=True, capture_output=True, text=True).stderr
        last = re.search(r"\|\s*(\d+) \| quire$", report, re.MULTILINE)
        assert last
        taken.append(int(last[1]) / 1000)
        assert "pydantic" not in report
        assert "rich" not in report
    assert min(taken) < 50


def test_the_version_is_that_of_the_package() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", quire.__version__)
