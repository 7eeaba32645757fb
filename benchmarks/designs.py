"""The designs in which the bench sets its books: each is one that printed books have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

A4 = 'paper: "a4", margin: 25mm'
A4_WIDE = 'paper: "a4", margin: (x: 45mm, y: 40mm)'
A5 = 'paper: "a5", margin: (x: 18mm, y: 20mm)'
A5_FACING = 'paper: "a5", margin: (inside: 22mm, outside: 14mm, y: 20mm)'
LETTER = 'paper: "us-letter", margin: 18mm'
POCKET = "width: 105mm, height: 170mm, margin: (x: 10mm, top: 16mm, bottom: 14mm)"


@dataclass(frozen=True)
class Design:
    """How one book is set.  Lengths as typst writes them.

    `head`: `author-title` by parity, `chapter` on both sides, `book` in capitals, `caps-parity` in small capitals,
    `line` (chapter and folio in one line, a dash between them), or nothing.  `folio`: `head` at the outer edge of the
    running head, `foot`, `dashes`, `hyphens`, `brackets`, `page` (with that word), `outer`, `top` alone, `title` (at
    the foot, beside the chapter), or nothing.
    `bare` leaves the head off the first page of a chapter.
    `opening`: how a chapter begins; `initial`: how its first paragraph does; `stars`: what parts two scenes.
    `ligatures` are the characters U+FB00 to U+FB04, as some files have them; `soft_hyphens` stand in every long word.
    `notes`: `paged` begin anew with 1 on every page.  `recto`: chapters begin on right-hand pages, after blank ones.
    `verse`: `indent`, `centre`, `hang` (turned-over lines hang), `wrap` (they do not), `plain` (at the margin).
    """

    name: str
    work: str
    page: str = A5
    size: str = "10pt"
    font: str = "Libertinus Serif"
    leading: str = "0.65em"
    indent: bool = True
    justify: bool = True
    columns: int = 1
    head: Literal["", "author-title", "chapter", "book", "caps-parity", "line"] = "author-title"
    folio: Literal["", "head", "foot", "dashes", "outer", "top", "title", "hyphens", "brackets", "page"] = "head"
    bare: bool = True
    opening: Literal["centred", "number-title", "roman", "ornament", "left", "spanning", "words"] = "centred"
    initial: Literal["", "drop", "drop3", "raised", "smallcaps", "scaled", "capitals"] = ""
    stars: Literal["stars", "asterism", "space", "rule", "flower"] = "stars"
    notes: Literal["", "numbers", "symbols", "long", "paged"] = ""
    verse: Literal["", "indent", "centre", "hang", "wrap", "plain"] = ""
    quotes: bool = False
    letters: bool = False
    figure: bool = False
    captions: bool = False
    index: bool = False
    recto: bool = False
    matter: bool = False
    line_numbers: bool = False
    old_figures: bool = False
    thin_spaces: bool = False
    epigraphs: bool = False
    parts: bool = False
    rule: bool = False
    ligatures: bool = False
    soft_hyphens: bool = False


DESIGNS = (
    # English, one column
    Design("en-heads-by-parity", "novella", notes="numbers", verse="indent"),
    Design("en-spaced-ragged", "novella", page=A4, size="11pt", indent=False, justify=False, head="", folio="foot"),
    Design("en-drop-caps", "novella", initial="drop", opening="number-title", folio="head", stars="asterism"),
    Design("en-drop-caps-three", "novella", page=A5_FACING, initial="drop3", head="caps-parity", opening="words"),
    Design("en-small-capitals", "novella", initial="smallcaps", head="book", folio="foot", opening="ornament"),
    Design("en-scaled-capitals", "novella", page=A5_FACING, initial="scaled", head="chapter", opening="roman"),
    Design("en-capitals-figures", "novella", initial="capitals", old_figures=True, head="chapter", folio="outer"),
    Design("en-raised-initial", "novella", page=A4_WIDE, size="12pt", initial="raised", head="", folio="dashes"),
    Design("en-front-matter", "novella", matter=True, head="author-title", opening="roman", stars="space"),
    Design("en-notes-symbols", "novella", notes="symbols", head="chapter", folio="outer", quotes=True),
    Design("en-notes-long", "novella", page=POCKET, size="9pt", notes="long", verse="centre"),
    Design("en-verse-hanging", "novella", page=POCKET, size="9pt", verse="hang", head="book", folio="foot"),
    Design("en-verse-wrapped", "novella", page=POCKET, size="9pt", verse="wrap", stars="space", bare=False),
    Design("en-letters-quotes", "novella", letters=True, quotes=True, head="caps-parity", stars="flower"),
    Design("en-line-numbers", "novella", page=A4, line_numbers=True, head="", folio="foot", opening="left"),
    Design("en-manuscript", "novella", page=LETTER, size="12pt", font="DejaVu Sans Mono", leading="1.3em",
           justify=False, head="book", folio="head", stars="rule", bare=False),
    Design("en-tiny-type", "novella", page=POCKET, size="6.5pt", head="book", folio="head", verse="plain", bare=False),
    Design("en-parts-epigraphs", "novella", parts=True, epigraphs=True, opening="number-title", rule=True),
    Design("en-title-at-foot", "novella", head="", folio="title", opening="ornament", verse="indent", figure=True),
    Design("en-ligatures", "novella", page=A5_FACING, ligatures=True, leading="0.45em", head="caps-parity", rule=True),
    Design("en-soft-hyphens", "novella", page=POCKET, size="9pt", soft_hyphens=True, head="book", letters=True),
    Design("en-poems", "poems", head="book", folio="foot", verse=""),
    Design("en-head-one-line", "novella", page=A5_FACING, head="line", folio="", notes="paged", font="EB Garamond"),
    Design("en-brackets-recto", "novella", page=LETTER, size="12pt", head="", folio="brackets", recto=True,
           initial="drop", verse="centre"),
    Design("en-index-roman-folios", "novella", matter=True, index=True, recto=True, head="author-title", folio="head"),
    Design("en-captions", "novella", page=A4_WIDE, size="11pt", captions=True, head="chapter", folio="page"),
    Design("en-hyphens-spaced", "novella", page=POCKET, size="8pt", indent=False, head="book", folio="hyphens",
           notes="paged", stars="space", quotes=True),
    # French, one column
    Design("fr-heads-by-parity", "tale", notes="numbers", thin_spaces=True),
    Design("fr-dialogue", "garde", thin_spaces=True, opening="number-title", folio="foot", head="caps-parity"),
    Design("fr-pocket", "garde", page=POCKET, size="9pt", head="chapter", folio="outer", stars="space", bare=False),
    Design("fr-drop-caps", "tale", initial="drop", page=A5_FACING, verse="indent",
           thin_spaces=True, opening="ornament"),
    Design("fr-spaced", "tale", indent=False, head="", folio="top", verse="centre", letters=True),
    Design("fr-front-matter", "garde", matter=True, notes="long", head="author-title", quotes=True, stars="asterism"),
    Design("fr-computer-modern", "tale", font="New Computer Modern", notes="symbols", initial="smallcaps"),
    Design("fr-verse-wrapped", "tale", page=POCKET, size="8.5pt", verse="wrap", initial="capitals", head="book"),
    Design("fr-parts-epigraphs", "garde", page=A5_FACING, parts=True, epigraphs=True, thin_spaces=True, rule=True),
    Design("fr-title-at-foot", "tale", page=A4_WIDE, size="12pt", head="", folio="title", quotes=True, ligatures=True),
    Design("fr-head-one-line", "garde", page=POCKET, size="9pt", head="line", folio="", notes="paged",
           thin_spaces=True, initial="raised"),
    Design("fr-index-recto", "tale", page=A5_FACING, index=True, recto=True, matter=True, thin_spaces=True,
           head="caps-parity", folio="outer", letters=True),
    Design("fr-captions-pages", "garde", page=A4, size="12pt", captions=True, head="book", folio="page", verse="indent",
           font="EB Garamond"),
    # two columns
    Design("en-columns", "novella", page=LETTER, size="9pt", columns=2, verse="indent", opening="spanning",
           folio="foot"),
    Design("en-columns-notes", "novella", page=A4, size="10pt", columns=2, notes="numbers", opening="centred"),
    Design("en-columns-figure", "novella", page=A4, size="9pt", columns=2, figure=True, opening="left", head="book"),
    Design("en-columns-spaced", "novella", page=LETTER, columns=2, indent=False, justify=False, head="", folio="foot"),
    Design("en-columns-verse", "novella", page=A4, columns=2, verse="wrap", letters=True, initial="drop"),
    Design("fr-columns", "tale", page=A4, size="9pt", font="New Computer Modern", columns=2, thin_spaces=True),
    Design("fr-columns-notes", "garde", page=A4, size="9.5pt", columns=2, notes="long", opening="spanning",
           folio="dashes"),
    Design("en-columns-matter", "novella", page=LETTER, size="9pt", columns=2, matter=True, index=True, quotes=True,
           head="line", folio="", opening="number-title"),
    Design("fr-columns-verse", "tale", page=A4, size="10pt", columns=2, verse="indent", letters=True, notes="symbols",
           head="caps-parity", folio="outer", initial="capitals", thin_spaces=True),
)  # fmt: skip
