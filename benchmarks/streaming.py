"""How a stream of many rows is read: rows per second, and the memory of both processes from the first rows to the last.

    python benchmarks/streaming.py [ROWS] [FOLDER]

writes a corpus of ROWS rows (2,000,000 by default, about 500 MB) into FOLDER (a temporary one by default), streams it,
and prints JSON.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

from quire.books.limits import PLAIN
from quire.books.rows.stream import Held, Shard, Tally, stream_passages

WORDS = [
    "water",
    "ferry",
    "stone",
    "evening",
    "nobody",
    "a",
    "the",
    "of",
    "and",
    "in",
    "spoke",
    "wrote",
    "letter",
    "road",
]
SHARDS = 4


def write_corpus(folder: Path, rows: int) -> list[Path]:
    """Rows of one paragraph of some forty words, in JSON lines."""
    draw = random.Random(7)
    paths = []
    for shard in range(SHARDS):
        path = folder / f"train-{shard:05d}.jsonl"
        with path.open("w", encoding="utf-8") as out:
            for number in range(shard * rows // SHARDS, (shard + 1) * rows // SHARDS):
                text = " ".join(draw.choices(WORDS, k=draw.randint(20, 60))).capitalize() + "."
                out.write(json.dumps({"id": number, "text": text}) + "\n")
        paths.append(path)
    return paths


def memory() -> float:
    """Resident memory of this process now, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def measure(paths: list[Path]) -> dict[str, object]:
    """Stream all shards once."""
    shards = [Shard(path.name, lambda path=path: path) for path in paths]  # type: ignore[misc]
    tally = Tally()
    began = time.perf_counter()
    samples: list[float] = []
    splits: dict[str, int] = {}
    for number, passage in enumerate(stream_passages(shards, PLAIN, Held(), tally=tally)):
        splits[passage.passage.split] = splits.get(passage.passage.split, 0) + 1
        if number % 10_000 == 0:
            samples.append(memory())
    seconds = time.perf_counter() - began
    tenth = max(1, len(samples) // 10)
    return {
        "rows": tally.rows,
        "works": tally.works,
        "words": tally.words,
        "dropped": tally.dropped,
        "splits": splits,
        "megabytes": round(sum(path.stat().st_size for path in paths) / 1e6, 1),
        "seconds": round(seconds, 1),
        "rows_per_second": round(tally.rows / seconds),
        "parent_mb_first_tenth": round(max(samples[:tenth]), 1),
        "parent_mb_last_tenth": round(max(samples[-tenth:]), 1),
        "child_mb_most": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3, 1),
    }


def main() -> None:
    """Write, stream, print."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000_000
    with tempfile.TemporaryDirectory(dir=sys.argv[2] if len(sys.argv) > 2 else None) as folder:
        print(json.dumps(measure(write_corpus(Path(folder), rows)), indent=2))


if __name__ == "__main__":
    main()
