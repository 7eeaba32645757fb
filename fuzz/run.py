"""Fuzz the readers: with atheris where it is installed, with a plain loop of changed seeds where it is not.

    python -m fuzz.run --seconds 60              all targets, so many seconds each
    python -m fuzz.run --seconds 600 --only epub

Every target runs in a process of its own, bound in memory.  An input that breaks something is kept in `--keep` and
named; the exit code is then 1.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import importlib.util
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from types import FrameType
from typing import NoReturn

from fuzz.mutate import LONGEST, mutate
from fuzz.seeds import FAMILY, WORDS, seeds

MEMORY_MIB = 2048
SECONDS_AN_INPUT = 10
FOUND = 77
"""The exit status with which atheris leaves, too, when it has found something."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run targets one after the other; 1 when any of them broke."""
    parser = argparse.ArgumentParser(
        prog="fuzz.run", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0, help="for each target")
    parser.add_argument(
        "--only", action="append", choices=sorted(FAMILY), help="this target; may be given several times"
    )
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plain", action="store_true", help="without atheris even where it is installed")
    parser.add_argument("--keep", type=Path, default=None, help="folder for inputs that break something")
    parser.add_argument("--one", choices=sorted(FAMILY), help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    keep = given.keep or Path(tempfile.mkdtemp(prefix="quire-fuzz-found-"))
    keep.mkdir(parents=True, exist_ok=True)
    plain = given.plain or importlib.util.find_spec("atheris") is None
    if given.one and plain:
        # This process is here for one target alone; atheris keeps to a limit of its own.
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_MIB * 2**20, MEMORY_MIB * 2**20))
        return _plain(given.one, given.seconds, given.seed, keep)
    if given.one:
        _guided(given.one, given.seconds, keep)
    broken = [name for name in given.only or FAMILY if not _in_a_process(name, given, plain, keep)]
    print(f"broken: {', '.join(broken)}; the inputs are in {keep}" if broken else "nothing was found")
    return 1 if broken else 0


def _in_a_process(name: str, given: argparse.Namespace, plain: bool, keep: Path) -> bool:
    """Whether a target came through; what it said is shown where it did not."""
    command = [sys.executable, "-m", "fuzz.run", "--one", name, "--seconds", str(given.seconds)]
    command += ["--seed", str(given.seed), "--keep", str(keep), *(["--plain"] if plain else [])]
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)  # noqa: S603
    lines = (done.stdout + done.stderr).strip().splitlines()
    print(f"{name}: {time.monotonic() - began:.0f} s, {'whole' if done.returncode == 0 else 'BROKEN'}")
    shown = lines[-1:] if done.returncode == 0 else lines[-25:]
    print("".join(f"  {line}\n" for line in shown), end="", flush=True)
    return done.returncode == 0


def _guided(name: str, seconds: float, keep: Path) -> NoReturn:
    """Let atheris look for inputs that reach new code."""
    import atheris

    with atheris.instrument_imports(include=["quire", "zipfile", "json", "yaml"]):
        from fuzz.targets import target

        run = target(name)
    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(seeds()[name]):
            (Path(folder) / f"seed-{number}").write_bytes(data)
        words = Path(folder).with_suffix(".words")
        escaped = ("".join(f"\\x{byte:02x}" for byte in word) for word in WORDS[FAMILY[name]])
        words.write_text("".join(f'"{word}"\n' for word in escaped), encoding="ascii")
        options = [f"-max_total_time={max(1, int(seconds))}", f"-timeout={SECONDS_AN_INPUT}", f"-max_len={LONGEST}"]
        options += [f"-rss_limit_mb={MEMORY_MIB}", f"-artifact_prefix={keep}/{name}-", f"-dict={words}", folder]
        atheris.Setup([sys.argv[0], *options], run)
        atheris.Fuzz()
    raise SystemExit(0)


def _plain(name: str, seconds: float, seed: int, keep: Path) -> int:
    """Change seeds at random until the time is up."""
    from fuzz.targets import target

    current = keep / f"{name}-running"
    end = time.monotonic() + seconds
    count = search(name, target(name), seed, lambda data: (current.write_bytes(data), time.monotonic() < end)[1])
    if isinstance(count, Failure):
        kept = keep / f"{name}-{seed}-{count.number}"
        kept.write_bytes(count.data)
        print(f"{count.said}\n{len(count.data)} bytes kept in {kept}; beginning with {count.data[:200].hex()}")
        return FOUND
    current.unlink(missing_ok=True)
    print(f"{count} inputs")
    return 0


class Failure:
    """An input that broke something, and how."""

    def __init__(self, number: int, data: bytes, said: str) -> None:
        self.number, self.data, self.said = number, data, said


def search(name: str, run: object, seed: int, go_on: object) -> int | Failure:
    """Run changed seeds while `go_on` of the next input is true; how many there were, or the first that failed."""
    assert callable(run)
    assert callable(go_on)
    chance = random.Random(f"{name} {seed}")
    begin = seeds()[name]
    words = WORDS[FAMILY[name]]
    count = 0
    while True:
        data = begin[count] if count < len(begin) else mutate(chance, chance.choice(begin), begin, words)
        if not go_on(data):
            return count
        with _clock():
            try:
                run(data)
            except Exception:
                return Failure(count, data, traceback.format_exc(limit=-6))
        count += 1


@contextlib.contextmanager
def _clock():  # type: ignore[no-untyped-def]
    """Raise in Python code that takes too long; end the process where C code does."""
    before = signal.signal(signal.SIGALRM, _too_long)
    signal.setitimer(signal.ITIMER_REAL, SECONDS_AN_INPUT)
    faulthandler.dump_traceback_later(3 * SECONDS_AN_INPUT, exit=True)
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _too_long(_number: int, _frame: FrameType | None) -> NoReturn:
    raise TimeoutError(f"one input took more than {SECONDS_AN_INPUT} s")


if __name__ == "__main__":
    sys.exit(main())
