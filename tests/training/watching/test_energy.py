"""Energy: what counters measured, summed over sessions; what would be a guess is left out."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from importlib.util import find_spec

import pytest

from quire.run.events import JSON, Event, forget
from quire.run.place import Place
from quire.training.watching import energy
from quire.training.watching.energy import CPU, GPU, Energy, Meter, energy_of, metering, of_session, telling


@dataclass
class Total:
    """codecarbon's account after an hour: 0.02 kWh of it for memory, which is always a guess."""

    duration: float = 3600.0
    cpu_energy: float = 0.06
    gpu_energy: float = 0.30
    energy_consumed: float = 0.38
    emissions: float = 0.019
    country_iso_code: str | None = None


def told(session: str, **values: JSON) -> Event:
    return Event(0.0, "energy", "train", 0, 5, {"session": session, "seconds": 60.0, **values})


def test_only_what_a_counter_measured_is_told() -> None:
    values = of_session("a", Total(), {CPU})
    assert values == {"session": "a", "seconds": 3600.0, "cpu_kilowatt_hours": 0.06}
    assert of_session("a", Total(), {GPU})["gpu_kilowatt_hours"] == 0.30
    assert set(of_session("a", Total(), {CPU, GPU})) == {
        "session",
        "seconds",
        "cpu_kilowatt_hours",
        "gpu_kilowatt_hours",
    }


def test_co2_needs_a_country_and_is_that_of_what_was_measured() -> None:
    values = of_session("a", Total(country_iso_code="FRA"), {CPU, GPU})
    assert values["co2_kilograms"] == pytest.approx(0.018)  # 0.36 of 0.38 kWh, at 50 g each kWh
    assert values["country"] == "FRA"


def test_sessions_add_up_each_by_its_latest_word() -> None:
    events = [
        told("1", cpu_kilowatt_hours=0.01),
        told("1", cpu_kilowatt_hours=0.03),
        told("2", cpu_kilowatt_hours=0.02),
    ]
    assert energy_of(events) == Energy(120.0, cpu_kilowatt_hours=pytest.approx(0.05))
    assert energy_of([]) is None


def test_energy_of_steps_that_were_taken_again_was_used_all_the_same() -> None:
    events = [
        Event(0.0, "checkpoint", "train", 0, 3),
        told("1", cpu_kilowatt_hours=0.03),
        Event(0.0, "resume", "train", 0, 3, {"checkpoint": "3", "validated": True}),
        told("2", cpu_kilowatt_hours=0.02),
    ]
    used = energy_of(forget(events))
    assert used is not None
    assert used.kilowatt_hours == pytest.approx(0.05)
    assert used.counted == "processor packages, by RAPL"


def test_the_co2_of_half_a_run_is_left_out() -> None:
    half = [told("1", cpu_kilowatt_hours=1.0, co2_kilograms=0.05, country="FRA"), told("2", cpu_kilowatt_hours=1.0)]
    assert energy_of(half) == Energy(120.0, 2.0, country="FRA")
    whole = energy_of([*half[:1], told("2", cpu_kilowatt_hours=1.0, co2_kilograms=0.05, country="FRA")])
    assert whole is not None
    assert whole.co2_kilograms == pytest.approx(0.1)


def test_without_codecarbon_or_without_counters_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "find_spec", lambda name: None)
    with metering(Place()) as meter:
        assert meter.read() is None
    monkeypatch.setattr(energy, "find_spec", lambda name: object())
    monkeypatch.setattr(energy, "counters", frozenset)
    with metering(Place()) as meter:
        assert meter.read() is None


def test_a_codecarbon_that_does_not_fit_ends_no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another version, whose counters are asked for otherwise."""

    def ask() -> frozenset[str]:
        raise AttributeError("module 'codecarbon.core.cpu' has no attribute 'is_rapl_available'")

    monkeypatch.setattr(energy, "find_spec", lambda name: object())
    monkeypatch.setattr(energy, "counters", ask)
    with metering(Place()) as meter:
        assert meter.read() is None


@pytest.mark.parametrize(
    ("place", "measured"),
    [
        (Place(), True),
        (Place(number=0, count=2, local=0, beside=2), True),
        (Place(number=1, count=2, local=1, beside=2), False),  # the first reads the same counters
        (Place(number=0, count=4, local=0, beside=2), False),  # half of the energy would be nobody's
    ],
)
def test_the_first_process_measures_where_it_sees_all_of_them(
    place: Place, measured: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def ask() -> frozenset[str]:
        asked.append("counters")
        return frozenset()

    monkeypatch.setattr(energy, "find_spec", lambda name: object())
    monkeypatch.setattr(energy, "counters", ask)
    with metering(place):
        assert bool(asked) == measured


def test_a_meter_that_breaks_ends_no_training() -> None:
    class Broken:
        def start(self) -> None: ...

        def flush(self) -> float:
            raise OSError("the counter is gone")

        stop = flush

    meter = Meter(Broken(), [], {CPU})
    assert meter.read() is None
    meter.stop()


def test_the_meter_is_read_at_every_checkpoint_so_that_a_kill_loses_little() -> None:
    class Clock:
        def start(self) -> None: ...

        def flush(self) -> float:
            totals[:] = [Total(cpu_energy=(totals[0].cpu_energy if totals else 0.0) + 1.0)]
            return 0.0

        stop = flush

    totals: list[Total] = []
    used: list[dict[str, JSON]] = []
    listen = telling(Meter(Clock(), totals, {CPU}), used.append)  # type: ignore[arg-type]
    for kind in ("start", "step", "checkpoint", "step", "checkpoint", "stopped"):
        listen(Event(0.0, kind))
    assert [values["cpu_kilowatt_hours"] for values in used] == [1.0, 2.0, 3.0]
    listen = telling(Meter(None, [], ()), used.append)
    listen(Event(0.0, "checkpoint"))
    assert len(used) == 3


@pytest.mark.skipif(find_spec("codecarbon") is None, reason="codecarbon is not installed")
@pytest.mark.slow
def test_codecarbon_itself_is_asked_offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its own arithmetic for the processor, as if it were a counter: this machine may have none."""
    asked: list[object] = []
    monkeypatch.setattr(socket, "getaddrinfo", lambda *host: asked.append(host))
    monkeypatch.setattr(energy, "counters", lambda: frozenset({CPU}))
    monkeypatch.setenv("CODECARBON_COUNTRY_ISO_CODE", "FRA")
    with metering(Place()) as meter:
        first, second = meter.read(), meter.read()
    assert first is not None
    assert second is not None
    assert first["session"] == second["session"]
    assert 0 < float(str(first["seconds"])) < float(str(second["seconds"]))
    assert float(str(second["cpu_kilowatt_hours"])) >= 0
    assert second["country"] == "FRA"
    assert asked == []
