"""The process that reads: whatever happens to it, the parent says so in one line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

import bookfiles as making
from quire.books.book import Book
from quire.books.limits import MIB, Limits, ReadOptions
from quire.books.walls import child, wire
from quire.books.walls.child import read_in_child, read_unwalled
from quire.errors import BookError

OPTIONS = ReadOptions()
TESTS = str(Path(__file__).parents[2])


@pytest.fixture
def book(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small book; the readers of tests/badreaders.py can be found by the processes that read it."""
    monkeypatch.setenv("PYTHONPATH", TESTS)
    path = tmp_path / "book.txt"
    path.write_text("One line of text.\n", encoding="utf-8")
    return path


def refusal(path: Path, reader: str, limits: Limits | None = None) -> BookError:
    """What is said when this one of the bad readers reads the file: always one line, always typed."""
    with pytest.raises(BookError) as caught:
        read_in_child(path, "txt", OPTIONS, limits, reader=f"badreaders:{reader}")
    assert str(path) in caught.value.what
    assert "\n" not in caught.value.what + caught.value.then
    assert caught.value.then
    return caught.value


def test_books_come_back_whole(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text("CHAPTER I\n\n" + "\n\n".join(making.PARAGRAPHS) + "\n\nCHAPTER II\n\nNo more.", encoding="utf-8")
    (book,) = read_in_child(path, "txt", OPTIONS)
    assert [chapter.title for chapter in book.chapters] == ["CHAPTER I", "CHAPTER II"]
    assert book.chapters[0].blocks[1].text == making.PARAGRAPHS[1]


def test_the_child_finds_the_kind_itself(tmp_path: Path) -> None:
    path = tmp_path / "book.txt"
    path.write_text("<html><body><h1>Name</h1><p>A page under the wrong name.</p></body></html>", encoding="utf-8")
    (book,) = read_in_child(path, None, OPTIONS)
    assert book.text.endswith("A page under the wrong name.")


@pytest.mark.parametrize(
    ("reader", "code", "words"),
    [
        ("panic", "crashed", "PanicException: called `Option::unwrap()` on a `None` value"),
        ("leave", "crashed", "SystemExit: enough"),
        ("bug", "damaged", "KeyError"),
        ("vanish", "crashed", "exit status 3"),
        ("vanish_with_success", "crashed", "it said nothing"),
        ("no_books", "crashed", "it said nothing"),
        ("crash", "crashed", "SIGSEGV"),
        ("abort", "crashed", "SIGABRT"),
        # From 3.12 on Python itself sees to it that C code does not recurse so far.
        ("overflow_the_stack", *(("crashed", "SIGSEGV") if sys.version_info < (3, 12) else ("too-long", "nested"))),
        ("one_huge_list", "too-large", "more than 256 MB of memory"),
        ("many_small_things", "too-large", "more than 256 MB of memory"),
    ],
)
def test_whatever_a_reader_does_is_one_line(book: Path, reader: str, code: str, words: str) -> None:
    error = refusal(book, reader, Limits(memory=256 * MIB))
    assert error.code == code
    assert words in error.what


def test_the_next_file_is_read_as_if_nothing_had_happened(book: Path) -> None:
    for reader in ("crash", "vanish", "many_small_things"):
        refusal(book, reader, Limits(memory=64 * MIB))
        (read,) = read_in_child(book, None, OPTIONS)
        assert read.text == "One line of text."


@pytest.mark.parametrize("reader", ["hang_in_c", "sleep"])
def test_a_reader_that_gives_no_sign_of_life_is_stopped(book: Path, reader: str) -> None:
    began = time.monotonic()
    error = refusal(book, reader, Limits(seconds=60, silence=0.5))
    assert time.monotonic() - began < 5
    assert error.code == "too-slow"
    assert "no sign of life for 0.5 s" in error.what
    assert ("after 1 pages or chapters" in error.what) == (reader == "sleep")


def test_signs_of_life_do_not_buy_time_for_one_work(book: Path) -> None:
    began = time.monotonic()
    error = refusal(book, "beat_for_ever", Limits(seconds=1, silence=0.5))
    assert time.monotonic() - began < 5
    assert error.code == "too-slow"
    assert "not read within 1 s" in error.what


def test_a_file_of_many_works_has_time_for_each_row(book: Path) -> None:
    limits = Limits(seconds=0.4, silence=0.4)
    (read,) = read_in_child(book, "jsonl", OPTIONS, limits, reader="badreaders:slow_rows")
    assert read.text == "all rows"
    assert refusal(book, "slow_rows", limits).code == "too-slow"


def test_more_text_than_allowed_is_refused(tmp_path: Path, book: Path) -> None:
    path = tmp_path / "long.txt"
    path.write_text(("All work and no play. " * 200 + "\n\n") * 300)
    with pytest.raises(BookError, match="more than 1 MB of text") as caught:
        read_in_child(path, "txt", OPTIONS, Limits(text=MIB))
    assert caught.value.code == "too-large"
    assert refusal(book, "much_text", Limits(text=100_000)).code == "too-large"


def test_more_pieces_than_any_book_has_are_refused(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "MOST_PARTS", 5000)
    error = refusal(book, "many_tiny_blocks")
    assert error.code == "too-large"
    assert "more paragraphs and notes than any book" in error.what


def test_control_characters_that_a_reader_lets_through_are_counted(book: Path) -> None:
    (read,) = read_in_child(book, "txt", OPTIONS, reader="badreaders:controls")
    assert read.text == "a[31mbc\nd\n\nשלום\u200f"
    assert read.warnings == ("3 more control characters removed",)


def test_the_walls_hold(tmp_path: Path, book: Path) -> None:
    from quire.books.walls.confine import confinement

    if not confinement().startswith("yes"):
        pytest.skip(f"walled in here: {confinement()}")
    (tmp_path / "other.txt").write_text("secret")
    options = ReadOptions(text=str(tmp_path))
    (read,) = read_in_child(book, "txt", options, reader="badreaders:attempts")
    results = dict(block.text.split(": ", 1) for block in read.chapters[0].blocks)
    allowed = {"reads its file", "imports lazily", "runs a thread"}
    assert {name for name, result in results.items() if result == "yes"} == allowed
    assert len(results) == 25
    assert sorted(path.name for path in tmp_path.iterdir()) == ["book.txt", "other.txt"]
    assert book.read_text() == "One line of text.\n"


def test_a_file_that_changes_while_it_is_read(book: Path) -> None:
    def write() -> None:
        time.sleep(0.3)
        with book.open("a") as file:
            file.write("One more.\n")

    writer = threading.Thread(target=write)
    writer.start()
    with pytest.raises(BookError, match=r"book\.txt changed while it was read") as caught:
        read_in_child(book, "jsonl", OPTIONS, reader="badreaders:slow_rows")
    writer.join()
    assert caught.value.code == "unreadable"


def test_a_file_that_is_replaced_by_a_pipe_does_not_hold_anyone_up(book: Path) -> None:
    def replace() -> None:
        time.sleep(0.3)
        os.mkfifo(book.with_name("pipe"))
        book.with_name("pipe").replace(book)

    writer = threading.Thread(target=replace)
    writer.start()
    with pytest.raises(BookError, match="changed while it was read"):
        read_in_child(book, "jsonl", OPTIONS, reader="badreaders:slow_rows")
    writer.join()


def test_threads_read_beside_each_other(book: Path) -> None:
    found: list[list[Book]] = []
    threads = [threading.Thread(target=lambda: found.append(read_in_child(book, None, OPTIONS))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [books[0].text for books in found] == ["One line of text."] * 4


def test_a_nursery_that_left_or_died_is_replaced(book: Path) -> None:
    read_in_child(book, None, OPTIONS)
    (nursery,) = child._own.nurseries.values()
    os.kill(nursery.process.pid, signal.SIGKILL)
    nursery.process.wait()
    assert read_in_child(book, None, OPTIONS)[0].text == "One line of text."


def test_a_process_that_was_forked_off_has_a_nursery_of_its_own(book: Path) -> None:
    read_in_child(book, None, OPTIONS)
    forked = os.fork()
    if forked == 0:
        os._exit(0 if read_in_child(book, None, OPTIONS)[0].words == 4 else 1)
    assert os.waitpid(forked, 0)[1] == 0
    assert read_in_child(book, None, OPTIONS)[0].words == 4


def test_no_process_is_left_behind(book: Path) -> None:
    code = (
        "import sys, quire.books.walls.child as c; from pathlib import Path; from quire.books.limits import PLAIN;"
        "c.read_in_child(Path(sys.argv[1]), None, PLAIN);"
        "print(next(iter(c._own.nurseries.values())).process.pid)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(book)], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert not Path(f"/proc/{done.stdout.strip()}").exists()


def test_a_child_that_talks_nonsense(book: Path) -> None:
    task = child.Task(book, -1, b"", Limits())
    for lines in (b'["end"]', b"\xff", b'{"books": []}', b"[" * 100_000, b'["blocks", 3]', b'["fault", 1, 2, 3]'):
        unpacker = wire.Unpacker(Limits())
        with pytest.raises(ValueError):
            unpacker.take(lines)
        with pytest.raises(BookError, match="it said nothing"):
            child._books(task, child.Ended(0, 0, unpacker))


def test_secrets_of_the_environment_stay_outside() -> None:
    assert not any("TOKEN" in name or "KEY" in name for name in child.PASSED_ON)


def test_reading_where_processes_cannot_fork(tmp_path: Path, book: Path) -> None:
    assert read_unwalled(book, None, OPTIONS, Limits())[0].text == "One line of text."
    blank = tmp_path / "blank.txt"
    blank.write_text(" \n")
    with pytest.raises(BookError, match="holds no text"):
        read_unwalled(blank, None, OPTIONS, Limits())
    with pytest.raises(BookError, match="not read within") as caught:
        read_unwalled(book, None, OPTIONS, Limits(seconds=0.001))
    assert caught.value.code == "too-slow"


def test_no_heavy_library_is_loaded_to_read_text() -> None:
    code = (
        "import sys, quire.books.walls.child, quire.books.plain.txt; print([m for m "
        "in ('torch', 'pydantic', 'lxml', 'numpy') if m in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_where_the_system_ends_a_reader_its_memory_is_named(book: Path) -> None:
    task = child.Task(book, -1, b"", Limits())
    with pytest.raises(BookError, match="killed by the system") as caught:
        child._books(task, child.Ended(-signal.SIGKILL, 0, wire.Unpacker(Limits())))
    assert caught.value.code == "too-large"


def test_where_no_process_can_be_started_that_is_said(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(BookError, match=r"no reader could be started \(No such file") as caught:
        read_in_child(book, None, OPTIONS, reader="another:nursery")
    assert caught.value.then


@pytest.mark.skipif(sys.platform != "linux", reason="limits of processes are counted otherwise")
def test_circumstances_in_which_books_are_read_all_the_same(tmp_path: Path) -> None:
    """What a shell, a container or a service may have set: each in a process of its own, which the setting binds."""
    book = tmp_path / "book.txt"
    book.write_text("One line of text.\n")
    settings = {
        "SIGCHLD ignored": "signal.signal(signal.SIGCHLD, signal.SIG_IGN)",
        "no standard streams": "[os.close(n) for n in (0, 1, 2)]",
        "little address space": "resource.setrlimit(resource.RLIMIT_AS, (400 * 2**20,) * 2)",
        "few open files": "resource.setrlimit(resource.RLIMIT_NOFILE, (20, 20))",
        "no file may grow": "resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))",
        "a small stack": "resource.setrlimit(resource.RLIMIT_STACK, (512 * 1024,) * 2)",
        "its folder is gone": "os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone')",
        "modules found late": "sys.path.append('/nowhere')",
    }
    ended = {}
    for name, setting in settings.items():
        code = (
            f"import os, resource, signal, sys\n{setting}\n"
            "from pathlib import Path\nfrom quire.books.limits import PLAIN\nfrom quire.books.walls.child import *\n"
            "read, = read_in_child(Path(sys.argv[1]), None, PLAIN)\n"
            "os._exit(0 if read.text == 'One line of text.' else 1)"
        )
        done = subprocess.run(
            [sys.executable, "-P", "-c", code, str(book)], cwd=tmp_path, capture_output=True, text=True
        )
        ended[name] = done.stderr[-500:] if done.returncode else "read"
    assert ended == dict.fromkeys(settings, "read")
