"""Held-out bits per byte of the embedded base, by language, beside what xz needs for the same text.

    python tools/measure_base.py held-out.jsonl [--bytes 200000]

Each line is a work that the base has not seen: {"id", "lang", "text"}.  Only the first `--bytes` of each are taken.
"""

from __future__ import annotations

import argparse
import json
import lzma
import math
from collections import defaultdict
from pathlib import Path

from quire.model.base import load_base
from quire.model.scoring import score_blocks
from quire.planner.bases import find_base

WINDOW = 1024


def main() -> None:
    """Print one line for each work and one for each language."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("works", type=Path)
    parser.add_argument("--bytes", type=int, default=200_000)
    parser.add_argument("--base", default="embedded")
    arguments = parser.parse_args()
    base = load_base(find_base(arguments.base), "fp32")
    bits: dict[str, float] = defaultdict(float)
    packed: dict[str, int] = defaultdict(int)
    size: dict[str, int] = defaultdict(int)
    for line in arguments.works.read_text(encoding="utf-8").splitlines():
        work = json.loads(line)
        text = work["text"].encode("utf-8")[: arguments.bytes].decode("utf-8", "ignore")
        blocks = score_blocks(base.model, base.tokenizer, [text], WINDOW)
        own_bits, own_size = sum(b.nats for b in blocks) / math.log(2), sum(b.bytes for b in blocks)
        own_packed = len(lzma.compress(text.encode("utf-8"), preset=9 | lzma.PRESET_EXTREME))
        print(
            f"{work['lang']}  {own_bits / own_size:.3f}  xz {8 * own_packed / own_size:.3f}  {work['id']}", flush=True
        )
        bits[work["lang"]] += own_bits
        size[work["lang"]] += own_size
        packed[work["lang"]] += own_packed
    for language in sorted(bits):
        print(
            f"{language}: {bits[language] / size[language]:.3f} bits per byte over {size[language]:,} bytes; "
            f"xz -9e {8 * packed[language] / size[language]:.3f}"
        )


if __name__ == "__main__":
    main()
