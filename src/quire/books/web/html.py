"""HTML pages: the text inside, without the page's furniture."""

from __future__ import annotations

import re
from pathlib import Path

from quire.books.book import Book, Place
from quire.books.draft import Draft
from quire.books.finishing.finish import finish
from quire.books.limits import PLAIN, ReadOptions
from quire.books.markup import Element, classes, parse_page, plain_text, tag
from quire.books.pulse import beat
from quire.books.web.epub import is_caption
from quire.books.web.looks import Look, Looks
from quire.books.web.package import hidden_classes
from quire.books.web.walk import Reason, Walk
from quire.errors import BookError

_FURNITURE_NAMES = frozenset(("div", "ul", "ol", "section", "p", "table", "aside", "span", "header", "footer"))
# Only what no writer would call a part of a text.
_FURNITURE_IDS = frozenset(
    "nav navbar navigation menu sidebar footer breadcrumb breadcrumbs comments secondary colophon masthead "
    "mw-navigation site-footer site-header site-navigation".split()
)
_MARGINS = frozenset(("header", "footer"))  # as LibreOffice writes them: <div title="header">
_GUTENBERG = frozenset(("pgheader", "pg-boilerplate", "pgfooter"))
_LONGEST_TITLE = 400
_GUTENBERG_TITLE = re.compile(
    r"^(?:The )?Project Gutenberg(?:['’]s)? (?:e-?(?:book|text)(?: of)?:?|of) |"
    r"[,;:|—–-]+\s*(?:a|the) project gutenberg e-?book.*$",
    re.IGNORECASE,
)
_JUMPS = frozenset(("p", "div", "center", "a", "span"))
_LISTS = frozenset(("ul", "ol", "table", "td", "p", "div", "dl"))
_LONGEST_DROPPED = 20_000
_FURNITURE = frozenset(("nav", "form", "menu", "dialog"))
_FURNITURE_ROLES = frozenset(("navigation", "banner", "contentinfo", "search", "complementary", "toc"))
_JUMP = re.compile(
    r"\W*(?:toc|contents|top|back|next|previous|home|index|back to (?:the )?(?:top|contents|index|toc|start)|sommaire|"
    r"retour|suivant|précédent|haut(?: de page)?|return to .{0,40})\W*",
    re.IGNORECASE,
)
# What a site puts behind the title of its pages.
_SITE = re.compile(
    r"\s+(?:[|–—-]|::)\s+(?:(?:the )?[\w. ]*(?:wikisource|wikipedia|blog|wordpress|gutenberg)\b.*)$", re.I
)
_FURNITURE_CLASS = re.compile(
    r"(?:nav|navbar|menu|toc|contents|sidebar|breadcrumbs?|cookie.*|advert.*|share|social|"
    r"noprint|mso-?toc\d*|pgheader|pg-boilerplate|entry-meta|post-meta|entry-footer|post-footer|byline|sharedaddy|comments(?:-area)?|"
    r"comment-list|widget-area|catlinks|printfooter|mw-jump-link|headertemplate|ws-noexport|related-posts|post-navigation)"
)


def read(path: Path, options: ReadOptions = PLAIN) -> list[Book]:
    """The one book of an HTML file.  Raises BookError when it holds no text."""
    root = parse_page(path.read_bytes())
    if root is None:
        what = f"{path} holds no page that can be read"
        raise BookError(what, then="check the file in a browser", code="not-a-book")
    draft = Draft(str(path))
    read_head(draft, root)
    beat()
    body = next((element for element in root.iter() if tag(element) == "body"), None)
    if body is None:
        body = _without_frames(draft, root)
    sheets = "\n".join(element.text or "" for element in root.iter() if tag(element) == "style")
    looks = Looks(hidden_classes(sheets))
    main = _main(draft, body, looks)
    Walk(draft, reason=_furniture(main, options), looks=looks).run(main)
    if not draft.title:
        draft.title = path.stem
    return [finish(draft, options)]


def read_head(draft: Draft, root: Element) -> None:
    """Title, author and language as the page's head names them.  `Title, by Author` in one line is taken apart."""
    draft.language = root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang") or ""
    for element in root.iter():
        name = tag(element)
        if name == "title" and not draft.title:
            draft.title = plain_text(element)
        elif name == "meta":
            key = (element.get("name") or element.get("property") or "").lower()
            if key in ("author", "dc.creator", "dcterms.creator", "book:author") and not draft.author:
                draft.author = element.get("content") or ""
            elif key in ("dc.title", "dcterms.title") and element.get("content"):
                draft.title = element.get("content") or ""
        elif name == "body":
            break
    # No title is longer, and the patterns take the square of its length.
    draft.title = _SITE.sub("", draft.title[:_LONGEST_TITLE])
    draft.title = _GUTENBERG_TITLE.sub("", draft.title)
    draft.title = re.sub(r",\s+complete$", "", draft.title, flags=re.IGNORECASE)
    match = re.fullmatch(r"(.+?),\s+(?:by|par|von|de)\s+(\S.*)", draft.title, re.IGNORECASE)
    if match is None and draft.author:
        match = re.fullmatch(rf"(.+?)\s+(?:by|par|von|de)\s+({re.escape(draft.author)})", draft.title, re.IGNORECASE)
    if match and (not draft.author or _alike(match[2], draft.author)):
        draft.title, draft.author = match[1], draft.author or match[2].rstrip(".")


def _without_frames(draft: Draft, root: Element) -> Element:
    """What a page of frames shows where there are none; its other pages are other files."""
    inside = next((element for element in root.iter() if tag(element) == "noframes"), None)
    if inside is None:
        return root
    draft.warnings.append("a page of frames: the pages that it shows are other files")
    return parse_page((inside.text or "").encode()) if (inside.text or "").strip() else inside


def _alike(one: str, other: str) -> bool:
    return one.lower().strip(" .") == other.lower().strip(" .")


def _main(draft: Draft, body: Element, looks: Looks) -> Element:
    """The element that holds the text: what MediaWiki puts it in, `<main>`, a single `<article>`, else the body; the
    rest is dropped.
    """
    wikis = [element for element in body.iter("{*}div") if "mw-parser-output" in classes(element)]
    mains = [element for element in body.iter() if tag(element) == "main" or element.get("role") == "main"]
    articles = [element for element in body.iter() if tag(element) == "article"]
    total = len(plain_text(body))
    found = (*mains[:1], *(articles if len(articles) == 1 else ()))
    large = (element for element in found if len(plain_text(element)) >= 0.5 * total)
    chosen = wikis[0] if wikis else next(large, body)
    if chosen is body:
        return body
    for child in _outside(chosen):
        text = plain_text(child) if tag(child) != "head" else ""
        if not draft.author and "author" in classes(child):
            draft.author = re.sub(r"^by\s+", "", text, flags=re.IGNORECASE)
        if text:
            draft.drop(
                looks.of(child).gone or "page furniture", text[:_LONGEST_DROPPED], Place(draft.path, "paragraph", 0)
            )
        if tag(child) == "h1" and text:
            draft.title = text
    return chosen


def _outside(chosen: Element) -> list[Element]:
    """The largest elements that neither are, nor hold, nor stand within the chosen one."""
    found: list[Element] = []
    line = [chosen, *chosen.iterancestors()]
    above = set(line)
    for parent in reversed(line[1:]):
        found.extend(child for child in parent if child not in above and tag(child))
    return found


def _furniture(root: Element, options: ReadOptions) -> Reason:
    """What a page has around its text: menus, banners, jumps, lists of links."""
    linked: set[Element] = set()
    for link in root.iter("{*}a"):
        if link.get("href"):
            above: Element | None = link
            while above is not None and above not in linked:
                linked.add(above)
                above = above.getparent()

    def reason(element: Element, look: Look) -> str | None:
        name = look.name
        if name in _FURNITURE or (look.kinds and look.kinds & _FURNITURE_ROLES):
            return "page furniture"
        if name in ("header", "footer") and _is_banner(element):
            return "page furniture"
        if look.classes and name in _FURNITURE_NAMES and any(map(_FURNITURE_CLASS.fullmatch, look.classes)):
            return "Gutenberg licence" if look.classes & _GUTENBERG else "page furniture"
        if name == "div" and (element.get("id") in _FURNITURE_IDS or element.get("title") in _MARGINS):
            return "page furniture"
        if look.caption and is_caption(element):
            return "caption"
        if element in linked and name in _JUMPS and _JUMP.fullmatch(plain_text(element)) and _stands_alone(element):
            return "page furniture"
        if element in linked and name in _LISTS and options.matter != "all" and _is_link_list(element):
            return "contents"
        return None

    return reason


def _stands_alone(element: Element) -> bool:
    """Whether a jump is no word of a sentence: a block, a link in brackets, or a link beside a heading."""
    if tag(element) not in ("a", "span"):
        return True
    parent = element.getparent()
    return plain_text(element)[:1] in "[(↑^←→" or (parent is not None and tag(parent) in ("h1", "h2", "h3", "h4"))


def _is_banner(element: Element) -> bool:
    parent = element.getparent()
    top = parent is None or tag(parent) == "body"
    return top and not any(tag(inner) in ("h1", "h2", "h3") for inner in element.iter())


def _is_link_list(element: Element) -> bool:
    """A list of links within the page or to other pages: four or more, and nearly nothing else."""
    links = [inner for inner in element.iterdescendants("{*}a") if inner.get("href")]
    if len(links) < 4 or any(tag(inner) in ("h1", "h2", "h3") for inner in element.iterdescendants()):
        return False
    linked = sum(len(plain_text(link)) for link in links)
    return linked >= 0.6 * len(plain_text(element))
