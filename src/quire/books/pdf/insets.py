"""Which lines of a PDF column are set apart from the paragraphs around: set in, or in smaller type."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from quire.books.pdf.lines import Line
from quire.books.pdf.measure import SENTENCE_END, Measure


def find_insets(lines: Sequence[Line], measure: Measure, edge: float) -> list[bool]:
    """For each line of a column with margins at 0 and `edge` whether it belongs to verse, a quotation, a signature."""
    size = measure.size
    insets = [line.left > measure.indent + 0.45 * size for line in lines]
    for start, stop in _runs(lines, measure):
        run = lines[start:stop]
        own = min(line.left for line in run)
        small = all(line.size < 0.96 * size for line in run)
        if own <= 0.4 * size or own > measure.indent + 0.45 * size:
            continue
        # Not at the margin, and not where paragraphs begin; or there, but in small type; or there, and no sentences.
        elsewhere = abs(own - measure.indent) > max(1.5, 0.15 * size)
        # At the foot of a column a full last line goes on overleaf, maybe at the margin.
        open_end = stop == len(lines) and run[-1].right > edge - 1.5 * size
        if elsewhere or (len(run) > 1 and (small or (_is_unsaid(run) and not open_end))):
            insets[start:stop] = [True] * (stop - start)
    return insets


def _is_unsaid(run: Sequence[Line]) -> bool:
    """Whether lines that each could be a paragraph of one line do not end as sentences do."""
    ends = sum(bool(SENTENCE_END.search(line.plain)) for line in run)
    dashes = sum(line.plain.lstrip()[:1] in "—–-“«‘\"'" for line in run)
    return ends <= 0.5 * len(run) and dashes <= 0.25 * len(run)


def _runs(lines: Sequence[Line], measure: Measure) -> Iterator[tuple[int, int]]:
    """Lines that stand together, none of them at the margin: where each run begins and stops."""
    start: int | None = None
    for index, line in enumerate(lines):
        above = lines[index - 1] if index else None
        apart = above is None or above.y - line.y > measure.gap or abs(above.size - line.size) > 0.04 * measure.size
        if start is not None and (apart or line.left <= 0.4 * measure.size):
            if apart:
                yield start, index
            start = None
        if start is None and apart and line.left > 0.4 * measure.size:
            start = index
    if start is not None:
        yield start, len(lines)
