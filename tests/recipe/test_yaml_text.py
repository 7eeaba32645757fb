from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quire.errors import RecipeError
from quire.recipe.yaml_text import dump_yaml, parse_value, parse_yaml


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("5e-5", 5e-5),
        ("5.0E-05", 5e-5),
        ("1e3", 1000.0),
        ("-.5", -0.5),
        ("1_000_000", 1_000_000),
        ("010", 10),
        ("no", "no"),
        ("on", "on"),
        ("true", True),
        ("12:30", "12:30"),
        ("2020-01-01", "2020-01-01"),
        ("~", None),
        ("", None),
        ("'5e-5'", "5e-5"),
        ("10%", "10%"),
        ("[q_proj, v_proj]", ["q_proj", "v_proj"]),
        ("{gpu: a, cpu: b}", {"gpu": "a", "cpu": "b"}),
        ("{on: 1, 5: 2}", {"on": 1, "5": 2}),
        (".nan", ".nan"),
    ],
)
def test_values_mean_what_a_person_reads(text: str, value: object) -> None:
    parsed = parse_yaml(text, "x").data
    assert parsed == value
    assert type(parsed) is type(value)


def test_lines_are_known() -> None:
    parsed = parse_yaml("base: embedded\ntrain:\n  epochs: 3\nshelf:\n  - path: a\n  - path: b\n", "x")
    assert parsed.lines["train", "epochs"] == 3
    assert parsed.lines["shelf", 1, "path"] == 6


def test_anchor_used_a_few_times_is_fine() -> None:
    parsed = parse_yaml("a: &x {r: 8}\nb: *x\n", "x")
    assert parsed.data == {"a": {"r": 8}, "b": {"r": 8}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [1, 2\nc: 3", "x, line 3 is not valid YAML"),
        ("a: b: c", "x, line 1 is not valid YAML"),
        ("a: 1\n\tb: 2", "x, line 2 is not valid YAML"),
        ("a: 1\nb: 2\na: 3", "x, line 3: a is given twice"),
        ("a: !!python/object/apply:os.system [ls]", "x, line 1: the type .* is not allowed"),
        ("? [a, b]\n: 1", "a key must be a word"),
        ("--- 1\n--- 2", "x, line 2 is not valid YAML"),
        ("a: \x00", "x is not valid YAML"),
        ("&a [*a]", "more than a recipe can"),
        ("[" * 3000, "nested too deeply|not valid YAML"),
        ("a" * (2 << 20), "too large"),
        ("- x\n" * 30_000, "more than a recipe can"),
        ("a: &a {x: 1}\n" + "".join(f"m{n}: &m{n}\n  <<: [*a, *a]\n  b: [*{f'm{n - 1}' if n else 'a'}, *a]\n"
            for n in range(200)), "more than a recipe can"),
        ('a: "\\UFFFFFFFF"', "an escape that is no character"),
        ('a: "\\ud800"', "x, line 1: half a character"),
        ("a: !<" + "y" * 1000 + "> b", "the type y{60} is not allowed"),
        (f"{'k' * 900}: 1\n" * 2, "k{60} is given twice"),
        ("%TAG ! tag:yaml.org,2002:\n---\n!python/name:os.system x", "is not allowed"),
        ("\n".join(["a0: &a0 [x, x, x, x, x, x, x, x]"] + [
            f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 8)}]" for n in range(1, 9)
        ]), "more than a recipe can"),
    ],
)  # fmt: skip
def test_bad_text_is_refused_in_words(text: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message) as caught:
        parse_yaml(text, "x")
    assert caught.value.then
    assert "\n" not in caught.value.what


@pytest.mark.parametrize("text", ["9" * 5000, "1" * 100_000 + "x", "9" * 100_000 + ".5", "1" + "_" * 70])
def test_what_is_too_long_for_a_number_is_text_and_takes_no_time(text: str) -> None:
    assert parse_yaml(f"a: {text}", "x").data == {"a": text}


def test_underscores_part_digits() -> None:
    assert parse_yaml("[1_000, 1__0, 1_, 1_0.5]", "x").data == [1000, 10, 1, 10.5]


@settings(deadline=None, max_examples=300)
@given(st.text(st.sampled_from(list("ab&*[]{}:,-?!<>|'\"\\%@ \n\t0.1e_~\x00\ud800é")), max_size=60))
def test_any_text_is_data_or_refused_in_words(text: str) -> None:
    message = ""
    try:
        parse_yaml(text, "x")
    except RecipeError as error:
        message = error.what
    assert "\n" not in message


def test_value_given_by_hand_that_is_no_yaml_is_text() -> None:
    assert parse_value("She said: [no", "--set") == "She said: [no"
    assert parse_value("1e-4", "--set") == 1e-4


words = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
plain = (
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False) | words
)


@settings(deadline=None)
@given(st.recursive(plain, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=4)))
def test_what_is_written_is_read_back_as_the_same(data: object) -> None:
    assert parse_yaml(dump_yaml(data), "x").data == data
