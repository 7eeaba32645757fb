"""What others need for the text that a base is measured on: a byte model of the very training text, and packers.

The byte model has learned from every work that was not held out, both languages together.  Of the packers, xz and zstd
see one work alone; zstd once more has the training text of the language before it, as far as its window reaches (128
MiB), and packs all works of the language one behind the other.  PPMd of order 8, where pyppmd is installed, learns from
the work as it goes.
"""

from __future__ import annotations

import lzma
import shutil
import subprocess
from collections import defaultdict
from collections.abc import Iterator, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

from benchmarks.base.byte_model import ORDER, ByteModel, train
from benchmarks.base.held_out import row_of, summed
from benchmarks.base.task import Task, tell
from benchmarks.base.texts import Sample, Texts, samples

ZSTD = "zstd 19"
ZSTD_AFTER = "zstd 19 after the training text"
PPMD = "PPMd of order 8"
BYTE_MODEL = f"order-{ORDER} byte model"
XZ = "xz -9e"
_PPMD_MEMORY = 256 << 20
_WINDOW = 27  # the logarithm of zstd's window in bytes


class _Encoder(Protocol):
    def encode(self, data: bytes) -> bytes: ...

    def flush(self) -> bytes: ...


def measure(task: Task) -> dict[str, Any]:
    """`rows` and `languages` as `held_out.measure` gives them, with bits per byte by the name of each model."""
    texts = task.texts()
    of = list(samples(texts, task.books, task.bytes))
    model = byte_model_of(texts)
    rows = []
    for one in of:
        data = one.text.encode("utf-8")
        bits = {BYTE_MODEL: model.bits(data), **packed(data)}
        rows.append(row_of(one, bits))
        shown = "  ".join(f"{name} {value / len(data):.3f}" for name, value in bits.items())
        tell(f"  {one.language}  {shown}  {one.name}")
    names = [name for name in (BYTE_MODEL, XZ, ZSTD, PPMD) if name in rows[0]]
    return {
        "of": texts.origin,
        "order": ORDER,
        "training_bytes": sum(work.bytes for work in texts.of("train")),
        "runs": model.runs,
        "most_bytes": task.bytes,
        "rows": rows,
        "languages": summed(rows, names),
        "after_training_text": after_training_text(texts, of),
    }


def byte_model_of(texts: Texts) -> ByteModel:
    """The byte model of all training text."""
    total = sum(work.bytes for work in texts.of("train"))
    tell(f"an order-{ORDER} byte model of {total / 1e6:.1f} MB")
    model = train(
        (texts.data(work) for work in texts.of("train")),
        told=lambda done: tell(f"  counted {done / 1e6:.0f} of {total / 1e6:.0f} MB"),
    )
    tell(f"  {model.runs:,} different runs of {ORDER + 1} bytes")
    return model


def packed(data: bytes) -> dict[str, float]:
    """The bits that packers need for a text, by their names; those that are not here are left out."""
    found = {XZ: 8.0 * len(lzma.compress(data, preset=9 | lzma.PRESET_EXTREME))}
    if shutil.which("zstd"):
        found[ZSTD] = 8.0 * len(_zstd(data))
    if find_spec("pyppmd") is not None:
        encoder: _Encoder = import_module("pyppmd").Ppmd7Encoder(8, _PPMD_MEMORY)
        found[PPMD] = 8.0 * (len(encoder.encode(data)) + len(encoder.flush()))
    return found


def after_training_text(texts: Texts, of: Sequence[Sample]) -> list[dict[str, Any]]:
    """What zstd needs for all works of a language, packed behind the training text of that language."""
    found: list[dict[str, Any]] = []
    if not shutil.which("zstd"):
        return found
    together: dict[tuple[bool, str], list[bytes]] = defaultdict(list)
    for one in of:
        together[one.unseen, one.language].append(one.text.encode("utf-8"))
    with TemporaryDirectory(prefix="quire-zstd-") as home:
        for language in sorted({language for _, language in together}):
            before = Path(home) / "before"
            with before.open("wb") as out:
                out.writelines(_newest(texts, language))
            for unseen in (False, True):
                data = b"\n\n\n".join(together.get((unseen, language), []))
                if data:
                    bits = 8 * len(_zstd(data, f"--patch-from={before}", f"--long={_WINDOW}"))
                    told = {"language": language, "unseen": unseen, "bytes": len(data)}
                    found.append({**told, ZSTD_AFTER: round(bits / len(data), 4)})
                    tell(f"  {language}  {ZSTD_AFTER} {bits / len(data):.3f}, {'unseen' if unseen else 'held out'}")
    return found


def _newest(texts: Texts, language: str) -> Iterator[bytes]:
    """As many training works as zstd's window holds beside what is packed, the last ones."""
    left = (1 << _WINDOW) - (1 << 24)
    kept = []
    for work in reversed(texts.of("train", language=language)):
        left -= work.bytes
        if left < 0:
            break
        kept.append(work)
    for work in reversed(kept):
        yield texts.data(work)


def _zstd(data: bytes, *more: str) -> bytes:
    """Packed by the command, single-threaded, without a checksum; from a file, for patches want to know its size."""
    with TemporaryDirectory(prefix="quire-zstd-") as home:
        file = Path(home) / "text"
        file.write_bytes(data)
        asked = ["zstd", "-19", "-q", "-c", "--no-check", "--single-thread", *more, str(file)]
        return subprocess.run(asked, capture_output=True, check=True).stdout  # noqa: S603
