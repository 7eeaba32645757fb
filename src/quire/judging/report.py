"""The honest report: report.json for machines, report.html for people, results.csv for tables; all of one making."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from quire.judging.continuations import Continuation
from quire.judging.curve import curve_of
from quire.judging.page import page_of
from quire.run.atomic import fresh_folder, write_text
from quire.run.events import Event
from quire.run.finding import Finding

FORMAT = 1
JSON_FILE, PAGE_FILE, RESULTS_FILE = "report.json", "report.html", "results.csv"


@dataclass(frozen=True)
class Facts:
    """What was judged.

    `words` and `tokens` say where the text went (trained, validation, test, dropped, …; together all that was read);
    `dropped` gives reasons and their words; `settings` are the recipe's, by dotted key; `made` are further facts
    about the training for people, as (name, value).
    """

    run: str
    title: str
    base: str
    method: str
    author: str = ""
    language: str = ""
    words: Mapping[str, int] = field(default_factory=dict)
    tokens: Mapping[str, int] = field(default_factory=dict)
    dropped: Sequence[tuple[str, int]] = ()
    made: Sequence[tuple[str, str]] = ()
    settings: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """What `judge` found; `folder` holds the written report."""

    folder: Path
    findings: tuple[Finding, ...]
    samples: tuple[Continuation, ...]

    @property
    def page(self) -> Path:
        return self.folder / PAGE_FILE

    @property
    def verdicts(self) -> tuple[str, ...]:
        """One sentence for each question."""
        return verdicts_of(self.findings)

    def finding(self, name: str) -> Finding:
        """The finding of that name, such as `bits per byte`.  KeyError where there is none."""
        return {finding.name: finding for finding in self.findings}[name]

    def __str__(self) -> str:
        return "\n".join(self.verdicts)


def write_report(
    folder: Path,
    findings: Sequence[Finding],
    events: Sequence[Event],
    samples: Sequence[Continuation],
    facts: Facts,
) -> Report:
    """Write the report's folder, whole or not at all, in place of an earlier one."""
    curve = curve_of(events)
    data = {
        "format": FORMAT,
        "run": facts.run,
        "verdicts": list(verdicts_of(findings)),
        "findings": [finding.to_json() for finding in findings],
        "facts": asdict(facts),
        "samples": [sample.to_json() for sample in samples],
        "curve": curve.to_json(),
    }
    with fresh_folder(folder) as target:
        write_text(target / JSON_FILE, json.dumps(data, ensure_ascii=False, allow_nan=False, indent=2) + "\n")
        write_text(target / PAGE_FILE, page_of(data))
        write_text(target / RESULTS_FILE, _as_csv({"run": facts.run, **result_line(findings, facts)}))
    return Report(folder, tuple(findings), tuple(samples))


def read_report(folder: Path) -> Report:
    """The report that `write_report` left in `folder`."""
    data = json.loads((folder / JSON_FILE).read_text(encoding="utf-8"))
    findings = tuple(Finding.from_json(finding) for finding in data["findings"])
    return Report(folder, findings, tuple(Continuation(**sample) for sample in data["samples"]))


def verdicts_of(findings: Sequence[Finding]) -> tuple[str, ...]:
    """The verdict of each question's first finding, which speaks for the question."""
    first: dict[str, str] = {}
    for finding in findings:
        first.setdefault(finding.question, finding.verdict)
    return tuple(first.values())


def result_line(findings: Sequence[Finding], facts: Facts) -> dict[str, object]:
    """One line of a table of runs: the base that was decided on, findings with what they are compared with, then all
    settings."""
    line: dict[str, object] = {"base": facts.base, "title": facts.title}
    for finding in findings:
        name = finding.name.replace(" ", "_")
        line |= {name: finding.value, f"{name}_low": finding.low, f"{name}_high": finding.high}
        line |= {f"{name}_{other.name.replace(' ', '_')}": other.value for other in finding.compared_with}
    return line | {key: value for key, value in facts.settings.items() if key not in line}


def _as_csv(line: Mapping[str, object]) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(line)
    writer.writerow("" if value is None else value for value in line.values())
    return out.getvalue()
