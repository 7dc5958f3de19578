"""The reader of CSV files."""

import csv
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from hpsearch.data.readers.blocks import ends_of_rows, text_blocks
from hpsearch.data.readers.columns import Chosen, assemble, choose
from hpsearch.data.readers.raw_table import Source, Table, check_text, read_bytes, shown
from workers.errors import InputError

_CELL = re.compile(r"column #(\d+): Row #(\d+): .* invalid value (.*)", re.DOTALL)
_QUOTE = re.compile(rb'"')

SAMPLE: Final = 1 << 18
"""So many bytes of the first rows tell at first which columns are text."""


def read_csv(source: Source) -> Table:
    """Read a CSV file in UTF-8, gzipped or not; without a header, columns are numbers.

    Labels are kept as text, without the blanks around them.
    """
    data = read_bytes(source.path)
    check_text(data, source.path)
    names, start = _read_names(data, source)
    nameless = [c for c, name in enumerate(names) if not name and source.labelled]
    chosen = choose(names, source, named=source.header)
    labels = set() if chosen.target is None else {chosen.target}
    body = pa.py_buffer(data).slice(start)
    sample = data[start : start + SAMPLE]
    texts = {*labels, *chosen.beside, *nameless, *_texts(sample, names, chosen, source)}
    columns = list(dict.fromkeys([*chosen.columns, *nameless]))
    table = _read(body, names, columns, texts, source)
    notes = [_nameless(table.column(str(c)), c, len(names), source) for c in nameless]
    rows = table.select([columns.index(c) for c in chosen.columns])
    found = assemble(rows, names, chosen, source, typed=False)
    return replace(found, left_out=(*notes, *found.left_out))


def csv_blocks(source: Source) -> Iterator[Table]:
    """Yield the rows of a CSV file whose columns are known, block by block, as `read_csv` does."""
    chosen, texts, names = None, set[int](), list[str]()
    for data in text_blocks(source.path, ends_of_rows(_delimiter(source))):
        start = 0
        if chosen is None:
            names, start = _read_names(data, source)
            chosen = choose(names, source, named=source.header)
            texts = {*chosen.beside, *_texts(data[start : start + SAMPLE], names, chosen, source)}
        if not data[start:].strip(b"\r\n"):
            continue
        columns = list(dict.fromkeys(chosen.columns))
        table = _read(pa.py_buffer(data).slice(start), names, columns, texts, source)
        rows = table.select([columns.index(c) for c in chosen.columns])
        yield assemble(rows, names, chosen, source, typed=False)
        source = replace(source, first_row=source.first_row + table.num_rows)
    if not source.first_row:
        raise _unreadable("Empty CSV", source)


def _nameless(column: pa.ChunkedArray, place: int, columns: int, source: Source) -> str:
    """Return why a column without a name is left out.

    It may be pandas' index, or what follows the delimiter at the end of each line.
    """
    if place == 0 and column.to_pylist() == [str(row) for row in range(len(column))]:
        return "column 0: without a name, it numbers the rows"
    if place == columns - 1 and not any(text and text.strip() for text in column.to_pylist()):
        return f"column {place}: without a name or a value, lines end in a delimiter"
    raise InputError(
        "every column must have a name",
        f"none for column {place} in {shown(source.path)}",
        "name it, or set header: false if the file has no header",
    )


def _read(
    body: pa.Buffer, names: list[str], columns: list[int], texts: set[int], source: Source
) -> pa.Table:
    """Parse the columns, those of ``texts`` as text and the others as numbers, as far as they are.

    A column in which something else comes up is read as text, which tells what it is.
    """
    while True:
        types = {str(c): pa.string() if c in texts else pa.float64() for c in columns}
        try:
            return _parse_csv(body, names, types, [str(c) for c in columns], source)
        except pa.ArrowException as error:
            cell = _CELL.search(str(error))
            if cell is None or int(cell[1]) in texts:
                raise _unreadable(str(error), source) from None
            texts.add(int(cell[1]))


def _texts(sample: bytes, names: list[str], chosen: Chosen, source: Source) -> Iterator[int]:
    """Yield the features that are text in the first rows, or are to be read as text."""
    said = {one.name: one.kind for one in source.known or ()} | dict(source.kinds)
    features = dict(zip(chosen.features, chosen.names, strict=True))
    unsaid = {str(c): pa.string() for c, name in features.items() if name not in said}
    rows = sample[: sample.rfind(b"\n") + 1] or sample
    try:
        first = _parse_csv(pa.py_buffer(rows), names, unsaid, list(unsaid), source)
    except (pa.ArrowException, InputError):
        first = None  # The whole will tell what is wrong.
    for c, name in features.items():
        if said.get(name, "number") != "number":
            yield c
        elif first is not None and str(c) in unsaid:
            cells = pc.utf8_trim_whitespace(first.column(str(c)))
            known = cells.filter(pc.invert(pc.is_in(cells, value_set=pa.array(source.missing))))
            try:
                known.cast(pa.float64())
            except pa.ArrowInvalid:
                yield c


def _read_names(data: bytes, source: Source) -> tuple[list[str], int]:
    """Return the columns' names and the offset of the first row."""
    first = re.compile(rb"(?:\xef\xbb\xbf)?(\s*[\r\n])?([^\r\n]*)(\r\n|\r|\n)?").match(data)
    delimiter = _delimiter(source)
    if first is None or not first[2].strip():
        raise InputError("a data file must have rows", f"{shown(source.path)}, empty", "fill it")
    try:
        cells = next(csv.reader([first[2].decode()], delimiter=delimiter))
    except csv.Error as error:
        raise InputError(
            f"the first line of {shown(source.path)} must be CSV", str(error), "check the file"
        ) from None
    if not source.header:
        return [str(column) for column in range(len(cells))], first.start(2)
    return [cell.strip() for cell in cells], first.end()


def _delimiter(source: Source) -> str:
    tabbed = source.path.removesuffix(".gz").endswith(".tsv") and source.delimiter == ","
    delimiter = "\t" if tabbed else source.delimiter
    if len(delimiter) != 1 or not delimiter.isascii() or delimiter in '\r\n"\0':
        raise InputError(
            "delimiter must be one ASCII character, no quote or line end",
            repr(delimiter),
            "correct it",
        )
    return delimiter


def _parse_csv(
    body: pa.Buffer,
    names: list[str],
    types: dict[str, pa.DataType],
    columns: list[str],
    source: Source,
) -> pa.Table:
    ragged: list[Any] = []

    def skip(row: Any) -> str:
        ragged[1:] = []
        ragged.append(row)
        return "skip"

    quoted = _QUOTE.search(body) is not None

    table = pa.csv.read_csv(
        pa.BufferReader(body),
        pa.csv.ReadOptions(
            use_threads=False,
            column_names=[str(column) for column in range(len(names))],
            block_size=max(1 << 20, min(len(names) << 8, 1 << 28)),
        ),
        pa.csv.ParseOptions(
            delimiter=_delimiter(source), invalid_row_handler=skip, newlines_in_values=quoted
        ),
        pa.csv.ConvertOptions(
            column_types=types, include_columns=columns, null_values=list(source.missing)
        ),
    )
    if ragged:
        row = ragged[0]
        raise InputError(
            f"every row of {shown(source.path)} must have {len(names)} columns",
            f"{row.actual_columns} in row {row.number - 1 + source.first_row} (counted from 0)",
            "complete it, or correct delimiter",
        )
    return table


def _unreadable(message: str, source: Source) -> InputError:
    if "Empty CSV" in message:
        return InputError("a data file must have rows", f"{shown(source.path)}, none", "add some")
    return InputError(f"{shown(source.path)} must be CSV", shown(message), "check the file")
