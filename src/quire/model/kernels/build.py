"""Compile the native kernels: C with OpenMP and x86's vector instructions, into one library beside this file.

The build hook of the package (hatch_build.py) calls `build` on every install.  Nothing depends on it: where no compiler
is, or one that does not know these instructions, Quire computes the same with torch alone, only slower.

This file imports nothing of Quire, so that the hook can run it before anything is installed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
SOURCES = HERE / "source"
LIBRARY = HERE / "libquire.so"
# gcc before all others: torch brings gcc's OpenMP, and what clang makes cannot be loaded without its own.
COMPILERS = ("gcc", "cc", "clang")
# No -march: each function names the instructions that it needs, and the loader asks the processor before it is called.
# No -ffast-math: NaN and infinity must stay visible.  Nor may a compiler make one rounding of two: clang would.
EXACT = ("-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")
FLAGS = ("-std=c11", "-O3", "-fPIC", "-fopenmp", *EXACT, "-Wall", "-Wextra")


def source_hash() -> str:
    """Of all sources together: a library made from others is not to be used."""
    digest = hashlib.sha256()
    for path in sorted(SOURCES.iterdir()):
        if path.suffix in (".c", ".h"):
            digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def build(library: Path = LIBRARY) -> str | None:
    """Compile the sources to `library`; returns None, or why that was not possible."""
    if not sys.platform.startswith("linux") or platform.machine() not in ("x86_64", "AMD64"):
        return f"no native kernels for {sys.platform} on {platform.machine()}"
    compiler = os.environ.get("CC") or next(filter(shutil.which, COMPILERS), None)
    if compiler is None:
        return "no C compiler was found"
    with tempfile.TemporaryDirectory(prefix="quire-kernels-") as folder:
        objects = []
        for source in sorted(SOURCES.glob("*.c")):
            objects.append(Path(folder) / f"{source.stem}.o")
            define = f'-DQUIRE_SOURCES="{source_hash()}"'
            problem = _run(compiler, *FLAGS, define, "-c", str(source), "-o", str(objects[-1]))
            if problem is not None:
                return problem
        # Not linked with -fopenmp: its functions are those that torch has loaded, and both share one set of threads.
        made = Path(folder) / library.name
        problem = _run(compiler, "-shared", *map(str, objects), "-lm", "-o", str(made))
        if problem is None:
            # In one move: a program that runs keeps the library that it has loaded.
            beside = library.with_name(f".{library.name}.{os.getpid()}")
            shutil.copyfile(made, beside)
            beside.replace(library)
        return problem


def _run(*command: str) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)  # noqa: S603
    except (OSError, subprocess.SubprocessError) as error:
        return f"{command[0]} failed: {error}"
    if done.returncode == 0:
        return None
    said = next((line for line in done.stderr.splitlines() if "error" in line), done.stderr.strip()[:200])
    return f"{command[0]} failed: {said}"


if __name__ == "__main__":
    why = build()
    print(f"built {LIBRARY.name}" if why is None else f"not built: {why}")  # noqa: T201
