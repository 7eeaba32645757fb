"""Libraries keep quiet, and what a person has set stands."""

from __future__ import annotations

import logging
import os
import warnings

import pytest

from quire.verbs import quiet


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*quiet._PRIVATE, *quiet._QUIET, "HF_HUB_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv(name, "")  # so that whatever is set below is taken back afterwards
        monkeypatch.delenv(name)


def test_telemetry_is_off() -> None:
    quiet.hush()
    assert os.environ["HF_HUB_DISABLE_TELEMETRY"] == "1"


def test_what_a_person_has_set_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSFORMERS_VERBOSITY", "info")
    quiet.hush()
    assert os.environ["TRANSFORMERS_VERBOSITY"] == "info"


def test_warnings_of_libraries_are_dropped_and_others_stay() -> None:
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        quiet.hush()
        warnings.warn_explicit("noise", UserWarning, "x.py", 1, module="transformers.modeling_utils")
        warnings.warn_explicit("mine", UserWarning, "y.py", 1, module="my_script")
    assert [str(one.message) for one in heard] == ["mine"]


def test_bitsandbytes_tells_of_errors_alone() -> None:
    """Where it is installed every adapter imports it, few bits or not."""
    quiet.hush()
    assert logging.getLogger("bitsandbytes.backends.cpu.ops").getEffectiveLevel() == logging.ERROR


def test_offline_is_asked_for_but_not_forced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    quiet.stay_offline()
    assert os.environ["HF_HUB_OFFLINE"] == "0"
