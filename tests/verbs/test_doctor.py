"""What the doctor finds, and what it makes of it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from quire.planner.facts import MachineFacts
from quire.verbs import doctor as doctor_module
from quire.verbs.doctor import Checkup, doctor, find_problems

GIB = 2**30
SOUND = MachineFacts(
    cores=4,
    memory_bytes=16 * GIB,
    memory_free_bytes=12 * GIB,
    disk_free_bytes=50 * GIB,
    rates=(("fp32", 1e11), ("bf16", 4e11)),
    native=("fp32", "bf16"),
)


@pytest.fixture(scope="module")
def checkup() -> Checkup:
    return doctor()


def problems(machine: MachineFacts = SOUND, **facts: object) -> list[str]:
    usual: dict[str, object] = {"missing": [], "hub": "not asked", "embedded": True, "graphics_card": False}
    return [problem.what for problem in find_problems(machine, **(usual | facts))]  # type: ignore[arg-type]


def test_this_machine_is_measured(checkup: Checkup) -> None:
    assert checkup.machine.cores >= 1
    assert all(rate > 0 for _, rate in checkup.machine.rates)
    assert checkup.precision in ("fp32", "bf16", "fp16")
    assert dict(checkup.versions)["torch"].startswith("2.")


def test_the_hub_is_not_asked_unless_wanted(checkup: Checkup) -> None:
    assert checkup.hub == "not asked"


def test_all_extras_are_known_by_name(checkup: Checkup) -> None:
    names = {extra.name for extra in checkup.extras}
    assert names == {"serve", "studio", "judge", "gguf", "gpu", "track", "search", "carbon", "ocr", "poetry"}


def test_the_facts_are_json(checkup: Checkup) -> None:
    facts = json.loads(json.dumps(checkup.to_json(), allow_nan=False))
    assert facts["machine"]["rates"]["fp32"] > 0
    assert facts["extras"]["serve"].keys() == {"installed", "missing"}


def test_a_login_is_noticed_and_its_token_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secretsecretsecret")
    found = doctor()
    assert found.logged_in
    assert "secret" not in json.dumps(found.to_json())


def test_a_sound_machine_has_no_problems() -> None:
    assert problems() == []


@pytest.mark.parametrize(
    ("facts", "named"),
    [
        ({"machine": replace(SOUND, memory_free_bytes=GIB)}, "1.0 GiB of memory"),
        ({"machine": replace(SOUND, disk_free_bytes=GIB)}, "1.0 GiB of disk"),
        ({"missing": ["lxml"]}, "lxml"),
        ({"embedded": False}, "embedded base"),
        ({"graphics_card": True}, "NVIDIA"),
        ({"hub": "unreachable"}, "hub"),
    ],
)
def test_each_problem_is_named_and_has_a_remedy(facts: dict[str, object], named: str) -> None:
    (what,) = problems(**facts)  # type: ignore[arg-type]
    assert named in what


def test_a_hub_that_does_not_answer_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    assert doctor_module._ask_hub() == "unreachable"
