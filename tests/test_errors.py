"""What an error for users carries."""

from __future__ import annotations

import pytest

from quire import errors
from quire.errors import BOOK_FAULTS, BookError, DiskFull, QuireError, RunError, Stopped


def test_an_error_says_what_and_what_then() -> None:
    error = BookError("a.txt is empty", then="download it again", guide="reading")
    assert str(error) == error.what == "a.txt is empty"
    assert (error.then, error.guide) == ("download it again", "reading")


def test_every_error_is_a_value_error_that_one_name_catches() -> None:
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert len(kinds) >= 9
    assert all(issubclass(kind, QuireError) and issubclass(kind, ValueError) for kind in kinds)
    with pytest.raises(RunError):
        raise DiskFull("no room")


def test_only_a_wished_stop_leaves_with_the_code_for_trying_again() -> None:
    assert Stopped.exit_code == 75
    assert BookError.exit_code == DiskFull.exit_code == 2


def test_a_book_that_cannot_be_read_has_a_word_for_programs() -> None:
    assert BookError("a.pdf is locked", then="unlock it", code="protected").code == "protected"
    assert BookError("a.pdf is odd").code == "unreadable"
    assert {"missing", "empty", "damaged", "too-slow", "crashed", "unreadable"} <= set(BOOK_FAULTS)
    assert len(set(BOOK_FAULTS)) == len(BOOK_FAULTS) == 12


def test_a_book_s_name_never_steers_the_terminal() -> None:
    error = BookError("a\n\x1b[31m\u202eb\udcff\ud800 é\u200d.txt is empty", then="rm 'a\n'")
    assert error.what == r"a\n\x1b[31m\u202eb\xff\ud800 é" + "\u200d.txt is empty"
    assert error.then == r"rm 'a\n'"
    assert str(error) == error.what
