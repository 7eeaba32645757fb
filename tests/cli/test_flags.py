"""Flags that are made from the recipe's schema."""

from __future__ import annotations

from typing import Annotated

import pytest
import typer

from quire.cli.app import run
from quire.cli.flags import given, help_of, key_flag, parse_set
from quire.errors import RecipeError
from quire.recipe.schema import TrainSettings, WriteSettings
from quire.recipe.setting import not_yet


def parse(*arguments: str) -> dict[str, object]:
    """Give `arguments` to a command that has some flags of `write`, and return what it was given."""
    heard: dict[str, object] = {}

    def command(
        run: Annotated[str, typer.Argument()],
        top_p: Annotated[str | None, key_flag(WriteSettings, "top_p")] = None,
        max_new_tokens: Annotated[str | None, key_flag(WriteSettings, "max_new_tokens")] = None,
        stop: Annotated[list[str] | None, key_flag(WriteSettings, "stop")] = None,
    ) -> None:
        flags = {"top_p": top_p, "max_new_tokens": max_new_tokens, "stop": stop}
        heard.update(given("write", flags), run=run)

    app = typer.Typer(add_completion=False)
    app.command()(command)
    app(args=list(arguments), standalone_mode=False)
    return heard


def test_a_flag_becomes_the_setting_of_its_name() -> None:
    assert parse("novel", "--top-p", "0.9", "--max-new-tokens", "40") == {
        "run": "novel",
        "write.top_p": "0.9",
        "write.max_new_tokens": "40",
    }


def test_flags_that_are_not_given_set_nothing() -> None:
    assert parse("novel") == {"run": "novel"}


def test_a_list_is_given_by_repeating_its_flag() -> None:
    assert parse("novel", "--stop", "END", "--stop", "***")["write.stop"] == ["END", "***"]


def test_every_key_of_the_section_has_a_flag_but_those_reserved(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["write", "--help"]) == 0
    shown = capsys.readouterr().out
    for key, field in WriteSettings.model_fields.items():
        expected = not_yet(field) is not True and key != "prompt"
        assert (f"--{key.replace('_', '-')} " in shown) is expected, key


def test_the_help_is_the_schemas_own_with_unit_and_default() -> None:
    assert help_of(TrainSettings, "window") == "Tokens that the model sees at once. (tokens) Default: 1024."


def test_set_splits_at_the_first_equals_sign() -> None:
    assert parse_set(["name=a=b", "train.epochs=1"]) == {"name": "a=b", "train.epochs": 1}


@pytest.mark.parametrize("pair", ["train.epochs", "=3"])
def test_set_without_key_or_value_is_refused(pair: str) -> None:
    with pytest.raises(RecipeError, match="is not key=value"):
        parse_set([pair])


@pytest.mark.parametrize(
    ("verb", "key"), [("train", "train.window"), ("plan", "train.window"), ("write", "write."), ("judge", "judge.")]
)
def test_the_example_of_set_is_one_that_its_verb_takes(verb: str, key: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([verb, "--help"]) == 0
    about = " ".join(capsys.readouterr().out.split()).partition("--set KEY=VALUE")[2]
    assert about.split("--set ")[1].lstrip("'").startswith(key)
