from __future__ import annotations

import json

from quire.run.finding import Compared, Finding


def test_finding_survives_json() -> None:
    finding = Finding(
        "loss", "held-out loss", 3.2, "bits per byte", 3.1, 3.3, (Compared("base", 3.6, 3.5, 3.7),), "lower", {"n": [1]}
    )
    assert Finding.from_json(json.loads(json.dumps(finding.to_json()))) == finding


def test_finding_without_a_value_says_why() -> None:
    finding = Finding("style", "delta", None, verdict="fewer than 2,000 words were written")
    assert Finding.from_json(finding.to_json()) == finding
