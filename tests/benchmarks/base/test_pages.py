"""The pages hold what the results hold; a place without a table, or a table without an end, is refused."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from benchmarks.base.byte_models import BYTE_MODEL, XZ, ZSTD_AFTER
from benchmarks.base.pages import END, NOT_MEASURED, PAGES, RESULTS, START, TABLES, filled, table, write_pages

from benchmarks import facts
from benchmarks.base import pages

ROW = {"language": "en", "unseen": False, "works": 2, "bytes": 1000}
ONE = {"id": "a:1", "name": "A, T (1850)", "language": "en", "unseen": True, "bytes": 1000}
PARTS: Mapping[str, Mapping[str, Any]] = {
    "held-out": {
        "languages": [{**ROW, "new": [1.4, 1.3, 1.5], "first": [1.8, 1.7, 1.9], "change": [-0.2, -0.25, -0.15]}],
        "rows": [{**ONE, "new": 1.41, "first": 1.83}],
    },
    "byte-models": {
        "languages": [{**ROW, BYTE_MODEL: [1.9, 1.8, 2.0], XZ: [2.7, 2.6, 2.8]}],
        "rows": [{**ONE, BYTE_MODEL: 1.92, XZ: 2.72}],
        "after_training_text": [{"language": "en", "unseen": False, "bytes": 1004, ZSTD_AFTER: 2.21}],
    },
    "words": {
        "rows": [
            {"way": way, "language": "fr", "texts": 40, "words": 5000, "known": [0.985, 0.98, 0.99]}
            | {"twice": [0.97, 0.96, 0.98], "parts": [0.99, None, None], "trained": [0.98, 0.97, 0.99]}
            for way in ("Quire's own", "people")
        ]
    },
    "copies": {
        "long": 12,
        "rows": [{"way": "greedy", "language": "en", "texts": 40, "longest": 9, "median": 5.5, "long_share": 0.0}],
    },
    "loading": {"tries": 5, "import_seconds": 3.21, "load_seconds": 0.123, "again_seconds": 0.05},
    "tuning": {
        "rows": [
            {"name": "F", "steps": 60, "before": 2.0, "after": 1.9, "change": [-0.05, -0.06, -0.04], "units": 9}
            | {"resampled": "chapters"}
        ]
    },
    "curves": {
        "picture": "loss.png",
        "stages": [
            {
                "stage": "reading",
                "losses": [{"step": 1000, "tokens": 8_192_000, "training": None, "held_out": 4.5}],
            }
        ],
        "energy": {"kilowatt_hours": 0.05, "measured": "", "watts_a_core": 10.0, "threads": 2, "seconds": 9000.0}
        | {"core_seconds": 18000.0},
    },
    "shares": {
        "languages": [{"language": "en", "train": [3, 3_000_000]}, {"language": "fr", "train": [1, 1_000_000]}],
        "periods": [{"language": "en", "period": "1800–1849", "train": [3, 3_000_000], "test": [1, 200_000]}],
        "sources": [{"source": "se", "language": "en", "train": [3, 3_000_000]}],
        "licences": [{"licence": "CC0", "train": [4, 4_000_000]}],
    },
    "samples": {
        "seed": 7,
        "tokens": 200,
        "settings": {"temperature": 0.8, "top_p": 0.95, "repetition_penalty": 1.1},
        "rows": [{"work": "A, T", "prompt": "The *river*", "texts": {"the base": " was\n\n<there>"}}],
    },
}


def test_the_pages_are_made_of_the_results() -> None:
    parts = facts.read(RESULTS).get("parts", {})
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        assert filled(text, parts) == text, "python -m benchmarks.base pages writes it anew"


def test_every_table_has_its_figures() -> None:
    expected = {
        "held-out": "| English, 2 held-out works | 1,000 | 1.400 (1.300 … 1.500) | 1.800 | −20.0 % (−25.0 % … −15.0 %) "
        "| 1.900 | 2.700 | 2.210 |",
        "works": "| A, T (1850) * | 1,000 | 1.410 | 1.830 | 1.920 | 2.720 |",
        "words": "| people, as much | French | 40 | 5,000 | – | – | – | 98.0 % (97.0 % … 99.0 %) |",
        "copies": "| greedily | English | 40 | 9 | 5.5 | 0.0 % |",
        "loading": "Loading takes 0.12 s, the libraries before it 3.2 s",
        "tuning": "| F | 60 | 2.000 | 1.900 | −5.0 % (−6.0 % … −4.0 %) | 9 chapters |",
        "curves": "| 1,000 | 8.19 M | – | 4.500 |",
        "energy": "about 0.05 kWh, an estimate, for the machine has no counter: 5.0 core hours (2.5 hours in steps, 2 "
        "threads) at an assumed 10 W a core.",
        "shares": "Of the bytes that were trained on: English 75.0 %, French 25.0 %.",
        "sources": "| se | English | 3, 3.0 | – | – |",
        "samples": "> **The \\*river\\*** was\n>\n> \\<there\\>",
    }
    assert expected.keys() == TABLES.keys()
    for name, piece in expected.items():
        made = table(name, PARTS)
        assert piece in made, made
        for block in made.split("\n\n"):
            rows = [line for line in block.split("\n") if line.startswith("| ")]
            assert len({row.count("|") for row in rows}) <= 1, block


def test_figures_of_other_text_are_not_put_beside() -> None:
    models = {**PARTS["byte-models"], "languages": [{**PARTS["byte-models"]["languages"][0], "bytes": 999}]}
    assert "| 1.900 |" not in table("held-out", {**PARTS, "byte-models": models})


def test_pages_are_filled_between_their_marks_alone(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# A\n\n{START.format('loading')}\nold\n{END.format('loading')}\n\nB\n")
    write_pages(PARTS, [page])
    once = page.read_text()
    assert once.startswith("# A\n\n<!-- base:loading -->\nLoading takes")
    assert once.endswith("<!-- end of base:loading -->\n\nB\n")
    assert "old" not in once
    write_pages(PARTS, [page])
    assert page.read_text() == once
    write_pages({}, [page])
    assert NOT_MEASURED in page.read_text()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("<!-- base:weather -->\n<!-- end of base:weather -->", "no table base:weather"),
        ("<!-- base:loading -->\n", "no single place"),
        ("<!-- end of base:loading -->\n<!-- base:loading -->", "no single place"),
        ("<!-- base:loading --><!-- end of base:loading -->" * 2, "no single place"),
    ],
)
def test_a_page_without_a_place_is_refused(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        filled(text, PARTS)


def test_measured_energy_is_not_called_an_estimate() -> None:
    used = {"kilowatt_hours": 0.51, "measured": "GPUs, by their driver", "seconds": 3600.0, "co2_kilograms": None}
    assert pages.energy({"energy": used}) == "Energy: 0.51 kWh, measured (GPUs, by their driver), in 1.0 hours."
