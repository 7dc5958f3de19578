"""The reader of CSV files."""

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hpsearch.data.readers.blocks import ends_of_rows, text_blocks
from hpsearch.data.readers.csv_parsing import (
    SAMPLE,
    parse,
    texts_at_first,
    unreadable,
)
from hpsearch.data.tables.columns import Chosen, Rows, assemble, choose, joined
from hpsearch.data.tables.dialect import check_dialect, without_comments
from hpsearch.data.tables.raw_table import Source, Table, shown
from workers.errors import InputError

_FILLED = re.compile(rb"[^\r\n]")


def read_csv(source: Source) -> Table:
    """Read a CSV file in UTF-8, gzipped or not; without a header, columns are numbers.

    Labels are kept as text, without the blanks around them.
    """
    texts, found = set[int](), None
    while found is None:
        found = _gathered(source, texts)
    return found


def csv_blocks(source: Source) -> Iterator[Table]:
    """Yield the rows of a CSV file whose columns are known, block by block, as `read_csv` does."""
    first = source.first_row
    for block in _blocks(source, set(), limited=False):
        rows = block.table.select([str(c) for c in block.chosen.columns])
        part = replace(source, first_row=first)
        yield assemble(rows, block.names, block.chosen, part, typed=False)
        first += len(rows)


@dataclass(frozen=True, eq=False)
class _Block:
    """Some rows: those columns that are wanted, each called by its number."""

    names: list[str]
    chosen: Chosen
    table: pa.Table
    size: int


def _gathered(source: Source, texts: set[int]) -> Table | None:
    """Return all rows; or None, once a column has come to be one of ``texts``."""
    rows, begun, nameless = None, set[int](), dict[int, list[pa.ChunkedArray]]()
    for block in _blocks(source, texts, limited=True):
        if rows is None:
            expected = 1.02 * len(block.table) * Path(source.path).stat().st_size / block.size
            how: dict[str, Any] = {"typed": False, "rows": int(expected) + 1}
            rows, begun = Rows(block.names, block.chosen, source, **how), set(texts)
        elif texts != begun:
            return None
        rows.add(block.table.select([str(c) for c in block.chosen.columns]))
        for c in _without_name(block.names, source):
            nameless.setdefault(c, []).append(block.table.column(str(c)))
    if rows is None:
        raise unreadable("Empty CSV", source)
    found = rows.table()
    notes = [_nameless(joined(v), c, block.names, source) for c, v in nameless.items()]
    return replace(found, left_out=(*notes, *found.left_out))


def _blocks(source: Source, texts: set[int], *, limited: bool) -> Iterator[_Block]:
    """Yield a file's rows, and add to ``texts`` which columns are read as text."""
    chosen, names, source = None, list[str](), check_dialect(source)
    stripped = without_comments(source)
    for block in text_blocks(source, ends_of_rows(source), limited=limited):
        data, start = stripped(block), 0
        if chosen is None:
            names, start = _read_names(data, source)
            chosen = choose(names, source, named=source.header)
            features = dict(zip(chosen.features, chosen.names, strict=True))
            texts.update(texts_at_first(data[start : start + SAMPLE], names, features, source))
            texts.update([*chosen.columns[len(features) :], *_without_name(names, source)])
            columns = list(dict.fromkeys([*chosen.columns, *_without_name(names, source)]))
        if _FILLED.search(data, start):
            table = parse(pa.py_buffer(data).slice(start), names, columns, texts, source)
            yield _Block(names, chosen, table, len(data) - start)
            source = replace(source, first_row=source.first_row + table.num_rows)


def _without_name(names: Sequence[str], source: Source) -> list[int]:
    return [c for c, name in enumerate(names) if not name and source.labelled]


def _nameless(column: pa.ChunkedArray, place: int, names: list[str], source: Source) -> str:
    """Return why a column without a name is left out.

    It may be pandas' index, or what follows the delimiter at the end of each line.
    """
    numbers = pa.chunked_array([pa.array(np.arange(len(column))).cast(pa.string())])
    if place == 0 and column.equals(numbers):
        return "column 0: without a name, it numbers the rows"
    if place == len(names) - 1 and pc.utf8_trim_whitespace(column).unique().to_pylist() == [""]:
        return f"column {place}: without a name or a value, lines end in a delimiter"
    raise InputError(
        "every column must have a name",
        f"none for column {place} in {shown(source.path)}",
        "name it, or set header: false if the file has no header",
    )


def _read_names(data: bytes, source: Source) -> tuple[list[str], int]:
    """Return the columns' names and the offset of the first row."""
    first = re.compile(rb"(?:\xef\xbb\xbf)?(\s*[\r\n])?([^\r\n]*)(\r\n|\r|\n)?").match(data)
    if first is None or not first[2].strip():
        raise InputError("a data file must have rows", f"{shown(source.path)}, empty", "fill it")
    try:
        cells = next(
            csv.reader([first[2].decode()], delimiter=source.delimiter, quotechar=source.quote)
        )
    except csv.Error as error:
        raise InputError(
            f"the first line of {shown(source.path)} must be CSV", str(error), "check the file"
        ) from None
    if not source.header:
        return [str(column) for column in range(len(cells))], first.start(2)
    return [cell.strip() for cell in cells], first.end()
