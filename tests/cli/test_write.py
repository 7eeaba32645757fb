"""`quire write` on the command line; what it writes is tested with the verb and the sampler."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest

from quire.cli.app import run
from quire.cli.write import piped_in, read_prompt
from quire.errors import QuireError
from quire.recipe.schema import Recipe, WriteSettings
from quire.recipe.setting import not_yet
from quire.verbs.write import Written

FLAGS = [key for key, field in WriteSettings.model_fields.items() if not not_yet(field) and key != "prompt"]


@dataclass
class Heard:
    """What the verb was asked for."""

    prompt: str = ""
    settings: Mapping[str, object] | None = None


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Heard:
    """The verb, without a voice: it says what it was asked for, and writes three words."""
    said = Heard()

    def opened(name: str, settings: Mapping[str, object], sections: object) -> object:
        several = int(str(settings.get("write.num_return_sequences", 1)))
        return SimpleNamespace(recipe=Recipe(write=WriteSettings(num_return_sequences=several)))

    def write(name: str, prompt: str, *, settings: Mapping[str, object]) -> Iterator[str]:
        said.prompt, said.settings = prompt, settings
        return iter([" one", " two", " three"])

    def write_all(name: str, prompt: str, *, settings: Mapping[str, object]) -> Written:
        said.prompt, said.settings = prompt, settings
        return Written(prompt, ("first", "second"), 5, WriteSettings())

    monkeypatch.setattr("quire.cli.write.open_run", opened)
    monkeypatch.setattr("quire.cli.write.stream", write)
    monkeypatch.setattr("quire.cli.write.write_all", write_all)
    return said


def test_the_text_alone_goes_to_standard_output(heard: Heard, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["write", "novel", "Count:"]) == 0
    assert capsys.readouterr().out == " one two three\n"
    assert heard.prompt == "Count:"


def test_flags_and_set_reach_the_verb_alike(heard: Heard) -> None:
    assert run(["write", "novel", "x", "--top-p", "0.5", "--set", "write.top_k=3"]) == 0
    assert heard.settings == {"write.top_p": "0.5", "write.top_k": 3}


@pytest.mark.parametrize("key", FLAGS)
def test_every_flag_sets_the_key_of_its_name(key: str, heard: Heard) -> None:
    assert run(["write", "novel", "x", f"--{key.replace('_', '-')}", "1"]) == 0
    assert heard.settings == {f"write.{key}": ["1"] if key == "stop" else "1"}


def test_several_candidates_are_numbered(heard: Heard, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["write", "novel", "x", "--num-return-sequences", "2"]) == 0
    assert capsys.readouterr().out == "1.\nfirst\n\n2.\nsecond\n"


def test_json_has_prompt_texts_and_seed(heard: Heard, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["write", "novel", "x", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert (facts["prompt"], facts["texts"], facts["seed"]) == ("x", ["first", "second"], 5)


def test_the_prompt_can_come_from_standard_input(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("Line one\nLine two\n"))
    assert run(["write", "novel", "--prompt-file", "-"]) == 0
    assert heard.prompt == "Line one\nLine two"


def test_a_dash_is_standard_input_too(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("My love\n"))
    assert run(["write", "novel", "-"]) == 0
    assert heard.prompt == "My love"


def test_what_is_piped_in_is_the_prompt_where_none_is_given(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.write(writing, "Mon âme\n".encode())
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert run(["write", "novel"]) == 0
        assert heard.prompt == "Mon âme"
        assert run(["write", "novel", "my own"]) == 0
        assert heard.prompt == "my own"


def test_a_file_can_be_standard_input(heard: Heard, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "opening.txt").write_text("One day", encoding="utf-8")
    with (tmp_path / "opening.txt").open(encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert run(["write", "novel"]) == 0
    assert heard.prompt == "One day"


def test_no_input_and_a_silent_pipe_are_no_prompt(heard: Heard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("quire.cli.write.PIPE_WAIT", 0.01)
    heard.prompt = "before"
    reading, writing = os.pipe()
    with os.fdopen(reading, encoding="utf-8") as silent, os.fdopen(writing, "w"):
        monkeypatch.setattr(sys, "stdin", silent)
        assert run(["write", "novel"]) == 0
        assert heard.prompt == ""
    for nothing in (silent, None):  # closed, and not there
        monkeypatch.setattr(sys, "stdin", nothing)
        assert run(["write", "novel"]) == 0
    with Path(os.devnull).open(encoding="utf-8") as null:
        monkeypatch.setattr(sys, "stdin", null)
        assert not piped_in()


def test_prompt_and_prompt_file_exclude_each_other(heard: Heard, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["write", "novel", "x", "--prompt-file", "y"]) == 2
    assert "not both" in capsys.readouterr().err


def test_a_prompt_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(QuireError, match=r"gone\.txt cannot be read"):
        read_prompt(str(tmp_path / "gone.txt"))


def test_a_prompt_file_that_is_no_text_is_named(tmp_path: Path) -> None:
    file = tmp_path / "latin.txt"
    file.write_bytes("été".encode("latin-1"))
    with pytest.raises(QuireError, match="not text in UTF-8"):
        read_prompt(str(file))
