"""Cases run in processes of their own, and none can end the bench."""

from __future__ import annotations

import sys
from dataclasses import asdict

import pytest

from quire.errors import RecipeError
from quire.verbs.benching import cases
from quire.verbs.benching.cases import MOST_ROWS, check_cases, training_case, writing_case
from quire.verbs.benching.figures import Trained
from quire.verbs.benching.shapes import SHAPES

TRAINED = Trained(300.0, 600.0, 3.4, 5.0, 3, 10, 20, (9.0,), {"bf16": 4e11}, False, "cpu", 2)
SHAPE = SHAPES["7M"]


def child(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """A process that does this instead of the case."""
    monkeypatch.setattr(cases, "COMMAND", (sys.executable, "-c", f"import json, os, sys, time\n{program}"))


def test_what_the_process_found_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    child(monkeypatch, f"print(json.dumps({{'found': {asdict(TRAINED)!r}}}))")
    assert training_case(SHAPE, "bf16", 64, range(1000)).found == TRAINED


def test_the_process_is_asked_for_the_case_and_given_no_more_text_than_it_reads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    child(
        monkeypatch,
        "q = json.loads(sys.stdin.readline()); a = q['arguments']\n"
        "said = (q['kind'], q['config']['hidden_size'], a['precision'], len(a['ids']))\n"
        "print(json.dumps({'problem': ' '.join(map(str, said))}))",
    )
    assert training_case(SHAPE, "bf16", 64, range(10_000)).problem == f"training 256 bf16 {MOST_ROWS * 64 + 1}"


@pytest.mark.parametrize(
    ("program", "problem"),
    [
        ("os.kill(os.getpid(), 9)", "it was killed, as processes are when memory runs out"),
        ("sys.exit('  a reason\\n')", "a reason"),
        ("os._exit(3)", "exit code 3"),
        ("time.sleep(60)", "it took more than 1 seconds"),
    ],
)
def test_one_that_ends_without_an_answer_says_why(program: str, problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    child(monkeypatch, program)
    outcome = writing_case(SHAPE, "bf16", 8, limit=1.0)
    assert (outcome.found, outcome.problem) == (None, problem)


def test_what_there_is_not_is_refused_before_anything_is_measured() -> None:
    check_cases(["bf16", "int8"], [512], tokens=1000)
    with pytest.raises(RecipeError, match="--precisions: int3 is none"):
        check_cases(["int3"], [512], tokens=1000)
    with pytest.raises(RecipeError, match="--windows: a window of 1000 tokens is longer than the book"):
        check_cases(["bf16"], [512, 1000], tokens=1000)
    with pytest.raises(RecipeError, match="--windows: 0 is no number of tokens"):
        check_cases(["bf16"], [0], tokens=1000)
