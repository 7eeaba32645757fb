"""What every file of results says of itself: machine, versions, commit, date; and how figures are kept beside others.

The one place for it: `quire bench` knows the machine and the versions, this adds the commit.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SAME_MACHINE = ("processor", "cores", "gpu")


def machine() -> dict[str, Any]:
    """The machine, the versions, the date and the commit.  Bytes are bytes."""
    from quire.verbs.benching.facts import machine_facts

    return {**machine_facts(), "commit": commit()}


def other_machine(kept: Mapping[str, Any], now: Mapping[str, Any]) -> str | None:
    """What shows that these facts are of two machines, whose figures do not go together; None where nothing does."""
    return next((f"{name} {kept[name]}" for name in SAME_MACHINE if kept[name] != now[name]), None)


def write(results: Path, told: Mapping[str, Any]) -> None:
    """Put a file of results in the place of the one before."""
    results.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def read(results: Path) -> dict[str, Any]:
    """A file of results; nothing where there is none."""
    found: dict[str, Any] = json.loads(results.read_text(encoding="utf-8")) if results.is_file() else {}
    return found


def commit() -> str:
    """The commit of the code, with a plus where files differ from it; "unknown" outside of a checkout."""
    found = _git("rev-parse", "--short", "HEAD")
    return found + ("+" if _git("status", "--porcelain", "--", "src") else "") if found else "unknown"


def merged(
    kept: Sequence[Mapping[str, Any]], found: Sequence[Mapping[str, Any]], key: str, order: Sequence[Any]
) -> list[dict[str, Any]]:
    """What was kept, with what was `found` now in the place of those with the same `key`, in this order of keys; keys
    that are not in it any more come last."""
    new = [one[key] for one in found]
    all_of = [*(dict(one) for one in kept if one[key] not in new), *(dict(one) for one in found)]
    return sorted(all_of, key=lambda one: order.index(one[key]) if one[key] in order else len(order))


def _git(*asked: str) -> str:
    try:
        done = subprocess.run(["git", *asked], capture_output=True, text=True, check=False, cwd=ROOT)  # noqa: S603, S607
    except OSError:
        return ""
    return done.stdout.strip()
