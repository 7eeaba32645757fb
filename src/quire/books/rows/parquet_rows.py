"""Parquet tables, read a few rows at a time; pictures, sounds and other bytes are left where they are."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from quire.books import pulse
from quire.books.limits import MIB
from quire.books.rows.row import Bad, Entry, Position, Row
from quire.errors import BookError

_BATCH_BYTES = 4 * MIB
_MOST_ROWS = 256


def read_parquet(path: Path, start: Position) -> Iterator[Entry]:
    """The rows from a position on; groups of rows before it are not read.  Raises BookError for what is no table."""
    # Its other allocators reserve address space by the gigabyte, which a bounded process does not have.
    os.environ["ARROW_DEFAULT_MEMORY_POOL"] = "system"
    import pyarrow as pa  # type: ignore[import-untyped]
    from pyarrow import parquet

    faults = (pa.ArrowException, OSError, ValueError, TypeError, KeyError, NotImplementedError)
    try:
        table = parquet.ParquetFile(path, memory_map=False, pre_buffer=False)
        columns = [field.name for field in table.schema_arrow if _is_readable(field.type, pa)]
        sizes = [table.metadata.row_group(n).num_rows for n in range(table.num_row_groups)]
    except faults as error:
        raise BookError(
            f"{path} is a damaged Parquet table ({_said(error)})", "get the file again", code="damaged"
        ) from None
    if not columns:
        raise BookError(f"{path} has no column of text", "choose a table with text", code="not-a-book")
    yield from _groups(table, columns, sizes, start, faults)


def _groups(table: Any, columns: list[str], sizes: list[int], start: Position, faults: Any) -> Iterator[Entry]:
    before = 0
    for group, size in enumerate(sizes):
        if before + size <= start.passed:
            before += size
            continue
        row = before
        mean = table.metadata.row_group(group).total_byte_size // max(1, size)
        batch_size = max(1, min(_MOST_ROWS, _BATCH_BYTES // max(1, mean)))
        try:
            for batch in table.iter_batches(batch_size, row_groups=[group], columns=columns, use_threads=False):
                if row + batch.num_rows <= start.passed:
                    row += batch.num_rows
                    continue
                for index in range(batch.num_rows):
                    row += 1
                    if row > start.passed:
                        yield _row(batch.slice(index, 1), row, faults)
                        pulse.beat()
        except faults as error:
            lost = before + size - row
            yield Bad(row + 1, f"damaged group of rows ({_said(error)})", "", Position(before + size), max(1, lost))
        before += size


def _row(batch: Any, number: int, faults: Any) -> Entry:
    after = Position(number)
    try:
        return Row(number, batch.to_pylist()[0], after)
    except (*faults, AttributeError, LookupError, ArithmeticError) as error:
        return Bad(number, f"row that is no text ({_said(error)})", "", after)


def _is_readable(type_: Any, pa: Any) -> bool:
    """Texts, numbers, truth, dates, and lists or records of them."""
    types = pa.types
    if types.is_list(type_) or types.is_large_list(type_) or types.is_fixed_size_list(type_):
        return _is_readable(type_.value_type, pa)
    if types.is_struct(type_):
        return all(_is_readable(type_.field(n).type, pa) for n in range(type_.num_fields))
    if types.is_dictionary(type_):
        return _is_readable(type_.value_type, pa)
    return bool(
        types.is_string(type_)
        or types.is_large_string(type_)
        or types.is_integer(type_)
        or types.is_floating(type_)
        or types.is_boolean(type_)
        or types.is_temporal(type_)
    )


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:120]
