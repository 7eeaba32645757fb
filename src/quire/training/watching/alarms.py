"""Live warnings, each with its remedy, out of nothing but the events: whoever hears them again says the same again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import median
from typing import ClassVar

from quire.planner.cautions import Warned, usual_rates
from quire.planner.enough import LITTLE_WORDS
from quire.recipe.schema import PLAIN_STAGE, Stage
from quire.run.events import JSON, Event
from quire.training.watching import remedies, signs
from quire.training.watching.signs import Course, Seen

FORGOTTEN = 0.05  # of an earlier book's loss, twice in succession; twice as much at once
SLOW = 0.35  # of the usual speed, for so long that it is more than a hiccup
SLOW_SECONDS = 120.0
QUIET_STEPS = 50  # without a sign: then a cause has passed
FULL = 0.95  # of the memory that there is


class Alarms:
    """Hears every event of a run, and says what is the matter: once for each cause and stage, until it has passed."""

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = {stage.name: stage for stage in stages}
        plain = len(stages) == 1 and stages[0].name == PLAIN_STAGE
        self._keys = {name: "train" if plain else f"stages.{name}" for name in self._stages}
        self._rates = _usual_rates(stages)
        self._begin_run()

    def hear(self, event: Event) -> list[Warned]:
        """What is to be said about the run now that this has happened; nearly always nothing."""
        if event.kind == "warning":
            self._said_before.setdefault(event.stage, set()).add(str(event.values.get("guide")))
        hearing = self._HEARINGS.get(event.kind)
        if hearing is None or event.stage not in self._stages:
            return []
        self._come_to(event)
        return [warned for warned in hearing(self, event) if warned is not None]

    def catch_up(self, events: Iterable[Event]) -> list[Warned]:
        """Hear a run's earlier events from the first, and return what should have been said at the very last position
        and is not among them: a crash came between."""
        self._begin_run()
        due: list[tuple[tuple[str, int, int], Warned]] = []
        last = ("", 0, 0)
        for event in events:
            last = (event.stage, event.part, event.step)
            due = [(at, warned) for at, warned in due if at == last]
            due += [(last, warned) for warned in self.hear(event)]
            if event.kind == "warning":
                due = [(at, warned) for at, warned in due if warned.text != event.values.get("text")]
        return [warned for _, warned in due]

    def _begin_run(self) -> None:
        self._said_before: dict[str, set[str]] = {}
        self._watched: dict[str, list[float]] = {}
        self._known: dict[str, int] = {}  # an earlier book → the latest step at which it was known as at first
        self._place: tuple[str, int] | None = None
        self._words: float | None = None
        self._limit: float | None = None
        self._held = 0.0  # at the part's beginning; more than that is what its steps take
        self._begin_stage()
        self._begin_part()

    def _begin_stage(self) -> None:
        self._told: dict[str, int] = {}  # cause → how many steps had been heard at its latest sign
        self._steps = 0

    def _begin_part(self) -> None:
        self._course = Course()
        self._part_steps = 1
        self._paces: list[float] = []
        self._slow: deque[tuple[float, float]] = deque(maxlen=20)  # tokens per second, seconds

    def _come_to(self, event: Event) -> None:
        """Another part has another text and another schedule; another stage may do everything else anew."""
        place = (event.stage, event.part)
        if place == self._place:
            return
        if self._place is None or self._place[0] != event.stage:
            self._begin_stage()
        self._place = place
        self._begin_part()

    def _of_decided(self, event: Event) -> list[Warned | None]:
        words = event.values.get("words")
        self._words = _number(words, "trained") if isinstance(words, dict) else None
        return []

    def _of_part(self, event: Event) -> list[Warned | None]:
        """What the settings and the text say by themselves, where the plan has not said it."""
        self._limit = _number(event.values, "memory_limit_bytes")
        self._held = _number(event.values, "memory_bytes") or 0.0
        said, (low, high) = self._said_before.get(event.stage, set()), self._rates[event.stage]
        rate, words = self._stage.learning_rate, self._words
        unusual = "learning-rate" not in said and not low <= rate <= high
        little = "how-much-text" not in said and words is not None and words < LITTLE_WORDS
        return [
            self._once("rate", remedies.unusual_rate(rate, low, high, self._key)) if unusual else None,
            self._once("words", remedies.little_text(words)) if little and words is not None else None,
        ]

    def _of_step(self, event: Event) -> list[Warned | None]:
        loss = _number(event.values, "loss")
        if loss is None:
            return []
        course, key, lower = self._course, self._key, self._lower
        self._part_steps = max(1, round(_number(event.values, "part_steps") or 1))
        done = (_number(event.values, "part_step") or 0) / self._part_steps
        norm, tokens = _number(event.values, "grad_norm"), _number(event.values, "tokens") or 1.0
        course.add_step(Seen(event.step, loss, norm, tokens, done))
        course.epoch = _number(event.values, "epoch")
        self._steps += 1
        if self._steps > self._told.get("skipped", self._steps) + QUIET_STEPS:
            del self._told["skipped"]
        risen, leap = signs.diverged(course), signs.leap(course)
        if not risen and "diverged" in self._told and not signs.recovered(course):
            self._told["diverged"] = self._steps  # it has not passed because the loss has stopped rising
        diverged = self._while("diverged", risen and remedies.diverged(*risen, event.step, lower, key))
        news = leap if "diverged" not in self._told else None
        leapt = self._while("leap", news and remedies.leapt(*news, event.step, lower, key))
        return [diverged, leapt, *self._of_gradients(event.step), self._of_pace(event), self._of_memory(event)]

    def _of_gradients(self, step: int) -> list[Warned | None]:
        course, key, lower = self._course, self._key, self._lower
        norms = [seen.norm for seen in course.latest if seen.norm is not None][-8:]
        usual = [seen.norm for seen in course.first[4:] if seen.norm is not None]
        if course.count < signs.WINDOW or not norms or not usual:
            return []
        much = signs.outgrown(norms, usual, 30) and "diverged" not in self._told
        little = signs.outgrown(norms, usual, 1e-3) and (course.level() or 0) > 0.1
        grown = remedies.exploded(median(usual), median(norms), self._stage, lower, key)
        gone = remedies.vanished(step, lower, key)
        return [self._while("exploded", grown if much else None), self._while("vanished", gone if little else None)]

    def _of_pace(self, event: Event) -> Warned | None:
        pace, seconds = _number(event.values, "tokens_per_second"), _number(event.values, "seconds")
        if pace is None or seconds is None:
            return None
        self._slow.append((pace, seconds))
        if len(self._paces) < signs.WINDOW:
            self._paces.append(pace)
        usual, now = median(self._paces), median(one for one, _ in self._slow)
        lasts = len(self._paces) == signs.WINDOW and sum(seconds for _, seconds in self._slow) > SLOW_SECONDS
        return self._while("slow", remedies.slow(now, usual) if lasts and now < SLOW * usual else None)

    def _of_memory(self, event: Event) -> Warned | None:
        held, limit = _number(event.values, "memory_bytes"), self._limit
        if held is None or limit is None or held <= max(FULL * limit, self._held):
            return None
        return self._once("memory", remedies.nearly_full(held, limit, self._key))

    def _of_validation(self, event: Event) -> list[Warned | None]:
        watched, loss = event.values.get("watched"), _number(event.values, "loss")
        found = self._of_watched(watched, event.step) if isinstance(watched, dict) else []
        if loss is None:
            return found
        course, stage, key = self._course, self._stage, self._key
        course.add_validation(event.step, loss)
        now = course.checked[-1]
        if now is course.best:
            for cause in ("overfitted", "still"):
                self._told.pop(cause, None)
        if "diverged" in self._told:
            return found  # all else would be said of its consequences
        risen, best = signs.worse_than_at_first(course), signs.overfitted(course)
        warmup = stage.warmup.resolve(self._part_steps) / self._part_steps
        if risen:
            found.append(self._once("diverged", remedies.worse(*risen, event.step, self._lower, key)))
        elif best and stage.early_stop is None:
            found.append(self._once("overfitted", remedies.overfitted(best, now, stage, key)))
        elif event.part == 0 and signs.idle(course, warmup):
            low = self._rates[event.stage][0]
            found.append(self._once("idle", remedies.idle(event.step, stage.learning_rate, low, key)))
        elif "idle" not in self._told and stage.early_stop is None and (since := signs.standing_still(course, warmup)):
            found.append(self._once("still", remedies.still(since, now, key)))
        return found

    def _of_watched(self, watched: dict[str, JSON], step: int) -> list[Warned | None]:
        """An earlier book's held-out loss, against what it was when this run began."""
        found: list[Warned | None] = []
        for name in watched:
            loss = _number(watched, name)
            if loss is None:
                continue
            heard = self._watched.setdefault(name, [])
            heard.append(loss)
            if loss <= heard[0]:
                self._known[name] = step
            first, lasting = heard[0], min(heard[1:][-2:], default=loss) if len(heard) > 2 else heard[0]
            del heard[1:-2]  # the first and the latest two are enough
            if lasting > first * (1 + FORGOTTEN) or loss > first * (1 + 2 * FORGOTTEN):
                since = self._known[name]
                warned = remedies.forgets(name, first, loss, since, self._lower, self._stage, self._key)
                found.append(self._once(f"forgets {name}", warned))
            elif loss < first * (1 + FORGOTTEN / 2):
                self._told.pop(f"forgets {name}", None)
        return found

    def _of_skipped(self, event: Event) -> list[Warned | None]:
        why = str(event.values.get("why") or "its numbers were not finite")
        warned = self._once("skipped", remedies.skipped(event.step, why, self._lower, self._key))
        self._told["skipped"] = self._steps
        return [warned]

    def _of_rollback(self, event: Event) -> list[Warned | None]:
        """Always told: there are few, and each means that what was learned since is lost."""
        self._course.went_back()
        why = str(event.values.get("why") or "its numbers were not finite")
        return [remedies.went_back(event.step, event.values.get("to_step"), why, self._lower, self._key)]

    def _of_session(self, _event: Event) -> list[Warned | None]:
        """Another session, perhaps another machine, or another batch: its speed is measured anew."""
        self._paces.clear()
        self._slow.clear()
        return []

    @property
    def _stage(self) -> Stage:
        assert self._place is not None
        return self._stages[self._place[0]]

    @property
    def _key(self) -> str:
        return self._keys[self._stage.name]

    @property
    def _lower(self) -> float:
        """A learning rate to try where the stage's own is too high."""
        return min(self._stage.learning_rate, self._rates[self._stage.name][1]) / 3

    def _once(self, cause: str, warned: Warned) -> Warned | None:
        """The warning, if its cause has not been told."""
        known = cause in self._told
        self._told[cause] = self._steps
        return None if known else warned

    def _while(self, cause: str, warned: Warned | None) -> Warned | None:
        """As `_once`; after a while without a sign the cause is news again."""
        if warned is not None:
            return self._once(cause, warned)
        if self._steps > self._told.get(cause, self._steps) + QUIET_STEPS:
            del self._told[cause]
        return None

    _HEARINGS: ClassVar[dict[str, Callable[[Alarms, Event], list[Warned | None]]]] = {
        "decided": _of_decided,
        "part_start": _of_part,
        "step": _of_step,
        "validation": _of_validation,
        "skipped": _of_skipped,
        "rollback": _of_rollback,
        "resume": _of_session,
        "recovered": _of_session,
    }


def _usual_rates(stages: Sequence[Stage]) -> dict[str, tuple[float, float]]:
    """For each stage, as it is carried out."""
    return {stage.name: usual_rates(stage, "full" if stage.method.full else "lora") for stage in stages}


def _number(values: Mapping[str, JSON], key: str) -> float | None:
    """A value, if it is there and a number."""
    value = values.get(key)
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None
