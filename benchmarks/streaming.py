"""How a stream of many rows is read: rows per second, and the memory of both processes from the first rows to the last.

    python benchmarks/streaming.py [--rows N] [--formats jsonl,csv,parquet,gz,line] [--folder FOLDER]

For each format it writes a corpus of N rows (2,000,000 by default, some 500 MB) into FOLDER (a temporary one by
default), streams it, goes on from the middle of it, and prints a line of JSON.  `line` is no corpus but one line of
1 GB between two short ones, which is to be refused in words without being held.
"""

from __future__ import annotations

import argparse
import gzip
import json
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from quire.books.limits import PLAIN
from quire.books.streams.corpus import Corpus
from quire.books.streams.stream import Held, Shard, StreamPosition, Tally

WORDS = "water ferry stone evening nobody a the of and in spoke wrote letter road".split()
SHARDS = 4
FORMATS = ("jsonl", "csv", "parquet", "gz", "line")
GIGABYTE = 10**9


def rows_of(first: int, last: int) -> Iterator[dict[str, object]]:
    """Rows of one paragraph of some forty words."""
    draw = random.Random(first)
    for number in range(first, last):
        text = " ".join(draw.choices(WORDS, k=draw.randint(20, 60))).capitalize() + "."
        yield {"id": number, "title": f"Row {number}", "text": text}


def write_corpus(folder: Path, format: str, rows: int) -> list[Path]:
    """The tables of a corpus."""
    paths = []
    for shard in range(SHARDS):
        paths.append(folder / f"train-{shard:05d}.{format if format != 'gz' else 'jsonl.gz'}")
        WRITERS[format](paths[-1], rows_of(shard * rows // SHARDS, (shard + 1) * rows // SHARDS))
    return paths


def _write_lines(path: Path, rows: Iterator[dict[str, object]]) -> None:
    with gzip.open(path, "wt", compresslevel=3) if path.suffix == ".gz" else path.open("w") as out:
        out.writelines(json.dumps(row) + "\n" for row in rows)


def _write_csv(path: Path, rows: Iterator[dict[str, object]]) -> None:
    with path.open("w") as out:
        out.write("id,title,text\n")
        out.writelines(f'{row["id"]},{row["title"]},"{row["text"]}"\n' for row in rows)


def _write_parquet(path: Path, rows: Iterator[dict[str, object]]) -> None:
    import pyarrow as pa  # type: ignore[import-untyped]
    from pyarrow import parquet

    schema = pa.schema({"id": pa.int64(), "title": pa.string(), "text": pa.string()})
    with parquet.ParquetWriter(path, schema) as out:
        while group := list(islice(rows, 50_000)):
            out.write_table(pa.Table.from_pylist(group, schema))


WRITERS: dict[str, Callable[[Path, Iterator[dict[str, object]]], None]] = {
    "jsonl": _write_lines,
    "gz": _write_lines,
    "csv": _write_csv,
    "parquet": _write_parquet,
}


def write_long_line(folder: Path) -> list[Path]:
    """A line of 1 GB between two that are rows."""
    path = folder / "long.jsonl"
    (row,) = rows_of(0, 1)
    with path.open("wb") as out:
        out.write(json.dumps(row).encode() + b'\n{"text": "')
        for _ in range(GIGABYTE // 10**6):
            out.write(b"a" * 10**6)
        out.write(b'"}\n' + json.dumps(row).encode() + b"\n")
    return [path]


def memory() -> float:
    """Resident memory of this process now, in MB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def measure(format: str, paths: list[Path]) -> dict[str, object]:
    """Stream all tables once; then again from the middle."""
    shards = tuple(Shard(path.name, lambda path=path: path) for path in paths)  # type: ignore[misc]
    corpus = Corpus(format, shards, PLAIN, Held())
    tally = Tally()
    used, began = processor(), time.perf_counter()
    samples: list[float] = []
    splits: dict[str, int] = {}
    middle = StreamPosition()
    for number, passage in enumerate(corpus.passages(tally=tally)):
        splits[passage.passage.split] = splits.get(passage.passage.split, 0) + 1
        middle = passage.after if passage.after.shard < len(shards) / 2 else middle
        if number % 10_000 == 0:
            samples.append(memory())
    seconds = time.perf_counter() - began
    tenth = max(1, len(samples) // 10)
    again = time.perf_counter()
    next(corpus.passages(middle), None)
    return {
        "format": format,
        "rows": tally.rows,
        "works": tally.works,
        "words": tally.words,
        "dropped": tally.dropped,
        "splits": splits,
        "megabytes": round(sum(path.stat().st_size for path in paths) / 1e6, 1),
        "seconds": round(seconds, 1),
        "rows_per_second": round(tally.rows / seconds),
        "processor_seconds": {name: round(now - used[name], 1) for name, now in processor().items()},
        "parent_mb_first_tenth": round(max(samples[:tenth]), 1),
        "parent_mb_last_tenth": round(max(samples[-tenth:]), 1),
        "child_mb_most": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e3, 1),
        "seconds_to_go_on_from_the_middle": round(time.perf_counter() - again, 2),
    }


def processor() -> dict[str, float]:
    """Seconds of the processor that this process and its children have had."""
    own, theirs = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return {"parent": own.ru_utime + own.ru_stime, "child": theirs.ru_utime + theirs.ru_stime}


def main() -> None:
    """Write, stream, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--formats", default=",".join(FORMATS))
    parser.add_argument("--folder")
    asked = parser.parse_args()
    for name in asked.formats.split(","):
        if name not in FORMATS:
            sys.exit(f"there is no format {name}: choose from {', '.join(FORMATS)}")
        with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
            # Each in a process of its own: what one takes is no other's.
            _apart(_write, Path(folder), name, asked.rows)
            _apart(_measure, Path(folder), name)


def _apart(function: Callable[..., None], *arguments: object) -> None:
    process = multiprocessing.get_context("spawn").Process(target=function, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        sys.exit(process.exitcode)


def _write(folder: Path, name: str, rows: int) -> None:
    if name == "line":
        write_long_line(folder)
    else:
        write_corpus(folder, name, rows)


def _measure(folder: Path, name: str) -> None:
    print(json.dumps(measure(name, sorted(folder.iterdir()))), flush=True)


if __name__ == "__main__":
    main()
