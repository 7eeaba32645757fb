"""Plots for people outside a page: the same picture as PNG and as SVG, drawn by matplotlib without a screen."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quire.run.atomic import write_bytes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

KINDS = ("png", "svg")
# Told apart by people who see colours differently too (Okabe and Ito 2008), and by their dashes and marks.
_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#999999")
_DASHES = ("-", "--", "-.", ":")
_INK, _FAINT = "#333333", "#bbbbbb"
_MOST_NAMED = 16  # lines that a legend names; a search's hundredth trial needs no name


@dataclass(frozen=True)
class Dot:
    """A trial in the order of the search; `loss` is None where it failed without one."""

    number: int
    loss: float | None
    state: str


@dataclass(frozen=True)
class Share:
    """How much a key mattered, and the interval of that."""

    key: str
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Line:
    """A run's held-out losses over the tokens that it has learned from."""

    name: str
    points: tuple[tuple[float, float], ...]


def history_plot(dots: Sequence[Dot], path: Path) -> list[Path]:
    """Losses in the order of the trials, and the best so far; writes `path`.png and `path`.svg."""
    from matplotlib.ticker import MaxNLocator

    figure, axes = _empty(7.2, 4.2)
    told = [(dot, dot.loss) for dot in dots if dot.loss is not None and math.isfinite(dot.loss)]
    groups = (("finished", "o", _COLOURS[0]), ("pruned", "x", _COLOURS[1]))
    for state, mark, colour in groups:
        points = [(dot.number, loss) for dot, loss in told if dot.state == state]
        if points:
            label = "finished" if state == "finished" else "given up early"
            x, y = zip(*points, strict=True)
            axes.scatter(x, y, marker=mark, s=34, color=colour, label=label, zorder=3)
    _best_so_far(axes, [(dot.number, loss) for dot, loss in told if dot.state == "finished"], len(dots))
    failed = [dot.number for dot in dots if dot.state == "failed"]
    for at in failed:
        axes.axvline(at, color=_FAINT, linewidth=1, linestyle=":", zorder=1)
    if failed:
        axes.plot([], [], color=_FAINT, linestyle=":", label="failed")
    original = next((loss for dot, loss in told if dot.number == 0), None)
    if original is not None:
        axes.axhline(original, color=_INK, linewidth=0.9, linestyle="--", label="the recipe as it is", zorder=2)
    _within(axes, [loss for _, loss in told])
    axes.set_xlabel("trial")
    axes.set_ylabel("held-out loss, nats per token")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _legend(figure, axes)
    return _save(figure, path)


def importance_plot(shares: Sequence[Share], path: Path) -> list[Path]:
    """A bar for each key with its interval; writes `path`.png and `path`.svg."""
    figure, axes = _empty(7.2, 1.3 + 0.42 * len(shares))
    ordered = list(reversed(shares))
    names = [share.key for share in ordered]
    axes.barh(names, [share.share for share in ordered], color=_COLOURS[0], height=0.55, zorder=2)
    for row, share in enumerate(ordered):
        axes.plot([share.low, share.high], [row, row], color=_INK, linewidth=1.4, marker="|", zorder=3)
    axes.set_xlim(0, max(1.0, *(share.high for share in shares)))
    axes.set_xlabel("share of the importance, with 95 % interval")
    axes.grid(visible=False, axis="y")
    return _save(figure, path)


def curves_plot(lines: Sequence[Line], measure: str, path: Path) -> list[Path]:
    """Each run's held-out loss over its tokens; `measure` names its unit, `path` ends with .png or .svg."""
    figure, axes = _empty(7.8, 4.6)
    for number, line in enumerate(lines):
        axes.plot(
            *zip(*line.points, strict=True),
            color=_COLOURS[number % len(_COLOURS)],
            linestyle=_DASHES[number // len(_COLOURS) % len(_DASHES)],
            marker="o",
            markersize=3,
            linewidth=1.5,
            label=line.name if number < _MOST_NAMED else "_",
        )
    axes.set_xlabel("tokens learned from")
    axes.set_ylabel(measure)
    axes.xaxis.set_major_formatter(lambda value, _: _tokens(value))
    _legend(figure, axes)
    return _save(figure, path)


def _tokens(value: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:g} {letter}"
    return f"{value:g}"


def _best_so_far(axes: Axes, points: Sequence[tuple[int, float]], count: int) -> None:
    best: list[tuple[int, float]] = []
    for at, loss in points:
        best.append((at, min(loss, best[-1][1] if best else loss)))
    if best:
        best.append((max(count - 1, best[-1][0]), best[-1][1]))
        axes.step(
            *zip(*best, strict=True), where="post", color=_COLOURS[0], linewidth=1.2, label="best so far", zorder=2
        )


def _within(axes: Axes, losses: Sequence[float]) -> None:
    """One trial that blew up must not press all others onto a line: what is far above the rest leaves the picture."""
    if len(losses) < 4:
        return
    ordered = sorted(losses)
    low, middle = ordered[0], ordered[len(ordered) // 2]
    top = middle + 4 * (middle - low)
    if ordered[-1] > top > low:
        axes.set_ylim(low - 0.08 * (top - low), top)
        above = sum(loss > top for loss in losses)
        axes.annotate(
            f"{above} above", (0.99, 0.97), xycoords="axes fraction", ha="right", va="top", fontsize=8, color=_INK
        )


def _empty(width: float, height: float) -> tuple[Figure, Axes]:
    from matplotlib.figure import Figure as Drawn

    figure = Drawn(figsize=(width, height), layout="constrained")
    axes = figure.add_subplot()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#e6e6e6", linewidth=0.7)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=9, colors=_INK)
    return figure, axes


def _legend(figure: Figure, axes: Axes) -> None:
    """Above the picture, where no point can lie under it."""
    names = axes.get_legend_handles_labels()[1]
    if names:
        longest = max(len(name) for name in names)
        figure.legend(frameon=False, fontsize=8.5, loc="outside upper left", ncols=max(1, 90 // (longest + 8)))


def _save(figure: Figure, path: Path) -> list[Path]:
    """As the kind that `path` ends with, or else as both; whole or not at all; the same numbers give the same bytes."""
    import io

    import matplotlib as mpl

    named = path.suffix.removeprefix(".").lower()
    files = []
    for kind in [named] if named in KINDS else KINDS:
        out = io.BytesIO()
        known: dict[str, Any] = {"metadata": {"Date": None}} if kind == "svg" else {"dpi": 144}
        with mpl.rc_context({"svg.hashsalt": "quire", "svg.fonttype": "path"}):
            figure.savefig(out, format=kind, **known)
        file = path if kind == named else path.with_name(f"{path.name}.{kind}")
        write_bytes(file, out.getvalue())
        files.append(file)
    return files
