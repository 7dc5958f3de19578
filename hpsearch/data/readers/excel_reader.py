"""The reader of Excel's workbooks, by openpyxl, which is an extra."""

import datetime
import warnings
import zipfile
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from hpsearch.data.tables.columns import table_of
from hpsearch.data.tables.raw_table import Source, Table, check_size, listed, regular_file, shown
from workers.errors import InputError


def read_excel(source: Source) -> Table:
    """Read the sheet that is named, or the first one; its first row names the columns.

    Formulas have the values that were last computed. Cells of several types in a column are read
    as the text that they show; rows without a value are none.
    """
    path = regular_file(source.path)
    openpyxl = _library(source)
    try:
        with zipfile.ZipFile(path) as archive:
            check_size(source.path, sum(info.file_size for info in archive.infolist()))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what it leaves aside, such as drop-down lists
            book = openpyxl.load_workbook(path, read_only=True, data_only=True)
            rows = _rows(book, source)
            book.close()
    except InputError:
        raise
    except Exception as error:  # a damaged file makes it raise almost anything
        raise InputError(
            f"{shown(source.path)} must be an Excel workbook (.xlsx)",
            shown(error),
            "replace it or correct format",
        ) from None
    return table_of(_table(rows, source), source)


def _library(source: Source) -> Any:
    try:
        import openpyxl
    except ImportError:
        raise InputError(
            "an Excel workbook needs openpyxl, which is not installed",
            shown(source.path),
            "pip install openpyxl (hpsearch's extra excel), or save it as CSV",
        ) from None
    return openpyxl


def _rows(book: Any, source: Source) -> list[tuple[Any, ...]]:
    names = [sheet.title for sheet in book.worksheets]
    name = source.sheet if source.sheet is not None else next(iter(names), "")
    if name not in names:
        raise InputError(
            f"data.sheet must name a sheet of {shown(source.path)}",
            shown(name),
            f"choose one of {listed(names)}",
        )
    rows = book[name].iter_rows(values_only=True)
    return [row for row in rows if any(value is not None for value in row)]


def _table(rows: list[tuple[Any, ...]], source: Source) -> pa.Table:
    if not rows:
        raise InputError("a data file must have rows", f"{shown(source.path)}, empty", "fill it")
    body = rows[1:] if source.header else rows
    width = max(map(len, rows))
    head = rows[0] if source.header else range(width)
    names = ["" if name is None else str(name).strip() for name in head]
    names += [""] * (width - len(names))
    columns = [[row[c] if c < len(row) else None for row in body] for c in range(width)]
    there = [c for c in range(width) if names[c] or any(v is not None for v in columns[c])]
    nameless = [c for c in there if not names[c]]
    if nameless:
        raise InputError(
            "every column must have a name",
            f"none for column {nameless[0]} in {shown(source.path)}",
            "name it, or set header: false if the sheet has no header",
        )
    arrays = [_array(columns[c]) for c in there]
    return pa.Table.from_arrays(arrays, names=[names[c] for c in there])


def _array(values: Sequence[Any]) -> pa.Array:
    """Return a column's values as they are if all are numbers, or dates; else as text."""
    known = [value for value in values if value is not None]
    if all(isinstance(value, bool) for value in known):
        return pa.array(values, pa.bool_() if known else pa.float64())
    if all(isinstance(value, int) and not isinstance(value, bool) for value in known):
        return pa.array(values, pa.int64())
    if all(isinstance(value, int | float) for value in known):
        return pa.array(values, pa.float64())
    if all(isinstance(value, datetime.date) for value in known):  # datetimes are dates, too
        return pa.array([_moment(value) for value in values], pa.timestamp("us"))
    return pa.array([None if value is None else str(value) for value in values], pa.string())


def _moment(value: Any) -> datetime.datetime | None:
    if value is None or isinstance(value, datetime.datetime):
        return value
    return datetime.datetime.combine(value, datetime.time())
