"""Signs of trouble in the course of a training: what the numbers of its steps and validations show.

Medians throughout: the loss of single rows has heavy tails, and one odd page must alarm nobody.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median

WINDOW = 64  # steps that are remembered
FEW = 16  # steps whose median is a level
LEAST = 12  # steps before which nothing is said of what is usual
AT_ONCE = 3  # steps in a row that make a leap of what might be one odd row
_MAD = 1.4826  # makes the median absolute deviation of normal noise its standard deviation


@dataclass(frozen=True)
class Seen:
    """A step."""

    step: int
    loss: float
    norm: float | None = None
    tokens: float = 1.0
    done: float = 0.0  # share of the part's steps


@dataclass(frozen=True)
class Checked:
    """A validation: its loss, and at what level the training loss was; `epoch` is how often the text had been read."""

    step: int
    loss: float
    level: float | None = None
    epoch: float | None = None
    done: float = 0.0
    count: int = 0  # step events heard before


@dataclass
class Course:
    """What was heard of one part: its latest steps, its first ones, and every validation."""

    latest: deque[Seen] = field(default_factory=lambda: deque(maxlen=WINDOW))
    first: list[Seen] = field(default_factory=list)
    checked: list[Checked] = field(default_factory=list)
    count: int = 0
    epoch: float | None = None
    lowest: float | None = None

    def add_step(self, seen: Seen) -> None:
        self.latest.append(seen)
        self.count += 1
        if len(self.first) < FEW:
            self.first.append(seen)
        level = self.level()
        if level is not None and len(self.latest) >= LEAST:
            self.lowest = level if self.lowest is None else min(self.lowest, level)

    def add_validation(self, step: int, loss: float) -> None:
        done = self.latest[-1].done if self.latest else 0.0
        self.checked.append(Checked(step, loss, self.level(), self.epoch, done, self.count))

    def went_back(self) -> None:
        """Older weights: the latest steps are no measure of what comes.  Validations stand: all were sound."""
        self.latest.clear()

    def level(self, steps: int = FEW) -> float | None:
        """The median loss of the latest steps."""
        losses = [seen.loss for seen in self.latest][-steps:]
        return median(losses) if losses else None

    @property
    def best(self) -> Checked | None:
        return min(self.checked, key=lambda one: one.loss, default=None)


def noise(losses: Sequence[float]) -> float:
    """The standard deviation of steps about their course, by the differences of neighbours: a slope adds nothing."""
    changes = [after - before for before, after in pairwise(losses)]
    if not changes:
        return 0.0
    middle = median(changes)
    return _MAD * median(abs(change - middle) for change in changes) / math.sqrt(2)


def leap(course: Course) -> tuple[float, float] | None:
    """From what usual loss to what the latest steps have leapt: several in a row, far above all that is noise.

    A step of few tokens is noisier, by the square root; the last step of a part may hold a single row.
    """
    if len(course.latest) < LEAST + AT_ONCE:
        return None
    seen = list(course.latest)
    before, now = seen[:-AT_ONCE], seen[-AT_ONCE:]
    if now[-1].loss <= before[-1].loss + 0.25 and now[0].loss <= before[-1].loss + 0.25:
        return None  # as nearly always: told without much arithmetic
    usual = median(one.loss for one in before[-FEW:])
    spread = max(noise([one.loss for one in before]), 0.01 * usual)
    tokens = median(one.tokens for one in before)
    excess = [(one.loss - usual) * math.sqrt(min(1.0, one.tokens / tokens)) for one in now]
    if min(excess) > max(6 * spread, 0.25):
        return usual, median(one.loss for one in now)
    norms = [one.norm for one in before if one.norm is not None]
    wild = now[-1].norm is not None and bool(norms) and now[-1].norm > 10 * median(norms)
    return (usual, now[-1].loss) if wild and excess[-1] > max(15 * spread, 2.0) else None


def diverged(course: Course) -> tuple[float, float] | None:
    """From what loss to what it has risen, far above where the part began, or above the lowest that it had reached."""
    recent = [seen.loss for seen in course.latest][-5:]
    if len(recent) < 5 or not course.first:
        return None
    began = max([median(seen.loss for seen in course.first[:3]), *(one.loss for one in course.checked[:1])])
    now, level = median(recent), course.level()
    if now <= began + 1.0 and (course.lowest is None or level is None or level <= course.lowest + 0.5):
        return None
    spread = noise([seen.loss for seen in course.latest])
    if now > began + max(1.0, 4 * spread):
        return _began(course), now
    if course.lowest is None or level is None or len(course.latest) < FEW or course.count < 2 * FEW:
        return None
    return (course.lowest, level) if level > course.lowest + max(0.5, 4 * spread, 0.1 * course.lowest) else None


def recovered(course: Course) -> bool:
    """Whether the training loss is back where the part began, or below."""
    level = course.level()
    return level is not None and bool(course.first) and level < _began(course) + 0.25


def worse_than_at_first(course: Course) -> tuple[float, float] | None:
    """The first and the latest held-out loss, where that has risen twice in succession and training has not helped."""
    if len(course.checked) < 3:
        return None
    first, before, now = course.checked[0], course.checked[-2], course.checked[-1]
    if min(before.loss, now.loss) <= first.loss * 1.02 + 0.02 or now.level is None or not course.first:
        return None
    learned = _began(course) - now.level
    return (first.loss, now.loss) if learned < 0.25 * (now.loss - first.loss) else None


def idle(course: Course, warmup: float) -> bool:
    """Whether a third of the part has changed nothing: neither the held-out loss nor, but for noise, the training's."""
    if len(course.checked) < 3 or course.checked[-1].done < max(0.3, warmup + 0.2) or course.count < 2 * LEAST:
        return False
    first = course.checked[0]
    moved = max(abs(one.loss - first.loss) for one in course.checked)
    level = course.level()
    if moved > 0.001 * first.loss or level is None:
        return False
    began = [seen.loss for seen in course.first]
    return median(began) - level < max(2 * noise(began) / math.sqrt(len(began)), 0.002 * first.loss)


def standing_still(course: Course, warmup: float) -> Checked | None:
    """Since when neither the held-out loss nor the training's has sunk, where much of the part is still to come."""
    if len(course.checked) < 6 or not warmup < course.checked[-5].done or course.checked[-1].done > 0.75:
        return None
    since, *later = course.checked[-5:]
    if since.level is None or later[-1].level is None or later[-1].count - since.count < FEW:
        return None
    if later[-1].done - since.done < 0.25:
        return None
    best_before = min(one.loss for one in course.checked[:-4])
    sunk = best_before - min(one.loss for one in later)
    rose = max(one.loss for one in later) - best_before
    learned = since.level - later[-1].level
    still = sunk < 0.0015 * best_before and rose < 0.01 * best_before and learned < 0.01 * since.level
    return since if still else None


def overfitted(course: Course) -> Checked | None:
    """The best validation, where the later ones rise away from it while the training loss goes on falling."""
    best, now = course.best, course.checked[-1] if course.checked else None
    if best is None or now is None or now.level is None or now.count - best.count < 4:
        return None
    later = [one for one in course.checked if one.step > best.step]
    if len(later) < 2 or now.loss < best.loss * 1.01:
        return None
    rising = now.loss > best.loss * 1.04 or (len(later) >= 3 and now.loss >= later[-2].loss > best.loss * 1.005)
    fell = (best.level if best.level is not None else _began(course)) - now.level
    return best if rising and fell > 0.25 * (now.loss - best.loss) else None


def _began(course: Course) -> float:
    """The training loss at the beginning, before the first steps could spoil it."""
    return min([median(seen.loss for seen in course.first[:3]), *(one.loss for one in course.checked[:1])])


def outgrown(norms: Sequence[float], usual: Sequence[float], factor: float) -> bool:
    """Whether the median of `norms` is more than `factor` times what was usual, or with a factor below 1, less."""
    if len(norms) < 8 or len(usual) < 8 or median(usual) == 0:
        return False
    ratio = median(norms) / median(usual)
    return ratio > factor if factor > 1 else ratio < factor
