"""The library: there or with a reason why not, and left out where it is not wanted."""

from __future__ import annotations

import os
import subprocess
import sys

from quire.model.kernels.native import native, use_native, why_not


def tell(setting: str, value: str) -> str:
    """What a fresh process says of the library with a variable set."""
    code = "from quire.model.kernels.native import native, why_not; print(native() is None, why_not())"
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, setting: value}, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def test_it_is_there_or_says_why_not() -> None:
    assert (native() is None) == (why_not() is not None)


def test_a_run_that_was_computed_without_it_is_again() -> None:
    use_native(wanted=False)
    assert native() is None
    use_native(wanted=True)
    assert (native() is None) == (why_not() is not None)


def test_it_can_be_switched_off() -> None:
    assert tell("QUIRE_PLAIN", "1") == "True QUIRE_PLAIN=1 is set"
