"""Reading in a process of its own, with limits on time, memory and output.

Parsers of PDF, XML and zip are large programs in C that meet files from strangers.  Whatever they do there (crash,
hang, fill the memory), the process that asked for the book goes on and says in one line what happened.  Books come
back as
JSON, never as pickles.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from quire.books.book import Book
from quire.books.limits import MIB, Limits, ReadOptions
from quire.books.readers import Kind, read_kind
from quire.books.wire import pack_book, unpack_book
from quire.errors import BOOK_FAULTS, BookError, BookFault

# What the child needs to find Python and this package; tokens and other secrets of the environment stay outside.
_PASSED_ON = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "HOME", "SYSTEMROOT", "LANG", "LC_ALL")
_OTHER_FORMAT = "convert the book to .txt, .docx or .epub with another program and read that"


def read_in_child(path: Path, kind: Kind, options: ReadOptions, limits: Limits | None = None) -> list[Book]:
    """The books of one file, read by a child process.

    Raises BookError for everything that can go wrong there: a file that is no book, a crash, a hang, too much memory.
    """
    limits = limits or Limits()
    reply = _run(_request(path, kind, options, limits), limits, f"{path}")
    if "books" in reply:
        return [unpack_book(book) for book in reply["books"]]
    code = reply["code"]
    raise BookError(str(reply["what"]), then=str(reply["then"]), code=code if code in BOOK_FAULTS else "unreadable")


def _request(path: Path, kind: Kind, options: ReadOptions, limits: Limits) -> str:
    return json.dumps(
        {
            "path": os.fsdecode(path),
            "kind": kind,
            "text": options.text,
            "where": options.where,
            "format": options.format,
            "matter": options.matter,
            "ocr": options.ocr,
            "limits": [limits.seconds, limits.memory, limits.text, limits.file],
        }
    )


def _run(request: str, limits: Limits, name: str) -> dict[str, Any]:
    """Start the child, hand it the request, and read its reply until it ends or a limit is met."""
    environment = {key: os.environ[key] for key in _PASSED_ON if key in os.environ}
    with _signals_held_back():
        process = subprocess.Popen(
            [sys.executable, "-P", "-X", "utf8", "-m", "quire.books.child"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
        )
    assert process.stdout is not None
    late = threading.Event()

    def stop() -> None:
        late.set()
        process.kill()

    clock = threading.Timer(limits.seconds, stop)
    clock.start()
    try:
        _hand_over(process, request)
        reply = bytearray()
        # JSON escapes make text longer: quotes and line ends twice, and every block brings its place.
        most = 4 * limits.text
        while chunk := process.stdout.read(MIB):
            reply += chunk
            if len(reply) > most:
                raise BookError(
                    f"{name} holds more than {limits.text // MIB} MB of text",
                    then="split it into several files",
                    code="too-large",
                )
        process.wait()
    finally:
        clock.cancel()
        process.kill()
        process.wait()
        process.stdout.close()
    if late.is_set():
        raise BookError(f"{name} was not read within {limits.seconds:.0f} s", then=_OTHER_FORMAT, code="too-slow")
    if process.returncode != 0 or not reply:
        what = f"{name} made its reader crash ({_ending(process.returncode)})"
        raise BookError(what, then=_OTHER_FORMAT, code="crashed")
    decoded: dict[str, Any] = json.loads(reply)
    return decoded


@contextmanager
def _signals_held_back() -> Iterator[None]:
    """A process started inside stays deaf to Ctrl-C and SIGTERM, which reach whole groups of processes: what they
    mean is the parent's to say.  It hears what came meanwhile at the end."""
    if sys.platform == "win32":
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _hand_over(process: subprocess.Popen[bytes], request: str) -> None:
    assert process.stdin is not None
    try:
        process.stdin.write(request.encode("utf-8", "surrogatepass"))
        process.stdin.close()
    except BrokenPipeError:
        # It died before it listened; its exit status tells the rest.
        process.stdin.close()


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit status {code}"


def _limit(limits: Limits) -> None:
    """Bind this process to its limits, where the system knows them."""
    if sys.platform == "win32":
        return
    import resource

    seconds = int(limits.seconds) + 5
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        space = pages * resource.getpagesize() + limits.memory
        resource.setrlimit(resource.RLIMIT_AS, (space, space))


def _answer(request: dict[str, Any]) -> dict[str, Any]:
    """The reply to a request: `books`, or `what` went wrong and what to do `then`."""
    seconds, memory, text, file = request["limits"]
    limits = Limits(seconds, memory, text, file)
    path, kind = Path(request["path"]), request["kind"]
    where = tuple((column, tuple(values)) for column, values in request["where"])
    options = ReadOptions(request["text"], where, request["format"], request["matter"], request["ocr"])
    try:
        books = read_kind(kind, path, options)
        length = sum(len(block.text) for book in books for chapter in book.chapters for block in chapter.blocks)
        if length > limits.text:
            what = f"{path} holds more than {limits.text // MIB} MB of text"
            return _fault(what, "split it into several files", "too-large")
        return {"books": [pack_book(book) for book in books]}
    except BookError as error:
        return _fault(error.what, error.then, error.code)
    except MemoryError:
        what = f"{path} needs more than {limits.memory // MIB} MB of memory to read"
        return _fault(what, _OTHER_FORMAT, "too-large")
    except RecursionError:
        return _fault(f"{path} is nested too deeply to be a book", _OTHER_FORMAT, "too-long")
    except OSError as error:
        what = f"{path} cannot be read ({error.strerror or error})"
        return _fault(what, "check the file and its permissions", "unreadable")
    except Exception as error:
        fault = " ".join(f"{type(error).__name__}: {error}".split())[:200]
        return _fault(f"{path} cannot be read as {kind} ({fault})", _OTHER_FORMAT, "damaged")


def _fault(what: str, then: str, code: BookFault) -> dict[str, Any]:
    return {"what": what, "then": then, "code": code}


def main() -> None:
    """Read one request from standard input, write one reply to standard output."""
    request = json.loads(sys.stdin.buffer.read().decode("utf-8", "surrogatepass"))
    # Libraries that print would spoil the reply: only this handle still leads to the parent.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    seconds, memory, text, file = request["limits"]
    _limit(Limits(seconds, memory, text, file))
    reply = json.dumps(_answer(request)).encode("ascii")
    out.write(reply)
    out.close()


if __name__ == "__main__":
    main()
