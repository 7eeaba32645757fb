"""report.html: one page that opens without a network, reads like a page of a book, and prints."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from quire.judging.chart import imprint_line, loss_chart, units_chart
from quire.judging.curve import Curve
from quire.judging.wording import number, percent
from quire.writing.visible import without_controls

QUESTIONS = {"loss": "Did it learn?", "imprint": "Style or memory?", "copying": "Does it copy?"}
CONTEXT_WORDS = 18
MOST_SPANS = 12
MOST_UNITS = 40
_PARAGRAPH = re.compile(r".+(?:\n.+)*")


def page_of(data: Mapping[str, Any]) -> str:
    """The page of a report.json's content.  Every text in it is escaped."""
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"text": as_html, "marked": marked, "value": show_value, "figure": show_figure}
    environment.filters["percent"] = show_change
    template = environment.from_string(files("quire.judging").joinpath("report.html.j2").read_text(encoding="utf-8"))
    curve = Curve(**data["curve"])
    return template.render(
        data=data,
        facts=data["facts"],
        questions=_questions(data["findings"]),
        curve=loss_chart(curve),
        imprint=_imprint(data["findings"]),
        works=any(finding["details"].get("resampled") == "works" for finding in data["findings"]),
        units=units_chart(_units(data["findings"])),
        differs=any("relative_difference" in finding["details"] for finding in data["findings"]),
        compared=_compared_names(data["findings"]),
        spans=_spans(data["findings"], data["samples"]),
        marks=_marks(data["findings"], len(data["samples"])),
        account=_account(data["facts"]),
    )


def as_html(text: str) -> Markup:
    """Paragraphs at blank lines, line ends kept."""
    return marked(text, [])


def marked(text: str, spans: Sequence[tuple[int, int]]) -> Markup:
    """As `as_html`, with the characters of `spans` (start, stop; in order, apart) highlighted."""
    html = Markup("")
    for paragraph in _PARAGRAPH.finditer(text):
        at, end = paragraph.span()
        body = Markup("")
        for start, stop in spans:
            first, last = max(start, at), min(stop, end)
            if first < last:
                body += _lines(text[at:first]) + Markup("<mark>{}</mark>").format(_lines(text[first:last]))
                at = last
        html += Markup("<p>{}</p>").format(body + _lines(text[at:end]))
    return html


def _lines(text: str) -> Markup:
    return Markup("<br>").join(without_controls(text).split("\n"))


def show_value(value: object) -> str:
    """A setting as people write it."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, list | tuple):
        return ", ".join(show_value(one) for one in value) or "–"
    return str(value)


def show_figure(value: float | None, unit: str) -> str:
    """A finding's value: whole counts as such, shares in percent, others with two to four digits."""
    if value is None:
        return "–"
    if unit == "share":
        return number(value * 100, 1) + " %"
    if float(value).is_integer() and unit in ("words", "runs"):
        return f"{value:,.0f}"
    return number(value, 3 if abs(value) < 10 else 1)


def _questions(findings: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Each question with its verdict and its findings, in the order of the findings."""
    grouped: dict[str, list[Mapping[str, Any]]] = {}
    for finding in findings:
        grouped.setdefault(finding["question"], []).append(finding)
    return [
        {"title": QUESTIONS.get(key, key.capitalize()), "verdict": found[0]["verdict"], "findings": found}
        for key, found in grouped.items()
    ]


def show_change(share: float) -> str:
    """A relative difference, with its sign."""
    return percent(share, sign=True)


def _compared_names(findings: Sequence[Mapping[str, Any]]) -> list[str]:
    """What findings are compared with, in the order of their first appearance."""
    return list(dict.fromkeys(other["name"] for finding in findings for other in finding["compared_with"]))


def _units(findings: Sequence[Mapping[str, Any]]) -> list[tuple[str, float, float]]:
    """Base and voice for each chapter or work, where there are several but not too many to show."""
    rows: list[dict[str, Any]] = next((f["details"]["by_unit"] for f in findings if "by_unit" in f["details"]), [])
    return [(row["name"], row["base"], row["voice"]) for row in rows] if 1 < len(rows) <= MOST_UNITS else []


def _imprint(findings: Sequence[Mapping[str, Any]]) -> Markup:
    """The line from style to memorisation with the voice's place on it; empty where it has none."""
    found = next((finding for finding in findings if finding["name"] == "memory share"), None)
    if found is None or found["value"] is None:
        return Markup("")
    return imprint_line(found["value"], found["low"], found["high"])


def _all_spans(findings: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return next((f["details"]["spans"] for f in findings if "spans" in f["details"]), [])


def _spans(findings: Sequence[Mapping[str, Any]], samples: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The longest copied passages with a few words around them."""
    shown = []
    for span in _all_spans(findings)[:MOST_SPANS]:
        text = samples[span["sample"]]["voice"]
        before = text[: span["start"]].split()
        after = text[span["stop"] :].split()
        shown.append(
            {
                "words": span["words"],
                "before": ("… " if len(before) > CONTEXT_WORDS else "") + " ".join(before[-CONTEXT_WORDS:]),
                "copied": text[span["start"] : span["stop"]],
                "after": " ".join(after[:CONTEXT_WORDS]) + (" …" if len(after) > CONTEXT_WORDS else ""),
                "where": span["where"],
                "sample": span["sample"] + 1,
            }
        )
    return shown


def _marks(findings: Sequence[Mapping[str, Any]], samples: int) -> list[list[tuple[int, int]]]:
    """For each sample the places to highlight: where the voice copied, overlaps put together."""
    marks: list[list[tuple[int, int]]] = [[] for _ in range(samples)]
    for span in sorted(_all_spans(findings), key=lambda span: (span["sample"], span["start"])):
        own = marks[span["sample"]]
        if own and span["start"] <= own[-1][1]:
            own[-1] = (own[-1][0], max(own[-1][1], span["stop"]))
        else:
            own.append((span["start"], span["stop"]))
    return marks


def _account(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Rows of the table of where the text went, with the totals that they add up to."""
    names = list(dict.fromkeys([*facts["tokens"], *facts["words"]]))
    rows = [(name, facts["words"].get(name), facts["tokens"].get(name)) for name in names]
    rows = [row for row in rows if row[1] or row[2]]
    return {"rows": rows, "words": sum(facts["words"].values()), "tokens": sum(facts["tokens"].values())}
