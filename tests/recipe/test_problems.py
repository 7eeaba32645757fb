"""Problems of a recipe: all of them, each once, each in a line."""

from __future__ import annotations

import pytest

from quire.recipe.problems import Problem, as_error, check

GOOD = {"shelf": [{"path": "a.txt"}]}


def told(data: dict[str, object]) -> list[str]:
    recipe, problems = check(GOOD | data)
    assert (recipe is None) == bool(problems)
    return sorted(str(problem) for problem in problems)


def test_a_good_recipe_has_none_and_is_given_back() -> None:
    recipe, problems = check(GOOD | {"seed": 3})
    assert problems == []
    assert recipe is not None
    assert recipe.seed == 3


@pytest.mark.parametrize(
    ("data", "line"),
    [
        ({"train": {"epochs": "often"}}, "train.epochs: must be a number (it is often)"),
        ({"train": {"pack": "perhaps"}}, "train.pack: must be true or false (it is perhaps)"),
        ({"train": {"window": 4}}, "train.window: must be at least 8 (it is 4)"),
        ({"write": {"top_p": 2}}, "write.top_p: must be at most 1 (it is 2)"),
        ({"train": {"method": {"lora": {"dropout": 1}}}}, "train.method.lora.dropout: must be less than 1 (it is 1)"),
        ({"train": {"schedule": "steep"}}, "train.schedule: must be cosine, linear or constant (it is steep)"),
        ({"write": {"stop": "END"}}, "write.stop: must be a list: [a, b] (it is END)"),
        ({"write": [1]}, "write: must be a section of keys (it is [1])"),
        ({"name": ["a"]}, "name: must be text (it is ['a'])"),
        ({"push": 3}, "push: not yet: push is planned but not built"),
    ],
)
def test_each_kind_of_mistake_is_told_in_words(data: dict[str, object], line: str) -> None:
    assert told(data) == [line]


def test_a_mistake_in_a_section_does_not_hide_one_of_the_section_as_a_whole() -> None:
    assert told({"train": {"steps": 1, "samples": 1, "epochs": 0}}) == [
        "train.epochs: must be more than 0 (it is 0)",
        "train: give steps or samples, not both",
    ]


def test_the_data_that_was_checked_is_left_as_it_was() -> None:
    data = GOOD | {"train": {"epochs": 0, "window": 64}}
    check(data)
    assert data["train"] == {"epochs": 0, "window": 64}


def test_a_problem_names_its_line_and_cuts_a_long_value_short() -> None:
    assert str(Problem("seed", "must be a whole number", "x" * 100, line=3)) == (
        f"seed (line 3): must be a whole number (it is {'x' * 57}…)"
    )


def test_one_problem_is_a_line_and_several_are_a_list() -> None:
    one = as_error([Problem("lr", "unknown key", 3, "train.learning_rate")], "a.yaml")
    assert str(one) == "a.yaml: lr: unknown key; did you mean train.learning_rate?"
    assert one.then == "write train.learning_rate instead of lr"
    two = as_error([Problem("a", "is missing"), Problem("b", "is missing")], "a.yaml")
    assert str(two) == "a.yaml has 2 mistakes:\n  a: is missing;\n  b: is missing"
