"""Every error that a user can meet.

An error says what went wrong and names the thing, then what to do next.  The command line prints it as two lines
(`error: …`, `try: …`) and leaves with `exit_code`; Python sees a `ValueError`.  What is our own mistake is an
`assert` or an ordinary exception, never one of these.
"""

from __future__ import annotations

import re
from typing import Literal, get_args

BookFault = Literal[
    "missing",  # nothing of that name, or a link to nothing
    "empty",  # no bytes, or nothing but white space
    "not-a-book",  # a folder, a pipe, a device; or a whole file without a text in it
    "wrong-kind",  # something else than its name says, or a kind that Quire does not read
    "damaged",  # cut off, or broken inside
    "protected",  # a password, or DRM
    "image-only",  # pictures of pages
    "too-long",  # one line, or a nesting, longer than anything a person writes
    "too-large",  # more bytes, memory or text than a book may have; bombs
    "too-slow",  # past its time, or no page for too long
    "crashed",  # its reader died
    "unreadable",  # permissions, a file that changed meanwhile, and whatever else
]
BOOK_FAULTS: tuple[BookFault, ...] = get_args(BookFault)
# What steers a terminal, turns the direction of text, or stands for a byte of a name that is no UTF-8.
_STEERING = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class QuireError(ValueError):
    """Something that the user can put right."""

    exit_code = 2

    def __init__(self, what: str, then: str = "", guide: str = "") -> None:
        """`what` names the thing; `then` is the next thing to try; `guide` is a heading's anchor in docs/guide.md."""
        super().__init__(what)
        self.what = what
        self.then = then
        self.guide = guide


class RecipeError(QuireError):
    """A recipe, or a setting given by hand, that cannot be carried out."""


class BookError(QuireError):
    """A file that cannot be read as a book; `code` says why to programs."""

    def __init__(self, what: str, then: str = "", guide: str = "", *, code: BookFault = "unreadable") -> None:
        super().__init__(printable(what), printable(then), guide)
        self.code = code


class BaseModelError(QuireError):
    """A base model that cannot be found or loaded."""


class VoiceError(QuireError):
    """A voice that cannot be found, loaded or applied."""


class RunError(QuireError):
    """A run folder that cannot be used as asked."""


class DiskFull(RunError):
    """The disk has no room for what must be written."""


class DiskFault(RunError):
    """The disk cannot be read or written: an input/output error, or it was mounted read-only."""


class GuardError(RunError):
    """One of the promises about training would be broken; training stops before it does harm."""


class OutOfMemory(RunError):
    """Memory ran out, and nothing is left that could be made smaller without changing what is learned."""


class Stopped(QuireError):
    """Training ended on request (a signal, or its time was up) and can be resumed."""

    exit_code = 75


class Echo(QuireError):
    """Another process of the same run has told what went wrong: this one leaves with its exit code and says nothing."""

    def __init__(self, code: int) -> None:
        super().__init__(f"another process of this run left with exit code {code}")
        self.exit_code = code


def printable(text: str) -> str:
    """One line that can be shown, whatever a file's name or its content put into it: `\\n`, `\\x1b`, `\\u202e`."""
    return _STEERING.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    number = ord(match[0])
    if 0xDC80 <= number <= 0xDCFF:  # how Python keeps such bytes (PEP 383)
        return f"\\x{number - 0xDC00:02x}"
    return match[0].encode("unicode_escape").decode("ascii") if number < 0xD800 else f"\\u{number:04x}"
