"""quire compare: runs side by side, and which of them did better where that can be said."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from quire.errors import RunError
from quire.judging.plots import KINDS, Line, curves_plot
from quire.run.atomic import write_text
from quire.run.folder import RUNS, RunFolder, find_run
from quire.run.results import FIRST_COLUMN
from quire.verbs.comparing.likeness import why_not_by_loss, why_not_by_text
from quire.verbs.comparing.line import RunLine, columns_of, read_line
from quire.verbs.searching.journal import is_search, read_journal

BITS = "bits per byte"
_UNTOLD = ("name",)  # a run is named already


@dataclass(frozen=True)
class Comparison:
    """Runs in the order in which they were named.

    `differing` holds the settings that are not the same in all, with each run's value (None where it has no such key).
    `by_loss` and `by_bits` are the runs' names from the best on, by held-out loss and by the judge's bits per byte;
    empty where they cannot be ranked so, for the reasons in `not_by_loss` and `not_by_bits`.
    """

    lines: tuple[RunLine, ...]
    differing: Mapping[str, tuple[Any, ...]]
    by_loss: tuple[str, ...]
    not_by_loss: tuple[str, ...]
    by_bits: tuple[str, ...]
    not_by_bits: tuple[str, ...]
    undecided: tuple[str, ...]

    @property
    def samples(self) -> dict[str, dict[str, str]]:
        """What they wrote to the same prompts: prompt → run → text; of prompts that several were given."""
        prompts = dict.fromkeys(prompt for line in self.lines for prompt in line.samples)
        told = {p: {line.name: line.samples[p] for line in self.lines if p in line.samples} for p in prompts}
        return {prompt: texts for prompt, texts in told.items() if len(texts) > 1}

    def to_json(self) -> dict[str, Any]:
        """What `quire compare --json` prints; units are in the names."""
        return {
            "runs": [_line_json(line) for line in self.lines],
            "differing": {key: list(values) for key, values in self.differing.items()},
            "by_held_out_loss": list(self.by_loss),
            "not_by_held_out_loss": list(self.not_by_loss),
            "by_bits_per_byte": list(self.by_bits),
            "not_by_bits_per_byte": list(self.not_by_bits),
            "undecided": list(self.undecided),
            "samples": self.samples,
        }

    def to_csv(self) -> str:
        """A line for each run, with the columns of runs/results.csv."""
        rows = [{FIRST_COLUMN: line.name, **columns_of(line)} for line in self.lines]
        columns = list(dict.fromkeys(key for row in rows for key in row))
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: "" if value is None else value for key, value in row.items()} for row in rows)
        return out.getvalue()


def compare(runs: Sequence[str | Path], *, csv_file: Path | None = None, plot_file: Path | None = None) -> Comparison:
    """Put runs side by side: finished or not, judged or not, plain or with stages; a search stands for its trials.

    `csv_file` gets a line for each, `plot_file` (.png or .svg) the held-out losses over the tokens.  Raises RunError
    where one is no run, or where the losses cannot stand in one picture.
    """
    lines = tuple(_read(found) for found in _folders(runs))
    if not lines:
        raise RunError("there is nothing to compare", "name two runs, such as: quire compare first second", "compare")
    comparison = _compared(lines)
    if plot_file is not None:
        _plot(comparison, plot_file)
    if csv_file is not None:
        write_text(csv_file, comparison.to_csv())
    return comparison


def _compared(lines: tuple[RunLine, ...]) -> Comparison:
    not_by_loss, not_by_bits = why_not_by_loss(lines), why_not_by_text(lines)
    with_loss = [line for line in lines if line.loss is not None]
    judged = [(line, finding) for line in lines if (finding := line.finding(BITS)) and finding.value is not None]
    by_loss = sorted(with_loss, key=lambda line: (line.loss, line.name)) if not not_by_loss else []
    by_bits = sorted(judged, key=lambda pair: (pair[1].value, pair[0].name)) if not not_by_bits else []
    undecided = []
    for (better, one), (worse, other) in zip(by_bits, by_bits[1:], strict=False):
        if one.high is None or other.low is None or one.high >= other.low:
            undecided.append(f"{better.name} and {worse.name}: their intervals overlap")
    return Comparison(
        lines=lines,
        differing=_differing(lines),
        by_loss=tuple(line.name for line in by_loss),
        not_by_loss=tuple(not_by_loss),
        by_bits=tuple(line.name for line, _ in by_bits),
        not_by_bits=tuple(not_by_bits),
        undecided=tuple(undecided),
    )


def _differing(lines: Sequence[RunLine]) -> dict[str, tuple[Any, ...]]:
    settings = [line.settings for line in lines]
    keys = dict.fromkeys(key for one in settings for key in one if key not in _UNTOLD)
    values = {key: tuple(one.get(key) for one in settings) for key in keys}
    return {key: row for key, row in values.items() if any(value != row[0] for value in row)}


@dataclass(frozen=True)
class _Found:
    """A run's folder, the name that it goes by here, and of a search's trial how it ended."""

    folder: RunFolder
    name: str
    state: str = ""


def _read(found: _Found) -> RunLine:
    line = read_line(found.folder, found.name)
    return replace(line, state=found.state) if found.state not in ("", "running") else line


def _folders(runs: Sequence[str | Path]) -> list[_Found]:
    """What names stand for, each once and with a name of its own, in the order of the names."""
    found: list[_Found] = []
    for name in runs:
        if Path(name).suffix == ".csv" and Path(name).is_file():
            continue  # runs/* names the table of results too
        search = next((path for path in (Path(name), RUNS / name) if is_search(path)), None)
        if search is not None:
            found += _trials(search)
            continue
        run = find_run(name).run
        if run is None:
            raise RunError(f"{name} is a voice without its run", "name the run folder that it came from", "compare")
        found.append(_Found(run, run.name))
    distinct = list({one.folder.path.absolute(): one for one in found}.values())
    names = [one.name for one in distinct]
    return [one if names.count(one.name) == 1 else replace(one, name=str(one.folder.path)) for one in distinct]


def _trials(search: Path) -> list[_Found]:
    journal = read_journal(search)
    assert journal is not None
    name = search.absolute().name
    begun = [trial for trial in journal.trials if (search / trial.folder / "recipe.yaml").is_file()]
    return [_Found(RunFolder.open(search / t.folder), f"{name}/{t.number}", t.state) for t in begun]


def _plot(comparison: Comparison, file: Path) -> None:
    if file.suffix.removeprefix(".").lower() not in KINDS:
        raise RunError(f"{file} is no name of a picture", f"end it with .{' or .'.join(KINDS)}", "compare")
    if comparison.not_by_loss:
        raise RunError(
            f"the losses cannot stand in one picture: {'; '.join(comparison.not_by_loss)}",
            "name runs that hold out the same text, on the same base",
            "compare",
        )
    drawn = [Line(line.name, line.curve) for line in comparison.lines if line.curve]
    if not drawn:
        raise RunError("none of these runs has measured a held-out loss yet", "train one further", "compare")
    curves_plot(drawn, "held-out loss, nats per token", file)


def _line_json(line: RunLine) -> dict[str, Any]:
    return {
        "run": line.name,
        "path": str(line.path),
        "state": line.state,
        "base": line.base,
        "method": line.method,
        "steps": line.steps,
        "tokens": line.tokens,
        "seconds": line.seconds,
        "held_out_loss": line.loss,
        "stages": [asdict(stage) for stage in line.stages],
        "findings": [finding.to_json() for finding in line.findings],
        "curve": [list(point) for point in line.curve],
    }
