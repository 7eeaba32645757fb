"""Title pages and pages of rights before the text of a PDF: told from pages of text by how little they say."""

from __future__ import annotations

import re
from collections.abc import Sequence

from quire.books.draft import Draft
from quire.books.finishing import gutenberg
from quire.books.headings import recognise
from quire.books.pdf.furniture import Page
from quire.books.pdf.outline import find_author

_LEGAL = re.compile(r"all rights reserved|copyright|©|\bISBN\b|tous droits|dépôt légal", re.IGNORECASE)
# Writing without spaces: a character there says about as much as half a word.
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\u0e00-\u0eff]")
_SENTENCE = re.compile(r"[a-zà-ÿ]{2}[.;!?…][”’»\"')]*$")
_FRONT = 12
_FEW_WORDS = 90
_LEGAL_WORDS = 250
_MOST_LEGAL = 2
# Large type alone is a title page only where there is next to nothing else.
_GUESSED_WORDS = 60


def read_header(draft: Draft, pages: Sequence[Page]) -> None:
    """Title and author from the header of a Gutenberg text, where the file itself does not say them."""
    head = "\n".join(line.plain for page in pages[:2] for line in page.lines)
    if gutenberg.looks_like(head):
        fields = gutenberg.header_fields(head)
        draft.title = draft.title or fields.get("title", "")
        draft.author = draft.author or fields.get("author", "")


def drop_title_pages(draft: Draft, pages: Sequence[Page], size: float) -> None:
    """Pages before the text that hold title, author, printer or rights in a few large or legal lines.

    Large type alone makes a few title pages where pages full of text follow; among slides and short poems but one.
    """
    large = 4 if any(_words(page) >= _FEW_WORDS and page.width < page.height for page in pages[:_FRONT]) else 1
    rights = _MOST_LEGAL
    for page in pages[:_FRONT]:
        text = " ".join(line.plain for line in page.lines)
        signs, words = len({sign.lower() for sign in _LEGAL.findall(text)}), _words(page)
        if words >= _FEW_WORDS:
            if signs >= 2 and words < _LEGAL_WORDS and rights and len(page.lines) < 60:
                rights -= 1
                _take_all(page, "copyright page")
                continue
            break
        if not page.lines or any(recognise(line.plain) for line in page.lines):
            continue
        largest = max(page.lines, key=lambda line: line.size)
        legal = bool(signs) and rights > 0
        said = legal or _says_title(draft, page)
        if not said and (largest.size < 1.25 * size or not large or words > _GUESSED_WORDS):
            continue
        if not legal and _is_prose(page):
            continue
        large -= not said
        rights -= legal
        if not draft.title:
            same = [line.plain.strip() for line in page.lines if abs(line.size - largest.size) < 0.5]
            draft.title = " ".join(same)
        if not draft.author and not legal:
            draft.author = find_author([line.plain for line in page.lines], draft.title)
        _take_all(page, "copyright page" if legal else "title page")


def _words(page: Page) -> int:
    """How many words a page has: of writing without spaces two characters are one."""
    return sum(len(line.plain.split()) + len(_UNSPACED.findall(line.plain)) // 2 for line in page.lines)


def _is_prose(page: Page) -> bool:
    """Whether a page has sentences over several lines: an instruction, a motto, the beginning of the text."""
    long = [line.plain.strip() for line in page.lines if len(line.plain) > 40]
    return len(long) >= 2 and any(_SENTENCE.search(text) for text in long)


def _says_title(draft: Draft, page: Page) -> bool:
    """Whether a page bears the title in lines of its own: a sentence may have the same words."""
    title = _letters(draft.title)
    lines = [_letters(line.plain) for line in page.lines]
    return bool(title) and any(
        title == "".join(lines[start:stop])
        for start in range(len(lines))
        for stop in range(start + 1, min(start + 6, len(lines) + 1))
    )


def _letters(text: str) -> str:
    return "".join(char for char in text.lower() if char.isalnum())


def _take_all(page: Page, reason: str) -> None:
    for line in list(page.lines):
        page.take(reason, line)
