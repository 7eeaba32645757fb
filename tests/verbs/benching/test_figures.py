"""Outcomes, as files keep them and processes tell them."""

from __future__ import annotations

import json
from dataclasses import asdict

from quire.verbs.benching.figures import Trained, TrainingOutcome, WritingOutcome, Wrote, trained_of, wrote_of

TRAINED = Trained(300.0, 600.0, 3.4, 5.0, 3, 10, 20, (9.0, 8.5), {"bf16": 4e11}, False, "cpu", 2)
WROTE = Wrote(30.0, 48, 10, "cpu", 2)


def test_what_a_process_tells_is_what_it_found() -> None:
    assert trained_of(json.loads(json.dumps(asdict(TRAINED)))) == TRAINED
    assert wrote_of(json.loads(json.dumps(asdict(WROTE)))) == WROTE


def test_an_outcome_has_a_name_and_says_how_near_it_came() -> None:
    facts = TrainingOutcome("135M", "bf16", 1024, TRAINED).to_json()
    assert facts["key"] == "training/135M/bf16/1024"
    assert facts["found"]["fraction"] == 0.5


def test_an_outcome_without_figures_says_why() -> None:
    facts = WritingOutcome("8B", "fp32", 8, None, "it does not fit").to_json()
    assert facts["key"] == "writing/8B/fp32/8"
    assert facts["found"] is None
    assert facts["problem"] == "it does not fit"
