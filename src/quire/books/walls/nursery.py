"""The process that has children which read: it loads the readers once, then forks for every file.

It never touches a file's bytes itself.  Each child is new, locked in before it opens its file, and dies when the
reading ends, so that no file can do anything to the next.  Over the socket on standard input come requests, each with
three open files (the book, where the answer goes, where signs of life go); back go `begun` and, later, how the child
ended.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from quire.books import pulse
from quire.books.book import Book
from quire.books.kinds import find_kind, guess_kind
from quire.books.limits import MIB, Limits, ReadOptions
from quire.books.readers import Kind, load, read_kind
from quire.books.walls import confine, wire
from quire.books.walls.launch import hear_signals
from quire.errors import BookError

Reader = Callable[[Kind, Path, ReadOptions], list[Book]]

OTHER_FORMAT = "split it, or convert it to .txt, .docx or .epub with another program, and read that"
NO_MEMORY = 86
"""The exit status of a child that has no memory left to say so."""
IDLE_SECONDS = 5.0
MOST_REQUEST = 4 * MIB
_BEAT_EVERY = 0.01


def main() -> None:
    """Serve requests until the other side is closed, or none has come for some seconds."""
    control = socket.socket(fileno=os.dup(0))
    null = os.open(os.devnull, os.O_RDWR)
    # Libraries that print would only spoil things: nothing leads anywhere from here.
    for standard in (0, 1, 2):
        os.dup2(null, standard)
    module, _, name = sys.argv[1].partition(":")
    reader: Reader = vars(importlib.import_module(module))[name]
    hear_signals()
    confine.die_with(int(sys.argv[2]))
    while select.select([control], [], [], IDLE_SECONDS)[0]:
        received = _receive(control)
        if received is None:
            break
        request, files = received
        kind = request["kind"] or guess_kind(Path(request["path"]))
        with suppress(Exception):  # a reader that cannot be loaded is for the child to report
            if kind:
                load(kind)
        gc.freeze()
        nursery = os.getpid()
        try:
            child = os.fork()
        except OSError:  # no more processes, or no memory for one: it reads this file itself, and that is its end
            control.sendall(b"begun\n")
            _read(reader, request, *files)
        if child == 0:
            control.close()
            confine.die_with(nursery)
            # No other child's files, and none of the nursery's, are open here.
            os.closerange(3, min(files))
            _read(reader, request, *files)
        for file in files:
            os.close(file)
        with suppress(BrokenPipeError, ConnectionResetError):
            control.sendall(b"begun\n")
            _, status, usage = os.wait4(child, 0)
            control.sendall(f"{os.waitstatus_to_exitcode(status)} {usage.ru_maxrss}\n".encode())


def _receive(control: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    """One request, which ends with a line end, and its files; None at the end."""
    data, files, _, _ = socket.recv_fds(control, MIB, 3)
    while data and not data.endswith(b"\n"):
        more = control.recv(MIB)
        if not more or len(data) > MOST_REQUEST:
            return None
        data += more
    return (json.loads(data.decode("utf-8", "surrogatepass")), files) if data else None


def _read(reader: Reader, request: dict[str, Any], book: int, reply: int, beats: int) -> NoReturn:
    """Be the child: read, answer, end."""
    status = 1
    try:
        limits = Limits(**request["limits"])
        path = Path(request["path"])
        with suppress(OSError):  # what it names from there can then not be opened, which is said
            os.chdir(request["folder"])
        kind: Kind | None = request["kind"]
        pulse.listen(_heart(beats))
        confine.bound(limits, endless=(kind or guess_kind(path)) == "jsonl")
        confine.lock_in(book)
        with os.fdopen(reply, "wb", buffering=MIB) as out:
            for line in answer(reader, kind, path, _options(request), limits):
                out.write(line)
                if line.startswith(wire.KIND):
                    out.flush()  # it is told before the reading begins
                else:
                    pulse.beat()
        status = 0
    except MemoryError:
        status = NO_MEMORY
    except BaseException:
        status = 1
    finally:
        os._exit(status)


def _heart(beats: int) -> Callable[[], None]:
    """Writes how often it has been called, but not more often than anyone looks."""
    count = 0
    last = 0.0

    def beat() -> None:
        nonlocal count, last
        count += 1
        now = time.monotonic()
        if now - last >= _BEAT_EVERY:
            last = now
            os.write(beats, count.to_bytes(8, "little"))

    return beat


def answer(reader: Reader, kind: Kind | None, path: Path, options: ReadOptions, limits: Limits) -> Iterator[bytes]:
    """The lines that go back: the books of a file, or why there are none."""
    try:
        kind = kind or find_kind(path)
        yield wire.pack_kind(kind)
        books = reader(kind, path, options)
    except BookError as error:
        yield wire.pack_fault(error.what, error.then, error.code)
        return
    except MemoryError:
        what = f"{path} needs more than {limits.memory // MIB} MB of memory to read"
        yield wire.pack_fault(what, OTHER_FORMAT, "too-large")
        return
    except RecursionError:
        yield wire.pack_fault(f"{path} is nested too deeply to be a book", OTHER_FORMAT, "too-long")
        return
    except OSError as error:
        what = f"{path} cannot be read ({error.strerror or error})"
        yield wire.pack_fault(what, "check the file and its permissions", "unreadable")
        return
    except ImportError as error:
        yield wire.pack_fault(f"{path} cannot be read ({_named(error)})", "pip install --upgrade quire", "unreadable")
        return
    except Exception as error:
        yield wire.pack_fault(f"{path} cannot be read ({_named(error)})", OTHER_FORMAT, "damaged")
        return
    except BaseException as error:  # a panic of a library in Rust is one
        yield wire.pack_fault(f"{path} made its reader crash ({_named(error)})", OTHER_FORMAT, "crashed")
        return
    for book in books:
        yield from wire.pack_book(book)


def _named(error: BaseException) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:200]


def pack_request(path: Path, kind: Kind | None, options: ReadOptions, limits: Limits) -> bytes:
    """What a child is asked: one line."""
    request = {
        "path": os.fsdecode(path),
        "folder": _folder(),
        "kind": kind,
        "options": asdict(options),
        "limits": asdict(limits),
    }
    return json.dumps(request).encode("ascii") + b"\n"


def _folder() -> str:
    """Where names begin; the root where the folder that this process was started in is gone."""
    try:
        return str(Path.cwd())
    except OSError:
        return "/"


def _options(request: dict[str, Any]) -> ReadOptions:
    said = request["options"]
    where = tuple((column, tuple(values)) for column, values in said["where"])
    return ReadOptions(**(said | {"where": where}))


def answer_once() -> None:
    """Where processes cannot fork: one request on standard input, its answer on standard output, no walls."""
    request = json.loads(sys.stdin.buffer.read())
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    limits = Limits(**request["limits"])
    out.writelines(answer(read_kind, request["kind"], Path(request["path"]), _options(request), limits))
    out.close()


if __name__ == "__main__":
    answer_once()
