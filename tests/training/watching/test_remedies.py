"""What warnings say: each ends in something to type, addressed to the stage that it is about."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from courses import stage
from quire.planner.cautions import Warned
from quire.recipe.keys import field_of
from quire.training.watching import remedies
from quire.training.watching.signs import Checked

BEST, NOW = Checked(120, 3.2, 3.1, epoch=2.2), Checked(180, 3.4, 2.9, epoch=3.3)
ALL = {
    "unusual_rate": remedies.unusual_rate(1e-7, 2e-5, 3e-3, "train"),
    "little_text": remedies.little_text(812),
    "leapt": remedies.leapt(3.1, 6.2, 120, 1e-4, "train"),
    "diverged": remedies.diverged(3.1, 6.2, 120, 1e-4, "train"),
    "worse": remedies.worse(3.1, 3.3, 120, 1e-4, "train"),
    "overfitted": remedies.overfitted(BEST, NOW, stage(epochs=30), "train"),
    "idle": remedies.idle(30, 1e-7, 2e-5, "train"),
    "still": remedies.still(BEST, NOW, "train"),
    "forgets": remedies.forgets("first", 3.1, 3.5, 40, 1e-4, stage(), "train"),
    "skipped": remedies.skipped(30, "its loss was not finite", 1e-4, "train"),
    "went_back": remedies.went_back(30, 20, "3 steps in a row were not finite", 1e-4, "train"),
    "vanished": remedies.vanished(30, 1e-4, "train"),
    "exploded": remedies.exploded(0.5, 50.0, stage(clip=0), 1e-4, "train"),
    "slow": remedies.slow(90, 400),
    "nearly_full": remedies.nearly_full(7.8e9, 8e9, "train"),
}


def test_every_remedy_is_looked_at() -> None:
    made = {name for name, made in vars(remedies).items() if callable(made) and name.islower() and name[0] != "_"}
    assert made - {"show_size"} == set(ALL)


@pytest.mark.parametrize("warned", ALL.values(), ids=ALL)
def test_each_is_two_lines_with_a_place_in_the_guide(warned: Warned) -> None:
    assert "\n" not in warned.text + warned.remedy
    assert len(warned.text) < 200
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", warned.guide)


@pytest.mark.parametrize("warned", ALL.values(), ids=ALL)
def test_each_key_that_a_remedy_names_is_one_of_a_recipe(warned: Warned) -> None:
    for key in re.findall(r"train(?:\.[a-z_]+)+", warned.remedy):
        assert field_of(key) is not None, key


def test_the_best_step_and_the_epochs_until_there_are_named() -> None:
    warned = ALL["overfitted"]
    assert "3.200 at step 120, its best" in warned.text
    assert "train.epochs=2" in warned.remedy
    counted = remedies.overfitted(BEST, NOW, stage(steps=300), "stages.imprint")
    assert "epochs" not in counted.remedy
    assert "stages.imprint.early_stop=2" in counted.remedy


@pytest.mark.parametrize("warned", ALL.values(), ids=ALL)
def test_each_place_in_the_guide_is_there(warned: Warned) -> None:
    guide = (Path(__file__).parents[3] / "docs" / "guide.md").read_text(encoding="utf-8")
    headings = {line.strip("# ").lower().replace(" ", "-") for line in guide.splitlines() if line.startswith("#")}
    assert warned.guide in headings | set(re.findall(r'<a id="([^"]+)"', guide))
