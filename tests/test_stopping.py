"""Ctrl-C and SIGTERM: once finishes the step, saves and ends with 75; twice ends at once with 130 or 143.

In either case, and while the program is still starting, the same command goes on as if nothing had happened.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from quire.cli.app import run
from quire.run.events import JSON, Event, EventLog, read_events
from quire.training.checkpoints import list_checkpoints, load_checkpoint

SIGNALS = (signal.SIGINT, signal.SIGTERM)
TINY = {"train.window": "64", "train.precision": "fp32", "train.steps": "5", "write.max_new_tokens": "4"}
ADAPTER = "voice/adapter_model.safetensors"


class LeftAtOnce(BaseException):
    """What stands for the end of the process in tests that go on after it."""


def command(base: Path, place: Path, **changes: str) -> list[str]:
    settings = [part for key, value in (TINY | changes).items() for part in ("--set", f"{key}={value}")]
    return ["train", "sample:tale", "--base", str(base), "--run", str(place), *settings]


@pytest.fixture(scope="module")
def undisturbed(tiny_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("stopping") / "run"
    assert run(command(tiny_base, place)) == 0
    return place


@pytest.fixture
def signal_at(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Have signals arrive as soon as an event has been written."""
    append = EventLog.append

    def arrange(kind: str, step: int, *numbers: signal.Signals) -> None:
        waiting = list(numbers)

        def tell(
            log: EventLog,
            what: str,
            stage: str = "",
            part: int = 0,
            at: int = 0,
            values: Mapping[str, JSON] | None = None,
        ) -> Event:
            event = append(log, what, stage, part, at, values)
            while waiting and (what, at) == (kind, step):
                os.kill(os.getpid(), waiting.pop(0))
            return event

        monkeypatch.setattr(EventLog, "append", tell)

    return arrange


def assert_goes_on(base: Path, place: Path, undisturbed: Path) -> None:
    """The same command ends in the same bytes and the same losses."""
    assert run(command(base, place)) == 0
    assert (place / ADAPTER).read_bytes() == (undisturbed / ADAPTER).read_bytes()
    assert losses(place) == losses(undisturbed)


def losses(place: Path) -> list[JSON]:
    return [
        event.values["loss"] for event in read_events(place / "events.jsonl") if event.kind in ("step", "validation")
    ]


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(("kind", "step"), [("decided", 0), ("validation", 3), ("step", 2)])
def test_once_saves_and_ends_with_75(
    kind: str,
    step: int,
    number: signal.Signals,
    tiny_base: Path,
    tmp_path: Path,
    undisturbed: Path,
    signal_at: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    place = tmp_path / "run"
    signal_at(kind, step, number)
    assert run(command(tiny_base, place)) == 75
    shown = capsys.readouterr()
    assert number.name in shown.err.splitlines()[-2]
    assert shown.err.splitlines()[-1].startswith("try: quire train sample:tale")
    assert shown.out == ""
    saved = load_checkpoint(list_checkpoints(place / "checkpoints")[-1]).state.step
    assert saved in (step, step + 1), "at most the step that had begun"
    monkeypatch.undo()
    assert_goes_on(tiny_base, place, undisturbed)


@pytest.mark.parametrize("number", SIGNALS)
def test_twice_ends_at_once(
    number: signal.Signals,
    tiny_base: Path,
    tmp_path: Path,
    undisturbed: Path,
    signal_at: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def leave(code: int) -> None:
        raise LeftAtOnce(code)

    place = tmp_path / "run"
    signal_at("step", 3, number, number)
    monkeypatch.setattr(os, "_exit", leave)
    with pytest.raises(LeftAtOnce) as left:
        run(command(tiny_base, place))
    assert left.value.args == (128 + number,)
    monkeypatch.undo()
    assert_goes_on(tiny_base, place, undisturbed)


@pytest.mark.parametrize("number", SIGNALS)
def test_while_the_book_is_read_it_is_a_wish_too(
    number: signal.Signals, tiny_base: Path, tmp_path: Path, undisturbed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from quire.verbs.texts import opening

    reading = opening.open_library

    def interrupted(*given: object, **named: object) -> object:
        os.kill(os.getpid(), number)
        return reading(*given, **named)  # type: ignore[arg-type]

    place = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(opening, "open_library", interrupted)
        assert run(command(tiny_base, place)) == 75
    assert not [event for event in read_events(place / "events.jsonl") if event.kind == "step"]
    assert_goes_on(tiny_base, place, undisturbed)


def test_when_the_time_is_up_it_stops_the_same_way(
    tiny_base: Path, tmp_path: Path, undisturbed: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "run"
    assert run([*command(tiny_base, place), "--max-time", "0s"]) == 75
    assert "time allowed is up" in capsys.readouterr().err
    assert_goes_on(tiny_base, place, undisturbed)


def test_the_handlers_of_the_program_around_are_given_back(undisturbed: Path, tiny_base: Path) -> None:
    before = [signal.getsignal(number) for number in SIGNALS]
    assert run(command(tiny_base, undisturbed)) == 0
    assert [signal.getsignal(number) for number in SIGNALS] == before


# In a process of its own, as a terminal does it


def start(base: Path, place: Path, **changes: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "quire", *command(base, place, **changes)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def wait_for(sign: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 120
    while not sign():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until
        time.sleep(0.002)


def test_ctrl_c_twice_while_the_book_is_read_ends_at_once(tiny_base: Path, tmp_path: Path, undisturbed: Path) -> None:
    """A terminal sends Ctrl-C to the whole group of processes: the one that reads the book is spared."""
    place = tmp_path / "run"
    process = start(tiny_base, place)
    wait_for((place / "format").exists, process)
    os.killpg(process.pid, signal.SIGINT)
    time.sleep(0.2)  # two signals of a kind that wait at once are one
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in out + err
    assert_goes_on(tiny_base, place, undisturbed)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc for the moment at which signals are held back")
def test_a_signal_while_python_still_imports_is_a_wish_too(tiny_base: Path, tmp_path: Path, undisturbed: Path) -> None:
    place = tmp_path / "run"
    process = start(tiny_base, place)
    status = Path(f"/proc/{process.pid}/status")

    def held_back() -> bool:
        line = next(line for line in status.read_text().splitlines() if line.startswith("SigBlk"))
        return bool(int(line.split()[1], 16) >> (signal.SIGTERM - 1) & 1)

    wait_for(held_back, process)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 75, err
    assert "SIGTERM" in err
    assert "Traceback" not in out + err
    assert_goes_on(tiny_base, place, undisturbed)


@pytest.mark.slow
@pytest.mark.parametrize("number", SIGNALS)
def test_twice_during_training_ends_the_process_with_its_number(
    number: signal.Signals, tiny_base: Path, tmp_path: Path
) -> None:
    place = tmp_path / "run"
    process = start(tiny_base, place, **{"train.steps": "100000", "train.save_every": "1"})
    wait_for(lambda: len(list_checkpoints(place / "checkpoints")) >= 2, process)
    process.send_signal(number)
    time.sleep(0.0005)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    # The first may have been carried out already.
    assert process.returncode in (128 + number, 75)
    assert "Traceback" not in out + err
    for folder in list_checkpoints(place / "checkpoints"):
        load_checkpoint(folder)
