"""What the numbers of steps and validations show: by hand-made rows of numbers."""

from __future__ import annotations

import random
from statistics import stdev

import pytest

from quire.training.watching import signs
from quire.training.watching.signs import Course, Seen, noise


def course(losses: list[float], held_out: dict[int, float] | None = None, norm: float = 1.0) -> Course:
    """`held_out` gives validations after so many steps."""
    made, checks = Course(), held_out or {}
    if 0 in checks:
        made.add_validation(0, checks[0])
    for number, loss in enumerate(losses, start=1):
        made.add_step(Seen(number, loss, norm, done=number / len(losses)))
        if number in checks:
            made.add_validation(number, checks[number])
    return made


@pytest.mark.parametrize("slope", [0.0, -0.05, 0.2])
def test_noise_is_the_deviation_about_the_course_whatever_its_slope(slope: float) -> None:
    dice = random.Random(3)
    rough = [dice.gauss(0, 0.3) for _ in range(4000)]
    assert noise([slope * n + one for n, one in enumerate(rough)]) == pytest.approx(stdev(rough), rel=0.06)
    assert noise([2.0]) == 0.0


def test_noise_is_not_impressed_by_a_few_odd_rows() -> None:
    dice = random.Random(3)
    losses = [dice.gauss(3, 0.1) for _ in range(400)]
    assert noise([one + (4 if n % 40 == 0 else 0) for n, one in enumerate(losses)]) < 0.12


def test_a_leap_needs_several_steps_in_a_row_and_something_to_leap_from() -> None:
    calm = [3.0, 3.1, 2.9] * 8
    assert signs.leap(course([*calm, 5.0, 5.2, 5.1])) == (3.0, 5.1)
    assert signs.leap(course([*calm, 5.0, 3.0, 5.1])) is None
    assert signs.leap(course([3.0] * 8 + [5.0, 5.2, 5.1])) is None  # too early to know what is usual


def test_divergence_is_measured_from_where_the_part_began() -> None:
    assert signs.diverged(course([4.0, 4.0, 4.1, 7.0, 7.0, 7.0, 7.0, 7.0], {0: 4.2})) == (4.0, 7.0)
    assert signs.diverged(course([4.0, 4.0, 4.1, 4.9, 4.8, 4.9, 4.7, 4.9], {0: 4.2})) is None


def test_divergence_is_measured_from_the_lowest_level_too() -> None:
    losses = [4 - 0.02 * n for n in range(50)] + [3 + 0.02 * n for n in range(50)]
    found = signs.diverged(course(losses))
    assert found is not None
    assert found[0] == pytest.approx(3.1, abs=0.05)


def test_held_out_text_worse_than_at_first_where_training_has_not_helped() -> None:
    losses = [4.0] * 40
    assert signs.worse_than_at_first(course(losses, {0: 4.0, 10: 4.2, 20: 4.3})) == (4.0, 4.3)
    assert signs.worse_than_at_first(course(losses, {0: 4.0, 10: 3.9, 20: 4.3})) is None  # once is not enough
    assert signs.worse_than_at_first(course([4 - 0.02 * n for n in range(40)], {0: 4.0, 10: 4.2, 40: 4.3})) is None


def test_idle_is_what_has_moved_neither_loss_after_a_third_of_the_part() -> None:
    still = course([4.0, 4.1] * 30, {0: 4.0, 20: 4.0001, 30: 4.0})
    assert signs.idle(still, 0.0)
    assert not signs.idle(still, 0.4)  # the warm-up alone has just ended
    assert not signs.idle(course([4.0, 4.1] * 30, {0: 4.0, 20: 3.98, 30: 3.97}), 0.0)
    assert not signs.idle(course([4 - 0.01 * n for n in range(60)], {0: 4.0, 20: 4.0, 30: 4.0}), 0.0)


def test_standing_still_needs_a_stretch_of_the_part_and_a_rest_worth_saving() -> None:
    def flat(end: int) -> Course:
        falls = [4 - 0.02 * n for n in range(40)] + [3.2] * (end - 40)
        made = course(falls, {n: 3.2 if n >= 40 else 4 - 0.02 * n for n in range(0, end, 20)})
        made.checked = [signs.Checked(c.step, c.loss, c.level, c.epoch, c.step / 200, c.count) for c in made.checked]
        return made

    since = signs.standing_still(flat(141), 0.03)
    assert since is not None
    assert since.step == 60
    assert signs.standing_still(flat(101), 0.03) is None
    assert signs.standing_still(flat(181), 0.03) is None  # it will end soon by itself


def test_overfitting_gives_the_best_validation() -> None:
    losses = [4 - 0.02 * n for n in range(100)]
    best = signs.overfitted(course(losses, {0: 4.0, 20: 3.7, 40: 3.6, 60: 3.7, 80: 3.8}))
    assert best is not None
    assert (best.step, best.loss) == (40, 3.6)
    assert signs.overfitted(course(losses, {0: 4.0, 20: 3.7, 40: 3.6, 60: 3.61, 80: 3.62})) is None
    assert signs.overfitted(course([4.0] * 100, {0: 4.0, 20: 3.7, 40: 3.6, 60: 3.7, 80: 3.8})) is None


def test_going_back_forgets_the_latest_steps_and_no_validation() -> None:
    made = course([3.0] * 30, {10: 3.0, 20: 2.9, 30: 3.1})
    made.went_back()
    assert [one.step for one in made.checked] == [10, 20, 30]
    assert made.level() is None


def test_outgrown_compares_medians_either_way() -> None:
    usual = [1.0, 1.2, 0.9] * 4
    assert signs.outgrown([50.0] * 8, usual, 30)
    assert not signs.outgrown([50.0] * 3 + [1.0] * 5, usual, 30)
    assert signs.outgrown([1e-5] * 8, usual, 1e-3)
    assert not signs.outgrown([1e-5] * 8, [0.0] * 12, 1e-3)
