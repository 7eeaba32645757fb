from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from quire.training.watch import StopWish, listening


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_is_a_wish_that_names_itself(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with listening() as wish:
        assert wish.reason is None
        os.kill(os.getpid(), number)
        assert wish.reason == number.name
    assert signal.getsignal(number) is before


def test_handlers_come_back_after_an_error() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyError), listening():
        raise KeyError
    assert signal.getsignal(signal.SIGINT) is before


def test_time_that_is_up_is_a_wish() -> None:
    assert StopWish(max_time=0).reason == "the time allowed is up"
    assert StopWish(max_time=3600).reason is None
    assert StopWish().reason is None


def test_outside_the_main_thread_only_the_time_is_watched() -> None:
    found = []

    def run() -> None:
        with listening(max_time=0) as wish:
            found.append(wish.reason)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == ["the time allowed is up"]


SECOND = """
import os, signal
from quire.training.watch import listening
with listening() as wish:
    os.kill(os.getpid(), signal.{first})
    print("heard", wish.reason, flush=True)
    os.kill(os.getpid(), signal.{second})
    print("still here", flush=True)
"""


@pytest.mark.parametrize(("first", "second"), [("SIGINT", "SIGINT"), ("SIGINT", "SIGTERM"), ("SIGTERM", "SIGINT")])
def test_the_second_signal_leaves_at_once(first: str, second: str) -> None:
    script = SECOND.format(first=first, second=second)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout == f"heard {first}\n"
    assert done.returncode == 128 + signal.Signals[second]


HELD = """
import os, signal
from quire.training.watch import hold_back, listening
hold_back()
os.kill(os.getpid(), signal.SIGINT)
with listening() as wish:
    print(wish.reason)
"""


def test_a_signal_that_comes_while_starting_waits() -> None:
    done = subprocess.run([sys.executable, "-c", HELD], capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("SIGINT\n", 0)
