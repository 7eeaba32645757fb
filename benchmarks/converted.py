"""The bench's works as pandoc and LibreOffice write them in other formats.  Both programs are optional."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.formats import truth_of, with_notes, work_of, write_one
from benchmarks.office import docx
from benchmarks.truth import Truth


@dataclass(frozen=True)
class Converted:
    """`to` is the program's own name for the format."""

    work: str
    by: str
    to: str
    ending: str

    @property
    def name(self) -> str:
        return f"{self.work}-{self.by}-{self.to}.{self.ending}"

    @property
    def absent(self) -> str:
        """The program that is missing, or nothing."""
        return "" if shutil.which(self.by) else self.by

    def make(self, folder: Path) -> tuple[Path, Truth]:
        """Write the file and return what a reader should get."""
        target = folder / self.name
        work = work_of(self.work)
        parts, notes = with_notes(work)
        if self.by == "pandoc":
            made, _ = write_one(self.work, ".md", folder)
            source = folder / f"{self.name}.txt"
            source.write_text(_line_blocks(made.read_text(encoding="utf-8")), encoding="utf-8")
            _run(["pandoc", "--from", "markdown", "--to", self.to, "--standalone", "-o", str(target), str(source)])
        else:
            room = folder / self.name.replace(".", "-")
            room.mkdir(exist_ok=True)
            source = room / "book.docx"
            docx(source, work, parts, notes, tracked=False)
            convert(source, self.to)
            shutil.move(source.with_suffix(f".{self.ending}"), target)
        return target, truth_of(work, notes)


def _line_blocks(text: str) -> str:
    """Stanzas as pandoc's own dialect marks them: a bar before each line."""
    blocks = text.split("\n\n")
    return "\n\n".join(
        "\n".join(f"| {line.rstrip()}" for line in block.split("\n")) if "  \n" in block else block for block in blocks
    )


def convert(source: Path, to: str) -> None:
    """LibreOffice with a home of its own, since two of them cannot share one."""
    home = f"-env:UserInstallation={(source.parent / 'home').absolute().as_uri()}"
    _run(["soffice", home, "--headless", "--convert-to", to, "--outdir", str(source.parent), str(source)])


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=180)  # noqa: S603


_PANDOC = (("epub2", "epub"), ("epub3", "epub"), ("docx", "docx"), ("odt", "odt"), ("rtf", "rtf"), ("html", "html"),
           ("tei", "xml"), ("markdown-smart", "md"))  # fmt: skip
_OFFICE = (("odt", "odt"), ("rtf", "rtf"), ("docx", "docx"), ("epub", "epub"), ("html", "html"))
CONVERTED = (
    *(Converted(work, "pandoc", to, ending) for work in ("novella", "garde") for to, ending in _PANDOC),
    *(Converted("garde", "soffice", to, ending) for to, ending in _OFFICE),
)
