"""What bad input gets, by the front door: exit code 2, one line that names the thing, one that says what to try.

And that nothing is lost by it: what lay in the run folder before lies there afterwards.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import repeat
from pathlib import Path

import pytest

from bookfiles import PARAGRAPHS, epub, pdf
from quire.cli.app import run
from quire.run.events import EventLog, read_events
from quire.run.folder import RunFolder
from quire.run.lock import hold

Shown = pytest.CaptureFixture[str]
NOBODY = 65534
TINY = {
    "train.window": "64",
    "train.precision": "fp32",
    "train.steps": "4",
    "train.evaluate_every": "1",
    "train.keep": "3",
    "write.max_new_tokens": "4",
}


def refused(shown: Shown, *arguments: str, code: int = 2) -> tuple[str, str]:
    """Carry out the command; its `error:` and `try:` lines, without these words, of which there must be one each."""
    shown.readouterr()
    assert run(arguments) == code
    out, err = shown.readouterr()
    assert "Traceback" not in out + err
    lines = err.splitlines()
    assert [line.partition(":")[0] for line in lines if line.startswith(("error:", "try:"))] == ["error", "try"]
    error, remedy = lines[-2].removeprefix("error: "), lines[-1].removeprefix("try: ")
    assert error.strip()
    assert remedy.strip()
    assert out == ""
    return error, remedy


def train_command(book: Path, base: Path, place: Path, *more: str, **changes: str) -> list[str]:
    settings = [part for key, value in (TINY | changes).items() for part in ("--set", f"{key}={value}")]
    return ["train", str(book), "--base", str(base), "--run", str(place), *settings, *more]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file, without the lock, which holds whoever came last."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bad-input")


@pytest.fixture(scope="module")
def book(home: Path) -> Path:
    sentences = (
        "The ferryman opened the door and looked at the water for a long time.",
        "You ask me why we do not go on, she said to the clerk.",
        "Nobody in the village had seen it leave, and nobody would say so.",
    )
    chapters = []
    for number in range(10):
        turned = " ".join(sentences[number % 3 :] + sentences[: number % 3])
        chapters.append(f"# Chapter {number + 1}\n\n{turned}\n\n{turned}")
    path = home / "river.md"
    path.write_text("\n\n".join(chapters) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def finished_once(home: Path, book: Path, tiny_base: Path) -> Path:
    assert run(train_command(book, tiny_base, home / "done")) == 0
    return home / "done"


@pytest.fixture
def finished(finished_once: Path, tmp_path: Path) -> Path:
    """A run with its voice, for this test alone."""
    return Path(shutil.copytree(finished_once, tmp_path / "done"))


@pytest.fixture
def halfway(finished: Path) -> Path:
    """The same run as if it had been killed after its third step."""
    kept = []
    for line in (finished / "events.jsonl").read_text(encoding="utf-8").splitlines(keepends=True):
        event = json.loads(line)
        kept.append(line)
        if event["kind"] == "checkpoint" and event["step"] == 3:
            break
    (finished / "events.jsonl").write_text("".join(kept), encoding="utf-8")
    shutil.rmtree(finished / "checkpoints" / "0000004")
    shutil.rmtree(finished / "voice")
    (finished / "samples.md").unlink()
    return finished


# Files that are no books


def test_a_missing_file_is_named_and_its_neighbour_proposed(book: Path, capsys: Shown) -> None:
    error, remedy = refused(capsys, "read", str(book.with_name("rivre.md")))
    assert "rivre.md does not exist" in error
    assert str(book) in remedy


@pytest.mark.parametrize("verb", ["plan", "train"])
def test_a_missing_source_is_named_and_leaves_no_run_behind(
    verb: str, tmp_path: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    error, _ = refused(capsys, verb, "no-such-book.epub")
    assert "no-such-book.epub" in error
    assert list(tmp_path.rglob("*.yaml")) == []
    assert list(tmp_path.rglob("checkpoints")) == []


@pytest.mark.parametrize("ending", ["txt", "md", "html", "epub", "pdf", "docx", "odt", "rtf", "jsonl"])
def test_an_empty_file_is_named(ending: str, tmp_path: Path, capsys: Shown) -> None:
    file = tmp_path / f"novel.{ending}"
    file.touch()
    assert str(file) in refused(capsys, "read", str(file))[0]


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("blank.txt", b" \n\t\n" * 100),
        ("picture.txt", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4),
        ("novel.pdf", b"this was never a PDF"),
        ("novel.epub", b"PK\x03\x04 cut off"),
        ("novel.docx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)),
        ("poems.jsonl", b"{not json}\n{nor this}\n"),
        ("table.csv", b"1,2\n3,4\n"),
        ("model.bin", b"\x80\x04\x95" + bytes(60)),
    ],
)
def test_a_file_that_is_no_book_is_named(name: str, data: bytes, tmp_path: Path, capsys: Shown) -> None:
    file = tmp_path / name
    file.write_bytes(data)
    assert str(file) in refused(capsys, "read", str(file))[0]


def test_a_file_that_may_not_be_read_is_named(capsys: Shown) -> None:
    with tempfile.TemporaryDirectory(prefix="quire-test-") as folder:
        Path(folder).chmod(0o755)
        file = Path(folder) / "diary.txt"
        file.write_text("Dear diary.\n", encoding="utf-8")
        file.chmod(0)
        with as_nobody():
            error, remedy = refused(capsys, "read", str(file))
    assert "diary.txt" in error
    assert "chmod" in remedy or "permission" in remedy


@contextmanager
def as_nobody() -> Iterator[None]:
    """Permissions do not bind root."""
    if os.getuid() != 0:
        yield
        return
    os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)


def test_a_protected_epub_is_named(tmp_path: Path, capsys: Shown) -> None:
    file = tmp_path / "bought.epub"
    lock = (
        '<encryption xmlns="urn:oasis:names:tc:opendocument:xmlns:container" '
        'xmlns:enc="http://www.w3.org/2001/04/xmlenc#"><enc:EncryptedData>'
        '<enc:EncryptionMethod Algorithm="http://www.w3.org/2001/04/xmlenc#aes128-cbc"/>'
        '<enc:CipherData><enc:CipherReference URI="OEBPS/c.xhtml"/></enc:CipherData></enc:EncryptedData></encryption>'
    )
    epub(file, {"c.xhtml": "�" * 800}, extra={"META-INF/encryption.xml": lock})
    error, _ = refused(capsys, "read", str(file))
    assert str(file) in error
    assert "protect" in error or "encrypt" in error or "DRM" in error


@pytest.mark.parametrize("name", ["encrypted-user-password.pdf", "drm-encrypted.epub", "not-a-pdf.pdf"])
def test_the_developers_broken_files_are_named(name: str, shared_data: Path, capsys: Shown) -> None:
    file = shared_data / "hostile" / name
    assert str(file) in refused(capsys, "read", str(file))[0]


def test_a_book_of_pictures_is_named_and_told_from_an_empty_one(tmp_path: Path, capsys: Shown) -> None:
    file = pdf(tmp_path / "novel.pdf", [[], [], []], image=True)
    error, remedy = refused(capsys, "read", str(file))
    assert str(file) in error
    assert re.search("picture|image|scan", error)
    assert "ocr" in remedy.lower()


def test_a_locked_pdf_is_named(tmp_path: Path, capsys: Shown) -> None:
    file = pdf(tmp_path / "novel.pdf", [[(40, 500, 11, PARAGRAPHS[0])]], password=b"secret")
    error, _ = refused(capsys, "read", str(file))
    assert str(file) in error
    assert re.search("password|encrypt|locked", error)


@pytest.mark.parametrize("text", ["Only one line.\n", "# One\n\nShort.\n\n# Two\n\nShorter.\n"])
def test_a_book_too_short_to_hold_anything_out_is_refused_before_training(
    text: str, tmp_path: Path, tiny_base: Path, capsys: Shown
) -> None:
    file = tmp_path / "haiku.md"
    file.write_text(text, encoding="utf-8")
    error, remedy = refused(capsys, *train_command(file, tiny_base, tmp_path / "run"))
    assert "haiku" in error or "held out" in error or "hold out" in error
    assert "text" in remedy or "book" in remedy
    assert not list((tmp_path / "run").glob("checkpoints/*"))


# Recipes and bases


def test_all_mistakes_of_a_recipe_are_told_at_once(tmp_path: Path, book: Path, capsys: Shown) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(
        f"shelf: [{book}]\ntrain: {{learning_rat: 1e-4, window: many, epochs: -1}}\nwrite: {{top_p: 3}}\n",
        encoding="utf-8",
    )
    error, _ = refused(capsys, "plan", str(recipe))
    for word in ("learning_rat", "learning_rate", "train.window", "train.epochs", "write.top_p"):
        assert word in error


@pytest.mark.parametrize("text", ["shelf: [unclosed\n", "- just\n- a list\n", "\x00\x01", "{}\n"])
def test_a_recipe_that_is_none_is_named(text: str, tmp_path: Path, capsys: Shown) -> None:
    recipe = tmp_path / "mine.yaml"
    recipe.write_text(text, encoding="utf-8")
    assert "mine.yaml" in refused(capsys, "plan", str(recipe))[0]


@pytest.mark.parametrize("verb", ["plan", "train"])
def test_an_unknown_hub_id_names_itself_and_the_ways_without_a_hub(
    verb: str, book: Path, tmp_path: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    error, remedy = refused(capsys, verb, str(book), "--base", "nobody/nothing-at-all")
    assert "nobody/nothing-at-all" in error
    assert "embedded" in remedy
    assert "folder" in remedy


def test_a_base_folder_that_holds_pickles_only_is_not_opened(
    book: Path, tiny_base: Path, tmp_path: Path, capsys: Shown
) -> None:
    base = tmp_path / "old"
    shutil.copytree(tiny_base, base)
    (base / "model.safetensors").rename(base / "pytorch_model.bin")
    error, remedy = refused(capsys, *train_command(book, base, tmp_path / "run"))
    assert str(base) in error
    assert "pytorch_model.bin" in error
    assert "safetensors" in remedy


@pytest.mark.parametrize("missing", ["config.json", "tokenizer.json"])
def test_a_base_folder_that_lacks_a_file_is_named_with_it(
    missing: str, book: Path, tiny_base: Path, tmp_path: Path, capsys: Shown
) -> None:
    base = Path(shutil.copytree(tiny_base, tmp_path / "base"))
    (base / missing).unlink()
    error, _ = refused(capsys, *train_command(book, base, tmp_path / "run"))
    assert str(base) in error
    assert missing.removesuffix(".json") in error


def test_a_base_with_damaged_weights_is_named(book: Path, tiny_base: Path, tmp_path: Path, capsys: Shown) -> None:
    base = Path(shutil.copytree(tiny_base, tmp_path / "base"))
    weights = (base / "model.safetensors").read_bytes()
    (base / "model.safetensors").write_bytes(weights[: len(weights) // 2])
    assert str(base) in refused(capsys, *train_command(book, base, tmp_path / "run"))[0]


# Runs


def test_a_run_in_use_names_the_process_that_uses_it(halfway: Path, book: Path, tiny_base: Path, capsys: Shown) -> None:
    before = contents(halfway)
    with hold(halfway / "lock"):
        error, remedy = refused(capsys, *train_command(book, tiny_base, halfway))
    assert str(os.getpid()) in error
    assert str(halfway) in error
    assert "--run" in remedy
    assert contents(halfway) == before


@pytest.mark.parametrize("state", ["finished", "halfway"])
def test_other_settings_are_shown_and_the_run_stays_as_it_is(
    state: str, book: Path, tiny_base: Path, capsys: Shown, request: pytest.FixtureRequest
) -> None:
    place: Path = request.getfixturevalue(state)
    before = contents(place)
    error, remedy = refused(capsys, *train_command(book, tiny_base, place, **{"train.learning_rate": "3e-3"}))
    assert "train.learning_rate" in error
    assert "0.003" in error
    assert "--run" in remedy
    assert contents(place) == before


@pytest.mark.parametrize("state", ["finished", "halfway"])
def test_a_source_that_changed_is_named_and_the_run_stays_as_it_is(
    state: str, book: Path, tiny_base: Path, capsys: Shown, request: pytest.FixtureRequest
) -> None:
    place: Path = request.getfixturevalue(state)
    before, text = contents(place), book.read_text(encoding="utf-8")
    book.write_text(text.replace("ferryman", "postman"), encoding="utf-8")
    try:
        error, remedy = refused(capsys, *train_command(book, tiny_base, place))
    finally:
        book.write_text(text, encoding="utf-8")
    assert str(book) in error
    assert "--run" in remedy
    assert contents(place) == before


def test_a_folder_of_something_else_is_not_made_a_run(
    tmp_path: Path, book: Path, tiny_base: Path, capsys: Shown
) -> None:
    (tmp_path / "thesis.docx").write_bytes(b"precious")
    error, remedy = refused(capsys, *train_command(book, tiny_base, tmp_path))
    assert str(tmp_path) in error
    assert "--run" in remedy
    assert contents(tmp_path) == {"thesis.docx": b"precious"}


@pytest.mark.parametrize("damage", ["", "shelf: [", "quire: 3\n", "\x00" * 40, "half"])
def test_a_damaged_recipe_of_a_run_is_named(
    damage: str, halfway: Path, book: Path, tiny_base: Path, capsys: Shown
) -> None:
    file = halfway / "recipe.yaml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text[: len(text) // 2] if damage == "half" else damage, encoding="utf-8")
    before = contents(halfway)
    assert str(file) in refused(capsys, *train_command(book, tiny_base, halfway))[0]
    assert contents(halfway) == before


def test_a_damaged_line_of_the_events_costs_nothing_but_itself(
    halfway: Path, finished_once: Path, book: Path, tiny_base: Path
) -> None:
    """Events are a story, not what the run goes on from."""
    file = halfway / "events.jsonl"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join([*lines[:2], "xyzzy\n", *lines[2:]]), encoding="utf-8")
    assert run(train_command(book, tiny_base, halfway)) == 0
    name = "voice/adapter_model.safetensors"
    assert (halfway / name).read_bytes() == (finished_once / name).read_bytes()


@pytest.mark.parametrize("damaged", [["0000003"], ["0000002", "0000003"]])
def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(
    damaged: list[str], halfway: Path, finished_once: Path, book: Path, tiny_base: Path, capsys: Shown
) -> None:
    for name in damaged:
        weights = halfway / "checkpoints" / name / "weights.safetensors"
        weights.write_bytes(weights.read_bytes()[:-8] + b"\xff" * 8)
    assert run(train_command(book, tiny_base, halfway)) == 0
    events = read_events(halfway / "events.jsonl")
    warnings = [str(event.values["text"]) for event in events if event.kind == "warning"]
    assert sorted(damaged) == sorted(name for name in damaged for text in warnings if name in text)
    assert damaged[-1] in capsys.readouterr().err
    name = "voice/adapter_model.safetensors"
    assert (halfway / name).read_bytes() == (finished_once / name).read_bytes()


@pytest.mark.parametrize("verb", [("write", "Once"), ("judge",)])
@pytest.mark.parametrize("damage", ["cut", "noise", "gone", "config"])
def test_a_damaged_adapter_is_named(verb: tuple[str, ...], damage: str, finished: Path, capsys: Shown) -> None:
    weights, config = (finished / "voice" / name for name in ("adapter_model.safetensors", "adapter_config.json"))
    match damage:
        case "cut":
            weights.write_bytes(weights.read_bytes()[:1000])
        case "noise":
            weights.write_bytes(b"\xff" * 5000)
        case "gone":
            weights.unlink()
        case "config":
            config.write_text('{"r": 8', encoding="utf-8")
    before = contents(finished)
    assert str(finished / "voice") in refused(capsys, verb[0], str(finished), *verb[1:])[0]
    assert contents(finished) == before


@pytest.mark.parametrize("verb", ["write", "judge"])
def test_a_run_that_is_not_there_or_has_no_voice_is_named(
    verb: str, halfway: Path, capsys: Shown, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "the-castle" in refused(capsys, verb, "the-castle")[0]
    error, remedy = refused(capsys, verb, str(halfway))
    assert "no voice" in error
    assert "quire train" in remedy


# A full disk


def test_too_little_space_is_told_before_the_first_step(
    book: Path, tiny_base: Path, tmp_path: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    error, remedy = refused(capsys, *train_command(book, tiny_base, tmp_path / "run"))
    assert str(tmp_path / "run") in error
    assert "free" in remedy
    assert not [event for event in read_events(tmp_path / "run" / "events.jsonl") if event.kind == "step"]


@pytest.mark.parametrize("syncs", [0, 1, 7, 14])
def test_a_disk_that_fills_up_loses_nothing_that_was_there(
    syncs: int,
    halfway: Path,
    finished_once: Path,
    book: Path,
    tiny_base: Path,
    capsys: Shown,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The disk refuses from some sync on; once there is room again, the run ends as if nothing had been."""
    before = contents(halfway / "checkpoints")
    left, sync = syncs, os.fsync

    def full(handle: int) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        sync(handle)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        error, remedy = refused(capsys, *train_command(book, tiny_base, halfway))
    assert "disk is full" in error
    assert str(halfway) in error
    assert "same command" in remedy
    after = contents(halfway / "checkpoints")
    assert {name: after.get(name) for name in before if name.startswith("0000003")}.items() <= before.items()
    assert not (halfway / "voice").exists()
    assert run(train_command(book, tiny_base, halfway)) == 0
    assert losses(halfway) == losses(finished_once)
    name = "voice/adapter_model.safetensors"
    assert (halfway / name).read_bytes() == (finished_once / name).read_bytes()


def losses(place: Path) -> list[object]:
    return [event.values["loss"] for event in read_events(place / "events.jsonl") if event.kind == "step"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 2 MB, where this machine lets us make one."""
    place = tmp_path / "disk"
    place.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)], capture_output=True)
    if made.returncode != 0:
        pytest.skip("a file system can be mounted only by root, and not everywhere")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)


def test_a_disk_that_is_really_full_loses_nothing(
    small_disk: Path, book: Path, tiny_base: Path, capsys: Shown, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The check before the start is left out, as if another program had filled the disk in the meantime."""
    monkeypatch.setattr("quire.verbs.stages.curriculum.require_space", lambda path, needed: None)
    ballast, place = small_disk / "ballast", small_disk / "run"
    ballast.write_bytes(bytes(1_300_000))
    error, _ = refused(capsys, *train_command(book, tiny_base, place, **{"train.keep": "50"}))
    assert "disk is full" in error
    assert str(place) in error
    ballast.unlink()
    saved = sorted(path.name for path in (place / "checkpoints").iterdir() if path.name.isdigit())
    for name in saved:
        assert (place / "checkpoints" / name / "manifest.json").is_file()
    monkeypatch.setattr("quire.verbs.stages.curriculum.require_space", lambda path, needed: None)
    assert run(train_command(book, tiny_base, place, **{"train.keep": "50"})) == 0


def test_a_disk_without_any_room_is_named(small_disk: Path, book: Path, tiny_base: Path, capsys: Shown) -> None:
    with (small_disk / "ballast").open("wb", buffering=0) as file, pytest.raises(OSError, match="No space"):
        file.writelines(repeat(bytes(4096)))
    error, _ = refused(capsys, *train_command(book, tiny_base, small_disk / "run"))
    assert "disk" in error
    assert str(small_disk) in error


# In a process of its own, as a shell sees it


@pytest.mark.parametrize("arguments", [["train", "no-such.epub"], ["read", "--nonsense", "x"]])
def test_a_shell_sees_two_lines_and_exit_code_2(arguments: Sequence[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "quire", *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60
    )
    error, remedy = done.stderr.splitlines()
    assert done.returncode == 2
    assert error.startswith("error: ")
    assert remedy.startswith("try: ")
    assert done.stdout == ""


def test_the_log_of_a_stopped_run_can_be_appended_to(halfway: Path) -> None:
    """A torn last line, which a crash leaves, is no damage."""
    with (halfway / "events.jsonl").open("ab") as file:
        file.write(b'{"time": 17')
    before = len(read_events(halfway / "events.jsonl"))
    with EventLog(RunFolder(halfway).events_file) as log:
        log.append("warning", values={"text": "on we go"})
    assert len(read_events(halfway / "events.jsonl")) == before + 1
