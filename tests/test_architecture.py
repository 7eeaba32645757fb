"""The house keeps its shape: tests mirror the source, files stay short, reading and planning load no torch."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "quire"
TESTS = ROOT / "tests"
MODULES = sorted(path.relative_to(SOURCE) for path in SOURCE.rglob("*.py"))
LONGEST_FILE = 400

WITHOUT_MIRROR = {
    "__main__.py": "one call of main, which tests/cli/test_app.py runs as a process",
    "cli/__init__.py": "one call of run, likewise",
    "planner/facts.py": "two records without behaviour but a look-up",
    "books/limits.py": "records without behaviour; test_kinds.py and walls/test_child.py run into the bounds",
}


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_every_module_has_a_test_of_its_name(module: Path) -> None:
    source = (SOURCE / module).read_text(encoding="utf-8")
    mirror = TESTS / module.parent / f"test_{module.name}"
    if module.name == "__init__.py":
        mirror = TESTS / "test_api.py" if module.parent == Path() else mirror
        if not _has_code(source):
            return
    assert mirror.is_file() or module.as_posix() in WITHOUT_MIRROR, f"{mirror.relative_to(ROOT)} is missing"


@pytest.mark.parametrize("module", sorted(WITHOUT_MIRROR))
def test_the_list_of_exceptions_is_no_longer_than_it_must_be(module: str) -> None:
    assert (SOURCE / module).is_file()
    assert not (TESTS / Path(module).parent / f"test_{Path(module).name}").is_file()


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_no_file_is_long(module: Path) -> None:
    lines = len((SOURCE / module).read_text(encoding="utf-8").splitlines())
    assert lines <= LONGEST_FILE, f"{module} has {lines} lines"


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_every_module_and_public_function_says_what_it_does(module: Path) -> None:
    tree = ast.parse((SOURCE / module).read_text(encoding="utf-8"))
    if tree.body:
        assert ast.get_docstring(tree), "the module has no docstring"
    silent = [node.name for node in _public(tree) if not ast.get_docstring(node) and _length(node) > 6]
    assert not silent, f"no docstring: {', '.join(silent)}"


@pytest.mark.parametrize("verb", ["read", "plan"])
def test_reading_and_planning_a_book_load_no_torch(verb: str, tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    paragraph = "The ferryman looked at the water for a long time, and then he told me the whole of it.\n\n"
    book.write_text("".join(f"CHAPTER {n}\n\n{paragraph * 60}" for n in range(1, 10)), encoding="utf-8")
    base = ["--base", "embedded"] if verb == "plan" else []
    probe = (
        "import sys\nfrom quire.cli.app import run\n"
        f"code = run({[verb, str(book), *base]!r})\n"
        "heavy = {'torch', 'peft', 'accelerate', 'datasets', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def _has_code(source: str) -> bool:
    """Whether there is more than a docstring and imports."""
    plain = (ast.Import, ast.ImportFrom, ast.Expr)
    return any(not isinstance(node, plain) for node in ast.parse(source).body)


def _public(tree: ast.Module) -> list[ast.FunctionDef | ast.ClassDef]:
    kinds = (ast.FunctionDef, ast.ClassDef)
    return [node for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]


def _length(node: ast.FunctionDef | ast.ClassDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _names_in_the_walk() -> list[str]:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = "|".join(path.stem for path in SOURCE.iterdir() if path.suffix == ".py" or path.is_dir())
    named = set(re.findall(rf"`((?:{rooms})(?:\.\w+)+)`", text))
    return sorted(named - {"recipe.yaml"})


@pytest.mark.parametrize("name", _names_in_the_walk())
def test_the_walk_through_the_rooms_uses_names_that_exist(name: str) -> None:
    parts = name.split(".")
    depth = max(n for n in range(1, len(parts) + 1) if _is_module(parts[:n]))
    found: object = importlib.import_module(".".join(["quire", *parts[:depth]]))
    for part in parts[depth:]:
        found = vars(found)[part]


def _is_module(parts: list[str]) -> bool:
    return SOURCE.joinpath(*parts).with_suffix(".py").is_file() or SOURCE.joinpath(*parts).is_dir()
