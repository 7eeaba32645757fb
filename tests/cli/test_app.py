"""The command line as a whole, as a shell sees it."""

from __future__ import annotations

import re
import resource
import subprocess
import sys

import pytest

import quire
from quire.cli.app import LATER, VERBS, run


def test_help_lists_every_verb_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    for verb, line in VERBS.items():
        assert re.search(rf"^  {verb} +{re.escape(line)}$", shown, re.MULTILINE)


def test_no_arguments_show_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run([]) == 0
    assert "Commands:" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"quire {quire.__version__}\n"


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_every_verb_has_an_example_of_it(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--help"]) == 0
    shown = capsys.readouterr().out
    assert VERBS[verb] in shown
    examples = shown.partition("Example")[2]
    assert f"quire {verb}" in examples


@pytest.mark.parametrize(
    ("arguments", "named"),
    [(["reed"], "reed"), (["doctor", "--onlin"], "--onlin"), (["read"], "PATH"), (["doctor", "extra"], "extra")],
)
def test_wrong_usage_gets_two_lines_and_exit_code_2(
    arguments: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 2
    error, remedy = capsys.readouterr().err.splitlines()
    assert error.startswith("error: ")
    assert named in error
    assert re.fullmatch(r"try: quire .*--help", remedy)


@pytest.mark.parametrize("verb", LATER)
def test_a_verb_that_is_planned_says_so(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert verb not in VERBS
    assert run([verb, "novel", "--help"]) == 2
    shown = capsys.readouterr()
    assert shown.err == f"error: quire {verb}: not yet\ntry: quire --help lists what there is\n"
    assert shown.out == ""


def test_help_answers_in_less_than_four_tenths_of_a_second() -> None:
    """Of processor time, and the best of five: the machine that runs the tests does other things meanwhile."""
    taken = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "quire", "--help"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(taken) < 0.4


@pytest.mark.parametrize("arguments", [["--help"], ["read", "--help"], ["train", "--help"], ["write", "--help"]])
def test_help_loads_neither_torch_nor_transformers(arguments: list[str]) -> None:
    probe = (
        "import sys\nfrom quire.cli.app import run\n"
        f"code = run({arguments!r})\n"
        "heavy = {'torch', 'transformers', 'datasets', 'matplotlib'} & set(sys.modules)\n"
        "sys.exit(f'loaded {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
