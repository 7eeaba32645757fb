"""From a file of conversations to a voice that answers, and stops when it has."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import chats
from quire.errors import BaseModelError
from quire.run.events import read_events
from quire.run.folder import RunFolder
from quire.verbs.judge import judge
from quire.verbs.train import train
from quire.verbs.write import write
from tiny import save_base

ANSWER = "The river went, sir."
QUICK = {"train.window": 96, "train.method": "full", "train.precision": "fp32", "train.learning_rate": 0.01,
         "train.batch": 8, "train.accumulate": 1, "train.schedule": "constant",
         "train.evaluate_every": 20, "write.repetition_penalty": 1.0, "write.max_new_tokens": 40}  # fmt: skip


def save_chats(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture
def talks(tmp_path: Path) -> Path:
    """Every question has the same answer; what is asked is never the same."""
    words = ("ferry", "bell", "clerk", "boat", "wind", "tide", "lamp", "door", "rope", "bank")
    rows = []
    for number in range(60):
        asked = f"What did the {words[number % 10]} say to the {words[number // 10]}?"
        turns = [{"role": "user", "content": asked}, {"role": "assistant", "content": ANSWER}]
        rows.append({"id": f"talk {number}", "messages": turns})
    return save_chats(tmp_path / "talks.jsonl", [*rows, {"messages": []}])


def test_a_voice_learns_the_answers_and_where_they_end(
    talks: Path, tiny_base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = train(talks, base=str(tiny_base), run=tmp_path / "run", settings=QUICK | {"train.steps": 40})
    folder = RunFolder(run.path)
    events = read_events(folder.events_file)
    losses = [event.values["loss"] for event in events if event.kind == "validation"]
    assert losses[-1] < 0.1 < losses[0], "that is of the answers; questions could not be foreseen so well"
    decided = next(event.values for event in events if event.kind == "decided")
    words = decided["words"]
    assert words["context only"] == 2 * words["trained"], "questions have eight words, answers four"
    samples = [event.values for event in events if event.kind == "sample"]
    assert samples[-1]["prompt"].startswith("[user] What did the ")
    assert samples[-1]["text"] == ANSWER
    asked = "".join(write(run, "[user] What did the tide say to the lamp?", settings={"write.temperature": 0}))
    assert asked == ANSWER, "it stopped by itself"
    template = (run.voice / "chat_template.jinja").read_text(encoding="utf-8")
    assert "Character:" in template
    report = judge(run, settings={"judge.questions": ["loss"]})
    (loss,) = (finding for finding in report.findings if finding.name == "loss")
    assert loss.value is not None
    assert loss.value < 0.2 < loss.compared_with[0].value


@pytest.mark.slow  # tests/tokens/test_labels.py shows in a moment what is learned of them
def test_completions_are_learned_with_their_end(tiny_base: Path, tmp_path: Path) -> None:
    rows = [{"prompt": f"Storm {number} of the year.", "completion": ANSWER} for number in range(60)]
    path = save_chats(tmp_path / "pairs.jsonl", rows)
    run = train(path, base=str(tiny_base), run=tmp_path / "run", settings=QUICK | {"train.steps": 40})
    asked = "".join(write(run, "Storm 77 of the year.", settings={"write.temperature": 0}))
    assert asked == f"\n\n{ANSWER}"


@pytest.mark.parametrize(
    "template", ["{{ messages[0]['content'] }}", "{% for a in range(10) %}{{ a.b.c.d }}{% endfor %}"]
)
def test_a_base_whose_template_is_no_good_is_refused_before_the_first_step(
    template: str, talks: Path, tmp_path: Path
) -> None:
    base = save_base(tmp_path / "base", "llama")
    (base / "chat_template.jinja").write_text(template, encoding="utf-8")
    with pytest.raises(BaseModelError, match="the chat template of base "):
        train(talks, base=str(base), run=tmp_path / "run", settings=QUICK | {"train.steps": 2})


@pytest.mark.slow  # tests/tokens/test_labels.py compares the tokens of every shape in a moment
def test_the_bases_own_template_is_trained_on(talks: Path, tmp_path: Path) -> None:
    base = save_base(tmp_path / "base", "llama")
    (base / "chat_template.jinja").write_text(chats.SHAPES["chatml"][0], encoding="utf-8")
    run = train(talks, base=str(base), run=tmp_path / "run", settings=QUICK | {"train.steps": 40})
    asked = "".join(write(run, "[user] What did the tide say to the lamp?", settings={"write.temperature": 0}))
    assert asked == ANSWER, "this tokenizer has no token for the end of a turn, so its text ends the answer"
