"""The process of one case: a question on stdin, an answer on stdout, as JSON."""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from quire.errors import QuireError
from quire.verbs.quiet import hush, hush_bars, stay_offline


def main() -> None:
    """Answer the one question that comes.  What libraries print goes to stderr: stdout carries the answer alone."""
    answers = os.dup(1)
    os.dup2(2, 1)
    hush()
    stay_offline()
    question = sys.stdin.readline()
    with os.fdopen(answers, "w", encoding="utf-8") as out:
        out.write(json.dumps(answer(json.loads(question))) + "\n")


def answer(question: Mapping[str, Any]) -> dict[str, Any]:
    """What the case came to (`found`), or why it came to nothing (`problem`).

    The question: `kind` is training or writing, `config` the base's config.json, `arguments` those of the function in
    `benching.course` but for the config.
    """
    from quire.verbs.benching.course import die_first, train_case, write_case

    hush_bars()
    die_first()
    try:
        if question["kind"] == "training":
            return {"found": asdict(train_case(question["config"], **question["arguments"]))}
        return {"found": asdict(write_case(question["config"], **question["arguments"]))}
    except QuireError as error:
        return {"problem": error.what}


if __name__ == "__main__":
    main()
    gc.freeze()  # not all that the libraries made is looked through once more, as in `quire.cli.main`
