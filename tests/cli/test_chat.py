"""`quire chat` on the command line; what is asked and kept is tested with the verb."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from quire.cli.app import run
from quire.prompts.conversation import conversation_in
from quire.recipe.schema import WriteSettings


@dataclass
class Sampler:
    """Stands for the sampler: the answers are One., Two., …; at number `stops` somebody presses Ctrl-C."""

    stops: int = 99
    prompts: list[str] = field(default_factory=list)
    settings: list[WriteSettings] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)

    def stream(self, model: object, tokenizer: object, prompt: str, how: WriteSettings, seed: int) -> Iterator[str]:
        self.prompts.append(prompt)
        self.settings.append(how)
        self.seeds.append(seed)
        yield ("One", "Two", "Three", "Four")[len(self.prompts) - 1]
        if len(self.prompts) == self.stops:
            raise KeyboardInterrupt
        yield ".\x1b"


class Terminal(io.StringIO):
    """Somebody who types these lines; `^C` is Ctrl-C."""

    def isatty(self) -> bool:
        return True

    def readline(self, size: int | None = -1, /) -> str:
        line = super().readline()
        if line == "^C\n":
            raise KeyboardInterrupt
        return line


@pytest.fixture
def sampler(monkeypatch: pytest.MonkeyPatch) -> Sampler:
    made = Sampler()
    monkeypatch.setattr("quire.writing.sampler.stream_text", made.stream)
    return made


@pytest.fixture
def base(tiny_base: Path) -> list[str]:
    return ["chat", str(tiny_base), "--max-new-tokens", "16"]


def pipe(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(text))


def type_in(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr(sys, "stdin", Terminal(text))


def asked(prompt: str) -> list[str]:
    conversation = conversation_in(prompt)
    assert conversation is not None
    return [conversation.system, *(turn.text for turn in conversation.turns)]


def test_lines_that_are_piped_in_are_turns_and_the_answers_alone_come_out(
    sampler: Sampler, base: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe(monkeypatch, "How long?\n\n//retry is a word\n/retry")
    assert run([*base, "--persona", "Orla.", "--temperature", "0.5", "--seed", "3", "--set", "write.top_k=9"]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == ("One.\nTwo.\nThree.\n", "")
    assert asked(sampler.prompts[-1]) == ["Orla.", "How long?", "One.\x1b", "/retry is a word"]
    how = sampler.settings[0]
    assert (how.temperature, how.top_k, how.max_new_tokens, sampler.seeds[0]) == (0.5, 9, 16, 3)


def test_json_is_a_line_for_each_exchange(
    sampler: Sampler, base: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe(monkeypatch, "Où ?\nWho?\n/quit\nNever said\n")
    assert run([*base, "--json"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == {"user": "Où ?", "character": "One.\x1b", "seed": sampler.seeds[0]}
    assert second["user"] == "Who?"


@pytest.mark.parametrize("wrong", ["/recant", "/undo", "/undo now", "/save", "x " * 400])
def test_what_cannot_be_done_in_a_pipe_ends_the_chat(
    wrong: str, sampler: Sampler, base: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe(monkeypatch, f"{wrong}\nWho?\n")
    assert run(base) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert [line.partition(" ")[0] for line in said.err.splitlines()] == ["error:", "try:"]


def test_in_a_terminal_the_chat_goes_on_until_somebody_leaves(
    sampler: Sampler, base: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for leaving in ("", "^C\nNever said\n", "/quit\nNever said\n"):
        sampler.prompts.clear()
        type_in(monkeypatch, f"How long?\n \n/undo now\n/help\nWho?\n{leaving}")
        assert run(base) == 0
        said = capsys.readouterr()
        assert said.out == "One.\nTwo.\n"
        assert said.err.count("you> ") == 6
        assert "error: /undo now is no command" in said.err
        assert "/persona TEXT" in said.err
        assert asked(sampler.prompts[-1]) == ["", "How long?", "One.\x1b", "Who?"]


def test_ctrl_c_cuts_an_answer_off_and_keeps_what_came(
    sampler: Sampler, base: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sampler.stops = 1
    type_in(monkeypatch, "How long?\nWho?\n")
    assert run(base) == 0
    said = capsys.readouterr()
    assert said.out == "One\nTwo.\n"
    assert "(cut off)" in said.err
    assert asked(sampler.prompts[-1]) == ["", "How long?", "One", "Who?"]


def test_ctrl_c_in_a_pipe_ends_the_chat(sampler: Sampler, base: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    sampler.stops = 1
    pipe(monkeypatch, "How long?\nWho?\n")
    assert run(base) == 130


def test_commands_change_the_conversation(
    sampler: Sampler,
    base: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "our chats.jsonl"
    type_in(monkeypatch, f"How long?\nNo.\n/undo\n/persona  The miller. \nWho?\n/save {file}\n/persona\nWhere?\n")
    assert run(base) == 0
    assert asked(sampler.prompts[-2]) == ["The miller.", "How long?", "One.\x1b", "Who?"]
    assert asked(sampler.prompts[-1])[0] == ""
    messages = json.loads(file.read_text(encoding="utf-8"))["messages"]
    assert [message["content"] for message in messages] == [
        "The miller.",
        "How long?",
        "One.\x1b",
        "Who?",
        "Three.\x1b",
    ]
    said = capsys.readouterr().err
    assert "taken back: No." in said
    assert f"saved in {file}" in said


def test_that_turns_are_forgotten_is_said_once(
    sampler: Sampler, base: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe(monkeypatch, f"{'x ' * 60}\n" * 4)
    assert run(base) == 0
    assert capsys.readouterr().err.count("left out") == 1


def test_standard_input_that_is_absent_or_no_text(
    sampler: Sampler, base: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert run(base) == 0
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xe9t\xe9\n"), encoding="utf-8"))
    assert run(base) == 2
    assert "not text in UTF-8" in capsys.readouterr().err


def test_an_unknown_run_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["chat", "nowhere"]) == 2
    assert "error: no run named nowhere" in capsys.readouterr().err
