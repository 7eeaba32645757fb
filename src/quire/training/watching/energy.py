"""The energy of a training, where codecarbon is installed and the machine has counters that it can read.

codecarbon always gives a number.  Where there is no counter it multiplies time by a constant power of processor and
memory; such a number is left out here.  What counts is what hardware measures: processor packages by RAPL, GPUs by
their driver; both with whatever else ran on them meanwhile.  CO₂ is told only where the user has said in which country
the machine stands (CODECARBON_COUNTRY_ISO_CODE, or codecarbon's own file of settings), by that country's yearly mix.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Protocol

from quire.run.events import JSON, Event
from quire.run.place import Place

CPU, GPU = "processor packages, by RAPL", "GPUs, by their driver"
SECONDS_BETWEEN = 15.0  # a counter of joules wraps after minutes at the earliest


class _Total(Protocol):
    """What codecarbon has counted since it was started, in kWh and kg."""

    duration: float
    cpu_energy: float
    gpu_energy: float
    energy_consumed: float
    emissions: float
    country_iso_code: str | None


class _Tracker(Protocol):
    def start(self) -> None: ...

    def flush(self) -> float | None: ...

    def stop(self) -> float | None: ...


@dataclass(frozen=True)
class Energy:
    """What all sessions of a run have used, in kWh and kg; None for what was not measured.

    `country` is its three letters; CO₂ is that of sessions for which it was known.
    """

    seconds: float
    cpu_kilowatt_hours: float | None = None
    gpu_kilowatt_hours: float | None = None
    co2_kilograms: float | None = None
    country: str = ""

    @property
    def kilowatt_hours(self) -> float:
        return (self.cpu_kilowatt_hours or 0.0) + (self.gpu_kilowatt_hours or 0.0)

    @property
    def counted(self) -> str:
        """Whose energy it is, and by what it was measured."""
        given = ((CPU, self.cpu_kilowatt_hours), (GPU, self.gpu_kilowatt_hours))
        return " and ".join(name for name, value in given if value is not None)


class Meter:
    """What one session has used so far."""

    def __init__(self, tracker: _Tracker | None, totals: list[_Total], counters: Collection[str]) -> None:
        self._tracker, self._totals, self._counters = tracker, totals, counters
        self._session = f"{time.time():.3f}"

    def read(self) -> dict[str, JSON] | None:
        """The values of an `energy` event; None where nothing is measured."""
        if self._tracker is None:
            return None
        try:
            self._tracker.flush()
        except Exception:  # a counter that can no longer be read costs its number, never the training
            return None
        return of_session(self._session, self._totals[-1], self._counters) if self._totals else None

    def stop(self) -> None:
        if self._tracker is not None:
            with suppress(Exception):
                self._tracker.stop()


@contextmanager
def metering(place: Place) -> Iterator[Meter]:
    """A meter that runs as long as the training does; one without readings where there is nothing to read.

    Of several processes the first alone reads: those of one machine have the same counters, and where there are several
    machines nobody can read them all.
    """
    wanted = place.first and place.beside == place.count
    found = frozenset[str]()
    totals: list[_Total] = []
    tracker: _Tracker | None = None
    with suppress(Exception):  # whatever is wrong with it, it is no reason not to train
        if wanted and find_spec("codecarbon") is not None:
            found = counters()
        if found:
            tracker = _start(totals)
    meter = Meter(tracker, totals, found)
    try:
        yield meter
    finally:
        meter.stop()


def telling(meter: Meter, tell: Callable[[dict[str, JSON]], None]) -> Callable[[Event], None]:
    """A listener that reads the meter at every checkpoint and at the end, so that a kill loses little of what was used.

    `tell` is given the values of an `energy` event.
    """

    def listen(event: Event) -> None:
        used = meter.read() if event.kind in ("checkpoint", "stopped", "stage_end", "done") else None
        if used is not None:
            tell(used)

    return listen


def counters() -> frozenset[str]:
    """The counters of energy that codecarbon can read on this machine."""
    processor, gpu = import_module("codecarbon.core.cpu"), import_module("codecarbon.core.gpu")
    found = {CPU: sys.platform == "linux" and processor.is_rapl_available()}
    found[GPU] = gpu.is_nvidia_system() or gpu.is_rocm_system()
    return frozenset(name for name, there in found.items() if there)


def of_session(session: str, total: _Total, counters: Collection[str]) -> dict[str, JSON]:
    """An event's values out of codecarbon's: only what counters have measured, and CO₂ in proportion to that."""
    told: dict[str, JSON] = {"session": session, "seconds": total.duration}
    if CPU in counters:
        told["cpu_kilowatt_hours"] = total.cpu_energy
    if GPU in counters:
        told["gpu_kilowatt_hours"] = total.gpu_energy
    measured = (total.cpu_energy if CPU in counters else 0.0) + (total.gpu_energy if GPU in counters else 0.0)
    if total.country_iso_code and total.energy_consumed > 0:
        told["co2_kilograms"] = total.emissions * measured / total.energy_consumed
        told["country"] = total.country_iso_code
    return told


def energy_of(events: Iterable[Event]) -> Energy | None:
    """The sum over all sessions of a run, each by its latest event; None where nothing was measured."""
    sessions: dict[object, Mapping[str, JSON]] = {}
    for event in events:
        if event.kind == "energy":
            sessions[event.values.get("session")] = event.values
    if not sessions:
        return None
    told = list(sessions.values())
    countries = {str(values["country"]) for values in told if values.get("country")}
    return Energy(
        _sum(told, "seconds") or 0.0,
        _sum(told, "cpu_kilowatt_hours"),
        _sum(told, "gpu_kilowatt_hours"),
        # Half a run's CO₂ would be no run's: all sessions have it, or it is left out.
        _sum(told, "co2_kilograms") if all("co2_kilograms" in values for values in told) else None,
        " and ".join(sorted(countries)),
    )


class _Keep:
    """codecarbon's way of handing out its account: whoever is asked to write it keeps the latest."""

    def __init__(self, totals: list[_Total]) -> None:
        self._totals = totals

    def out(self, total: _Total, _delta: object) -> None:
        self._totals[:] = [total]

    def live_out(self, _total: object, _delta: object) -> None:
        """Every few seconds, whether anybody asked or not."""

    def task_out(self, _tasks: object, _experiment: object) -> None:
        """No tasks are counted apart."""

    def exit(self) -> None:
        """Nothing to close."""


def _start(totals: list[_Total]) -> _Tracker:
    tracker: _Tracker = import_module("codecarbon").OfflineEmissionsTracker(
        allow_multiple_runs=True,
        force_cpu_power=None,
        force_mode_cpu_load=False,
        log_level="critical",
        measure_power_secs=SECONDS_BETWEEN,
        output_handlers=[_Keep(totals)],
        output_methods=[],
    )
    tracker.start()
    return tracker


def _sum(told: Iterable[Mapping[str, JSON]], name: str) -> float | None:
    numbers = [value for values in told if isinstance(value := values.get(name), int | float)]
    return float(sum(numbers)) if numbers else None
