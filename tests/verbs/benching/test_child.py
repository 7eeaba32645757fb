"""The process of a case answers in JSON, whatever comes of it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from quire.verbs.benching.cases import COMMAND
from quire.verbs.benching.shapes import SHAPES

TINY = {**SHAPES["7M"].config, "num_hidden_layers": 1, "vocab_size": 512}


def ask(arguments: dict[str, Any]) -> dict[str, Any]:
    question = json.dumps({"kind": "training", "config": TINY, "arguments": arguments})
    done = subprocess.run(COMMAND, input=question + "\n", capture_output=True, text=True, check=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def test_a_case_answers_with_its_figures() -> None:
    told = ask({"precision": "fp32", "window": 16, "ids": list(range(100)), "seconds": 0.1})
    assert told["found"]["tokens_per_second"] > 0
    assert told["found"]["rates"].keys() == {"fp32"}


def test_what_cannot_be_done_is_an_answer_too(monkeypatch) -> None:
    from quire.verbs.benching import child

    monkeypatch.setattr(child, "hush_bars", lambda: None)
    monkeypatch.setattr("quire.verbs.benching.course.die_first", lambda: None)
    question = {"precision": "fp16", "window": 16, "ids": [1] * 40, "seconds": 0.0}
    told = child.answer({"kind": "training", "config": TINY, "arguments": question})
    assert "fp16 does not work on a processor" in told["problem"]


def test_the_command_is_this_python() -> None:
    assert COMMAND[0] == sys.executable
