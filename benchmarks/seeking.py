"""How long it takes to go on at 99 % of an epoch: what a resume waits for before its first row.

    python -m benchmarks.seeking [--rows 1000000 10000000]

With plain rows and with weighted ones (replay, `weight:`), in seconds by the wall's clock and the processor's; 1 where
one takes longer than the five seconds that are promised.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence

import numpy as np

from quire.tokens.rows import rows_per_epoch
from quire.tokens.stream import Position, Stream

LIMIT = 5.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Seek, take a row, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, nargs="+", default=[1_000_000, 10_000_000])
    asked = parser.parse_args(arguments)
    slowest = 0.0
    print("rows        weights    seconds  of a processor")
    for rows in asked.rows:
        for kind, weights in (("none", None), ("two kinds", np.where(np.arange(rows) % 3 == 0, 0.4, 1.0))):
            began, worked = time.perf_counter(), time.process_time()
            stream = Stream(rows, 7, 0, weights)
            stream.seek(Position(int(0.99 * rows_per_epoch(rows, weights))))
            stream.take(1)
            took, work = time.perf_counter() - began, time.process_time() - worked
            slowest = max(slowest, took)
            print(f"{rows:<10,}  {kind:9}  {took:7.2f}  {work:14.2f}", flush=True)
    return int(slowest > LIMIT)


if __name__ == "__main__":
    sys.exit(main())
