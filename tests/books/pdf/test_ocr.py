"""Pages that are pictures go through ocrmypdf first: a stand-in on PATH here, the real one where there is one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

import bookfiles as making
from quire.books.book import Book
from quire.books.limits import ReadOptions
from quire.books.pdf import ocr
from quire.books.pdf import reader as pdf
from quire.books.pdf.ocr import read_recognised
from quire.books.reading import read_path
from quire.errors import BookError

PICTURE = b"q 360 0 0 540 0 0 cm /I Do Q\n"
SAID = "The ferry left at dawn and nobody on the bank waved."
OCR = ReadOptions(ocr=True)


def text_page(words: str = SAID, more: str = "") -> bytes:
    return "".join(f"q BT {more} /F 10 Tf 40 {500 - 14 * n} Td ({words}) Tj ET Q\n" for n in range(6)).encode()


def read(path: Path) -> list[Book]:
    return pdf.read(path, OCR)


def script(folder: Path, name: str, lines: str) -> None:
    file = folder / name
    file.write_text(f"#!{sys.executable}\nimport json, os, shutil, sys, time\n{lines}\n", encoding="utf-8")
    file.chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH, with a tesseract that knows three languages."""
    folder = tmp_path / "tools"
    folder.mkdir()
    script(folder, "tesseract", "print('List of available languages in \"/somewhere\" (3):\\neng\\nfra\\nosd')")
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("SECRET_TOKEN", "hush")
    return folder


def stand_in(folder: Path, result: Path, status: int = 0) -> Path:
    """An ocrmypdf that notes how it was called, and gives `result` for whatever it gets."""
    log = folder / "called.json"
    script(
        folder,
        "ocrmypdf",
        f"json.dump([sys.argv[1:], dict(os.environ), os.getcwd()], open({str(log)!r}, 'w'))\n"
        f"shutil.copy({str(result)!r}, sys.argv[-1])\n"
        f"print('it is said here', file=sys.stderr)\nsys.exit({status})",
    )
    return log


def test_a_scan_is_recognised_and_says_so(tmp_path: Path, tools: Path) -> None:
    scan = making.drawn_pdf(tmp_path / "scan.pdf", [PICTURE] * 2)
    result = making.drawn_pdf(tmp_path / "result.pdf", [PICTURE + text_page(more="3 Tr")] * 2)
    log = stand_in(tools, result)
    (book,) = read_recognised(scan, read)
    assert SAID in book.text
    assert (book.path, book.title) == (str(scan), "scan")
    places = [block.place.source for chapter in book.chapters for block in chapter.blocks]
    assert set(places) == {str(scan)}
    assert "all pages are read as ocrmypdf recognised them" in book.warnings
    arguments, environment, folder = json.loads(log.read_text())
    assert "--force-ocr" in arguments
    assert arguments[arguments.index("-l") + 1] == "eng+fra"
    assert "--pages" not in arguments
    assert "SECRET_TOKEN" not in environment
    assert not Path(folder).exists()


def test_only_the_pictures_among_pages_are_recognised_in_the_books_language(tmp_path: Path, tools: Path) -> None:
    french = text_page("Le bac est parti avant le jour et personne sur la rive n'a fait un signe de la main.")
    contents = [french, PICTURE, PICTURE, french, french, PICTURE]
    mixed = making.drawn_pdf(tmp_path / "mixed.pdf", contents)
    result = making.drawn_pdf(tmp_path / "result.pdf", [french if page == PICTURE else page for page in contents])
    log = stand_in(tools, result)
    (book,) = read_recognised(mixed, read)
    arguments, _, _ = json.loads(log.read_text())
    assert arguments[arguments.index("--pages") + 1] == "2-3,6"
    assert arguments[arguments.index("-l") + 1] == "fra"
    assert "pages 2–3 and 6 are read as ocrmypdf recognised them" in book.warnings


FRENCH = "Le bac est parti avant le jour et personne sur la rive n'a fait un signe de la main à celui qui le menait. "


@pytest.mark.parametrize(("text", "language"), [(FRENCH, "fra"), (f"{SAID} " * 3, "eng"), ("¦¦ ¦¦ 00", "eng+fra")])
def test_a_few_pages_tell_in_which_language_the_book_is_recognised(
    tmp_path: Path, tools: Path, text: str, language: str
) -> None:
    scan = making.drawn_pdf(tmp_path / "scan.pdf", [PICTURE] * 2)
    result = making.drawn_pdf(tmp_path / "result.pdf", [PICTURE + text_page(more="3 Tr")] * 2)
    log = tools / "calls"
    script(
        tools,
        "ocrmypdf",
        f"open({str(log)!r}, 'a').write(json.dumps(sys.argv[1:]) + '\\n')\n"
        f"shutil.copy({str(result)!r}, sys.argv[-1])\n"
        f"if '--sidecar' in sys.argv:\n"
        f"    open(sys.argv[sys.argv.index('--sidecar') + 1], 'w').write({text * 5!r})",
    )
    (book,) = read_recognised(scan, read)
    assert SAID in book.text
    sample, whole = (json.loads(line) for line in log.read_text().splitlines())
    assert sample[sample.index("--pages") + 1] == "1-8"
    assert sample[sample.index("-l") + 1] == "eng+fra"
    assert "--pages" not in whole
    assert whole[whole.index("-l") + 1] == language


def test_a_book_without_pictures_starts_nothing(tmp_path: Path, tools: Path) -> None:
    path = making.drawn_pdf(tmp_path / "a.pdf", [text_page()])
    log = stand_in(tools, path)
    assert read_recognised(path, read) == read(path)
    assert not log.exists()


@pytest.mark.parametrize("absent", ["ocrmypdf", "tesseract"])
def test_what_is_absent_is_named_with_how_to_get_it(tmp_path: Path, tools: Path, absent: str) -> None:
    scan = making.drawn_pdf(tmp_path / "scan.pdf", [PICTURE] * 2)
    stand_in(tools, scan)
    (tools / absent).unlink()
    with pytest.raises(BookError, match=f"{absent}, which recognises text, is not installed") as caught:
        read_recognised(scan, read)
    assert caught.value.code == "image-only"
    assert caught.value.then.startswith("pip install ocrmypdf")
    mixed = making.drawn_pdf(tmp_path / "mixed.pdf", [text_page(), PICTURE, text_page()])
    (book,) = read_recognised(mixed, read)
    assert any(absent in warning and "pip install ocrmypdf" in warning for warning in book.warnings)
    assert any("page 2 (1 of 3) is pictures" in warning for warning in book.warnings)


def test_a_program_that_fails_says_why(tmp_path: Path, tools: Path) -> None:
    scan = making.drawn_pdf(tmp_path / "scan.pdf", [PICTURE])
    stand_in(tools, scan, status=4)
    with pytest.raises(BookError, match=r"ocrmypdf failed \(exit status 4: it is said here\)"):
        read_recognised(scan, read)


def test_a_program_that_hangs_is_ended_with_all_that_it_started(
    tmp_path: Path, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = making.drawn_pdf(tmp_path / "scan.pdf", [PICTURE])
    note = tmp_path / "started"
    script(
        tools,
        "ocrmypdf",
        f"child = os.fork()\nopen({str(note)!r}, 'a').write(f'{{os.getpid()}}\\n')\ntime.sleep(600)",
    )
    monkeypatch.setattr(ocr, "SECONDS", 1.0)
    with pytest.raises(BookError, match="did not end within"):
        read_recognised(scan, read)
    until = time.monotonic() + 20  # what was killed may still be in the midst of a read of the disk
    while any(map(lives, note.read_text().split())):
        assert time.monotonic() < until


def lives(number: str) -> bool:
    """Whether a process is there and has not ended."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_nothing_recognised_is_still_a_picture(tmp_path: Path, tools: Path) -> None:
    scan = making.drawn_pdf(tmp_path / "scan.pdf", [PICTURE])
    stand_in(tools, scan)
    with pytest.raises(BookError, match="image-only") as caught:
        read_recognised(scan, read)
    assert str(tools) not in caught.value.what


def test_a_shelf_that_allows_it_has_its_scans_recognised(tmp_path: Path, tools: Path) -> None:
    scan = making.drawn_pdf(tmp_path / "scan.pdf", [PICTURE])
    stand_in(tools, making.drawn_pdf(tmp_path / "result.pdf", [PICTURE + text_page(more="3 Tr")]))
    with pytest.raises(BookError) as caught:
        read_path(scan)
    assert caught.value.code == "image-only"
    (book,) = read_path(scan, OCR)
    assert SAID in book.text


@pytest.mark.skipif(not (shutil.which("ocrmypdf") and shutil.which("tesseract")), reason="ocrmypdf is not installed")
def test_the_real_program_recognises_a_page_of_the_data(shared_data: Path) -> None:
    known = subprocess.run(["tesseract", "--list-langs"], capture_output=True, text=True, check=False)
    if "eng" not in known.stdout.split():
        pytest.skip("tesseract has no English here")
    (book,) = read_path(shared_data / "books" / "frankenstein_scanned-page.pdf", OCR)
    true = (shared_data / "books" / "frankenstein_scanned-page.truth.txt").read_text(encoding="utf-8").split()
    ours = book.text.split()
    found = sum(word in ours for word in true)
    assert found >= 0.98 * len(true)
    assert len(ours) <= 1.03 * len(true)
    assert os.environ.get("TMPDIR", "/tmp") not in book.path
