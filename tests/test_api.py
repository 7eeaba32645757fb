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
    """Of processor time, and the best of five: the machine that runs the tests does other things meanwhile."""
    probe = (
        "import sys, time\n"
        "started = time.process_time()\n"
        "import quire\n"
        "print(time.process_time() - started)\n"
        "print(*{'torch', 'transformers', 'numpy', 'pydantic', 'rich', 'typer'} & set(sys.modules))"
    )
    taken = []
    for _ in range(5):
        report = subprocess.run([sys.executable, "-c", probe], check=True, capture_output=True, text=True).stdout
        seconds, loaded = report.split("\n")[:2]
        assert loaded == ""
        taken.append(float(seconds))
    assert min(taken) < 0.05


def test_the_version_is_that_of_the_package() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", quire.__version__)
