"""CSV to Arrow tables: how values are parsed, as text or as numbers."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from hpsearch.data.tables.numbers import plain_numbers
from hpsearch.data.tables.raw_table import Source, shown
from workers.errors import InputError

_CELL = re.compile(r"column #(\d+): .* invalid value", re.DOTALL)
SAMPLE: Final = 1 << 18
"""So many bytes of the first rows tell at first which columns are text."""


def parse(
    body: pa.Buffer, names: Sequence[str], columns: list[int], texts: set[int], source: Source
) -> pa.Table:
    """Parse the columns, those of ``texts`` as text and the others as numbers, as far as they are.

    A column in which something else comes up is read as text, which tells what it is, and becomes
    one of ``texts``. The table's columns are called by their numbers.

    Raises
    ------
    InputError
        If there are no rows, or one has another number of columns.
    """
    while True:
        types = {str(c): pa.string() if c in texts else pa.float64() for c in columns}
        try:
            return _parse_csv(body, names, types, [str(c) for c in columns], source)
        except pa.ArrowException as error:
            cell = _CELL.search(str(error))
            if cell is None or int(cell[1]) in texts:
                raise unreadable(str(error), source) from None
            texts.add(int(cell[1]))


def texts_at_first(
    sample: bytes, names: Sequence[str], features: Mapping[int, str], source: Source
) -> Iterator[int]:
    """Yield the features that are text in the first rows, or are to be read as text.

    ``names`` are all columns', ``features`` what some are called.
    """
    said = {one.name: one.kind for one in source.known or ()} | dict(source.kinds)
    unsaid = {str(c): pa.string() for c, name in features.items() if name not in said}
    rows = sample[: sample.rfind(b"\n") + 1] or sample
    try:
        buffer = pa.py_buffer(rows)
        first = _parse_csv(buffer, names, unsaid, list(unsaid), source) if unsaid else None
    except (pa.ArrowException, InputError):
        first = None  # The whole will tell what is wrong.
    for c, name in features.items():
        if said.get(name, "number") != "number":
            yield c
        elif first is not None and str(c) in unsaid:
            cells = pc.utf8_trim_whitespace(first.column(str(c)))
            known = cells.filter(pc.invert(pc.is_in(cells, value_set=pa.array(source.missing))))
            try:
                plain_numbers(known, source).cast(pa.float64())
            except pa.ArrowInvalid:
                yield c


def _parse_csv(
    body: pa.Buffer,
    names: Sequence[str],
    types: dict[str, pa.DataType],
    columns: list[str],
    source: Source,
) -> pa.Table:
    """Parse columns as these types; threads keep the order of rows, but not their numbers."""
    try:
        table, ragged = _parsed(body, names, types, columns, source, threads=True)
    except pa.ArrowException as error:
        if _CELL.search(str(error)):
            raise
        ragged = [error]
    if ragged:
        table, ragged = _parsed(body, names, types, columns, source, threads=False)
    if ragged:
        row = ragged[0]
        raise InputError(
            f"every row of {shown(source.path)} must have {len(names)} columns",
            f"{row.actual_columns} in row {row.number - 1 + source.first_row} (counted from 0)",
            "complete it, or correct delimiter",
        )
    return table


def _parsed(
    body: pa.Buffer,
    names: Sequence[str],
    types: dict[str, pa.DataType],
    columns: list[str],
    source: Source,
    *,
    threads: bool,
) -> tuple[pa.Table, list[Any]]:
    """Return the rows, and the first that has another number of columns, if there is one."""
    ragged: list[Any] = []

    def skip(row: Any) -> str:
        ragged[1:] = []
        ragged.append(row)
        return "skip"

    block = max(1 << 20, min(len(names) << 8, 1 << 28))
    quoted = re.search(re.escape(source.quote.encode()), body) is not None
    table = pa.csv.read_csv(
        pa.BufferReader(body),
        pa.csv.ReadOptions(
            use_threads=threads and body.size > block,
            column_names=[str(column) for column in range(len(names))],
            block_size=block,
        ),
        pa.csv.ParseOptions(
            delimiter=source.delimiter,
            quote_char=source.quote,
            invalid_row_handler=skip,
            newlines_in_values=quoted,
        ),
        pa.csv.ConvertOptions(
            column_types=types,
            include_columns=columns,
            null_values=list(source.missing),
            decimal_point=source.decimal,
        ),
    )
    return table, ragged


def unreadable(message: str, source: Source) -> InputError:
    """Return what is to be said of what Arrow says."""
    if "Empty CSV" in message:
        return InputError("a data file must have rows", f"{shown(source.path)}, none", "add some")
    return InputError(f"{shown(source.path)} must be CSV", shown(message), "check the file")
