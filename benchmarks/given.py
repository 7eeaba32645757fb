"""Books of a folder with their true text beside them, and EPUBs whose truth their own mark-up tells."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path, PurePosixPath

from lxml import etree

from benchmarks.truth import Truth, paragraphs_of
from benchmarks.works import Piece, Work

_ASIDE = (".truth.txt", ".footnotes.txt", ".headings.txt", ".tex", ".md")
# In the developers' data: a true text under another name, with headings among its paragraphs; a Gutenberg text that is
# its own truth; a book of which only the paragraphs without formulae are known.
_OTHER_TRUTH = {"FRA01302_Flaubert.xml": "FRA01302_Flaubert.txt"}
_PART = ("41568-pdf.pdf",)
_FRENCH = ("madame-bovary_typeset.pdf", "FRA01302_Flaubert.xml", "13951-8.txt")
# Chapters for a text whose own are not marked, and how many paragraphs each gets.
TITLES = {
    "en": ("The Landing", "A Visitor after Dark", "What the Clerk Said", "Two Letters", "The Long Field", "Salt"),
    "fr": (
        "Le Débarquement",
        "Une visite du soir",
        "Ce que dit le greffier",
        "Deux lettres",
        "Le grand champ",
        "Le sel",
    ),
}
_CHAPTER = 30
_MOST_WORDS = 7000
_ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
_X = "{http://www.w3.org/1999/xhtml}"
_TYPE = "{http://www.idpf.org/2007/ops}type"
# What stands around a book and is not its author's.
_LEFT_OUT = {"titlepage", "halftitlepage", "imprint", "copyright-page", "colophon", "toc", "landmarks", "loi"}
_BLOCKS = {_X + name for name in ("p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "td", "dt", "dd")}


def find_books(folder: Path) -> list[tuple[Path, Truth]]:
    """The books of a folder whose true text is known."""
    found = []
    for path in sorted(folder.iterdir()):
        if path.name.endswith(_ASIDE) or path.is_dir():
            continue
        language = "fr" if path.name in _FRENCH else "en"
        beside = path.with_name(_OTHER_TRUTH.get(path.name, path.stem + ".truth.txt"))
        if path.suffix == ".epub" and not beside.exists():
            found.append((path, epub_truth(path)))
        elif path.suffix == ".txt" and "*** START OF" in (text := path.read_text(encoding="latin-1")):
            found.append((path, gutenberg_truth(text, language)))
        elif beside.exists() and path.suffix != ".txt":
            found.append((path, _beside(path, beside, language)))
    return found


def given_works(folder: Path) -> list[Work]:
    """The first words of the true texts of a folder, in chapters that are none of their own."""
    works = []
    for path in sorted(folder.glob("*.truth.txt")) if folder.is_dir() else ():
        name = path.name.removesuffix(".truth.txt")
        if f"{name}.pdf" in _PART or "scanned" in name:
            continue
        language = "fr" if f"{name}.pdf" in _FRENCH else "en"
        pieces: list[Piece] = []
        words = 0
        for number, text in enumerate(paragraphs_of(path.read_text(encoding="utf-8"))):
            if number % _CHAPTER == 0:
                chapter = number // _CHAPTER
                pieces.append(Piece("heading", f"{_ROMAN[chapter % 12]}. {TITLES[language][chapter % 6]}"))
            pieces.append(Piece("verse" if "\n" in text else "paragraph", text.replace("*", "")))
            words += len(text.split())
            if words > _MOST_WORDS:
                break
        works.append(Work(name.split("_")[0].replace("-", " ").title(), "Anonymous", language, tuple(pieces)))
    return works


def _beside(path: Path, truth: Path, language: str) -> Truth:
    headings = path.with_name(path.stem + ".headings.txt")
    notes = path.with_name(path.stem + ".footnotes.txt")
    return Truth(
        body=paragraphs_of(truth.read_text(encoding="utf-8")),
        headings=tuple(headings.read_text(encoding="utf-8").splitlines()) if headings.exists() else None,
        notes=paragraphs_of(notes.read_text(encoding="utf-8")) if notes.exists() else None,
        language=language,
        part=path.name in _PART,
        titled=path.name in _OTHER_TRUTH,
    )


def gutenberg_truth(text: str, language: str) -> Truth:
    """The paragraphs between the two marker lines, from the first chapter after the contents on."""
    text = re.split(r"\*\*\* ?START OF.*\n", text.replace("\r\n", "\n"), maxsplit=1)[1]
    text = re.split(r"\*\*\* ?END OF|\nEnd of (?:the )?Project Gutenberg", text, maxsplit=1)[0]
    parts = [" ".join(part.split()) for part in paragraphs_of(text)]
    # Gutenberg's `_italics_`.
    return Truth(tuple(re.sub(r"_([^_]+)_", r"\1", part) for part in parts), language=language, titled=True)


def epub_truth(path: Path) -> Truth:
    """Body, headings and notes of an EPUB by its own `epub:type`, read without any of Quire's readers."""
    body: list[str] = []
    headings: list[str] = []
    notes: list[str] = []
    breaks = 0
    with zipfile.ZipFile(path) as archive:
        container = etree.fromstring(archive.read("META-INF/container.xml"))
        (package,) = container.xpath("//*[local-name()='rootfile']/@full-path")
        opf = etree.fromstring(archive.read(package))
        names = {item.get("id"): item.get("href") for item in opf.xpath("//*[local-name()='item']")}
        for reference in opf.xpath("//*[local-name()='itemref']/@idref"):
            page = etree.fromstring(archive.read(str(PurePosixPath(package).parent / names[reference])))
            types = _types(page)
            if types & _LEFT_OUT:
                continue
            target = notes if types & {"endnotes", "footnotes"} else body
            for element in page.iter():
                if element.tag == _X + "hr":
                    breaks += 1
                if _is_block(element):
                    text = _text(element)
                    if not text:
                        continue
                    if not _is_heading(element):
                        target.append(text)
                    elif target is body:
                        headings.append(text)
    return Truth(tuple(body), tuple(headings), tuple(notes), breaks=breaks)


def _types(page: etree._Element) -> set[str]:
    """The types of the page and of its sections, the outermost two levels."""
    found: set[str] = set()
    for element in page.iter(_X + "body", _X + "section", _X + "nav"):
        found |= set((element.get(_TYPE) or "").split())
    return found


def _is_block(element: etree._Element) -> bool:
    """An element that holds words and no other such element; the source of a quotation is one."""
    if element.tag == _X + "cite":
        return element.getparent().tag == _X + "blockquote"
    return element.tag in _BLOCKS and not any(inner.tag in _BLOCKS for inner in element.iterdescendants())


def _is_heading(element: etree._Element) -> bool:
    if element.tag[len(_X) :] in ("h1", "h2", "h3", "h4", "h5", "h6"):
        return True
    return any(above.tag == _X + "hgroup" for above in element.iterancestors())


def _text(element: etree._Element) -> str:
    """The words of an element; a `br` is a line end, references to notes are none of them."""
    parts: list[str] = []

    def walk(node: etree._Element) -> None:
        if not isinstance(node.tag, str):
            return
        if node.tag == _X + "br":
            parts.append("\n")
        kind = node.get(_TYPE) or ""
        if "noteref" not in kind and "backlink" not in kind:
            parts.append(re.sub(r"\s+", " ", node.text or ""))
            for child in node:
                walk(child)
                parts.append(re.sub(r"\s+", " ", child.tail or ""))

    walk(element)
    # Word joiners and soft hyphens only say where a line may end.
    words = re.sub("[\u2060\ufeff\u00ad]", "", "".join(parts))
    lines = [" ".join(line.split()) for line in words.split("\n")]
    return "\n".join(line for line in lines if line)
