"""How fast a corpus becomes windows on the disk, and whether memory stays flat as it grows tenfold.

    python -m benchmarks.preparing [--windows N] [--corpus GLOB]

It makes N windows of 512 tokens (10,000 by default) and then ten times as many, with the embedded base's tokenizer, the
text of a novella kept out of them, and prints a line of JSON for each: tokens a second of the processor (reader and
tokenizer together), and the most memory that was held.  Without a corpus it writes one of paragraphs drawn
from the words of the bundled novella, with a copy of one of its chapters in every hundredth row.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import sys
import tempfile
import time
from pathlib import Path

import quire
from quire.planner.bases import find_base
from quire.recipe.load import load_recipe
from quire.tokens.tokenizer import load_tokenizer
from quire.verbs.texts.prepare import prepare_stage

WINDOW = 512
_ROW_WORDS = 2_000
_TABLES = 4


def write_corpus(folder: Path, words: int) -> str:
    """Rows of paragraphs of the novella's words in new order; every hundredth holds a chapter as it stands there."""
    novella = quire.read("sample:novella").books[0]
    vocabulary = novella.text.split()
    draw = random.Random(7)
    rows = max(_TABLES, words // _ROW_WORDS)
    for table in range(_TABLES):
        with (folder / f"train-{table}.jsonl").open("w", encoding="utf-8") as out:
            for number in range(table, rows, _TABLES):
                paragraphs = [" ".join(draw.choices(vocabulary, k=80)) for _ in range(_ROW_WORDS // 80)]
                if number % 100 == 0:
                    paragraphs.append(draw.choice(novella.chapters).text)
                out.write(json.dumps({"text": "\n\n".join(paragraphs)}) + "\n")
    return str(folder / "train-*.jsonl")


def measure(corpus: str, windows: int, home: Path) -> dict[str, object]:
    """Prepare so many windows, find them again, and say what it took."""
    stream = {"path": corpus, "stream": True, "validation": "2%", "test": "2%"}
    stages = [
        {"name": "wide", "shelf": [stream], "window": WINDOW, "samples": windows},
        {"name": "book", "shelf": [{"sample": "novella"}], "window": WINDOW},
    ]
    recipe = load_recipe({"base": "embedded", "stages": stages}).recipe
    tokenizer = load_tokenizer(find_base("embedded", weights=False).path)
    used, began = processor(), time.perf_counter()
    data = prepare_stage(recipe, 0, tokenizer, home)
    seconds, spent = time.perf_counter() - began, processor() - used
    (streamed,) = data.streamed
    again = time.perf_counter()
    prepare_stage(recipe, 0, tokenizer, home)
    return {
        "windows": len(data.rows[0]),
        "rows_read": sum(facts.table_rows for facts in streamed.pieces),
        "tokens": streamed.made_tokens,
        "words_left_out": streamed.words("left"),
        "seconds": round(seconds, 1),
        "processor_seconds": round(spent, 1),
        "tokens_per_processor_second": round(streamed.made_tokens / spent),
        "parent_mb_most": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3),
        "seconds_to_find_it_again": round(time.perf_counter() - again, 1),
    }


def processor() -> float:
    """Seconds of the processor of this process and its children."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in usage)


def _print(corpus: str, windows: int, folder: str) -> None:
    print(json.dumps(measure(corpus, windows, Path(folder))), flush=True)


def main() -> None:
    """Write, prepare, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--windows", type=int, default=10_000)
    parser.add_argument("--corpus")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        # A novella's words come to about 1.45 tokens each.
        corpus = asked.corpus or write_corpus(Path(folder), round(10 * asked.windows * WINDOW / 1.35))
        for windows in (asked.windows, 10 * asked.windows):
            with tempfile.TemporaryDirectory() as home:
                # Each in a process of its own: what one takes is no other's.
                process = multiprocessing.get_context("spawn").Process(target=_print, args=(corpus, windows, home))
                process.start()
                process.join()
                if process.exitcode:
                    sys.exit(process.exitcode)


if __name__ == "__main__":
    main()
