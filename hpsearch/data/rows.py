"""New rows as raw rows of known columns: those of a file, frames, arrays of any type."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hpsearch.data.readers.formats import read_blocks
from hpsearch.data.tables.kinds import values_of
from hpsearch.data.tables.raw_table import Source, Table, shown
from workers.data.columns import Column
from workers.errors import InputError


def raw_rows(x: Any, columns: Sequence[Column]) -> NDArray[Any]:
    """Return raw rows ``(rows, columns)`` of a data frame or an array.

    A frame's columns go by name, an array's by position. Text, dates and missing values are
    taken as in a file; an array of numbers is taken to be raw rows already.

    Raises
    ------
    InputError
        If columns are missing, or values are not of their column's kind.
    """
    if hasattr(x, "columns"):
        return _encoded([_column(x, column.name) for column in columns], columns)
    rows = np.asarray(x)
    if rows.ndim != 2 or rows.shape[1] != len(columns):
        raise InputError(
            f"rows to predict must be an array (rows, {len(columns)}) or a frame",
            f"{rows.shape} of {rows.dtype}",
            "give the columns of the training data",
        )
    if rows.dtype.kind in "biuf":
        return rows
    return _encoded(list(rows.T), columns)


def read_features(
    path: str,
    *,
    feature_names: tuple[str, ...],
    target: str | int | None = None,
    file_format: str | None = None,
    dialect: Mapping[str, Any],
    columns: tuple[Column, ...] | None = None,
    keep: tuple[str, ...] = (),
) -> Iterator[Table]:
    """Yield raw rows of a file, part by part, with ``feature_names`` in their order.

    Columns are matched by name, whatever their order, and other columns (such as ``target``) are
    left aside; where either side has no names, by position. Columns to ``keep`` lie beside. The
    ``dialect`` are fields of a source.

    Raises
    ------
    InputError
        If columns are missing or their number is wrong, and for what no reader takes; parts may
        have been yielded before.
    """
    source = Source(
        path,
        format=file_format,
        target=target,
        **dialect,
        features=feature_names,
        labelled=False,
        known=columns or tuple(Column(name) for name in feature_names),
        complete=columns is None,
        beside=keep,
    )
    return read_blocks(source)


def groups(tables: Iterable[Table], rows: int) -> Iterator[tuple[NDArray[Any], pa.Table]]:
    """Yield the same rows and the columns beside them, so many ``rows`` at a time.

    Only the last group may have fewer.
    """
    x: list[NDArray[Any]] = []
    beside: list[pa.Table] = []
    for table in tables:
        x.append(table.x)
        beside.append(pa.table(dict(table.beside)))
        if sum(map(len, x)) < rows:
            continue
        whole, kept = np.concatenate(x), pa.concat_tables(beside)
        end = len(whole) // rows * rows
        for start in range(0, end, rows):
            yield whole[start : start + rows], kept.slice(start, rows)
        x, beside = [whole[end:]], [kept.slice(end)]
    if sum(map(len, x)):
        yield np.concatenate(x), pa.concat_tables(beside)


def unknown(x: NDArray[Any], columns: Sequence[Column]) -> dict[str, int]:
    """Return how many values of raw rows each category does not know, by its name."""
    return {
        column.name: int((values == -1).sum())
        for column, values in zip(columns, x.T, strict=bool(columns))
        if column.kind == "category"
    }


def in_lines(counts: Mapping[str, int]) -> list[str]:
    """Return a line for each category with values that it does not know."""
    return [
        f"{count:,} value{'s' * (count != 1)} of {shown(name)} unknown, taken as rare ones"
        for name, count in counts.items()
        if count
    ]


def _column(frame: Any, name: str) -> Any:
    if name not in frame.columns:
        known = f"a frame without {shown(name)}"
        raise InputError("rows to predict must have the model's columns", known, "add it")
    return frame[name]


def _encoded(values: Sequence[Any], columns: Sequence[Column]) -> NDArray[np.float64]:
    source = Source("the rows", known=tuple(columns))
    found = [
        values_of(_arrow(one, column), column.name, source, typed=True).values
        for one, column in zip(values, columns, strict=True)
    ]
    return np.stack(found, axis=1)


def _arrow(values: Any, column: Column) -> pa.ChunkedArray:
    try:
        array = pa.array(values, from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):  # Values of several types.
        texts = [None if one is None or one != one else str(one) for one in values]
        array = pa.array(texts, pa.string())
    if pa.types.is_null(array.type) and column.kind != "number":
        array = array.cast(pa.string())
    return pa.chunked_array([array])
