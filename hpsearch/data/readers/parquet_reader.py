"""The reader of Parquet files."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from hpsearch.data.readers.blocks import rows_at_once
from hpsearch.data.readers.parquet_files import ParquetFile, files_of
from hpsearch.data.tables.columns import Chosen, assemble, choose
from hpsearch.data.tables.raw_table import (
    Source,
    Table,
    check_size,
    listed,
    regular_file,
    shown,
)
from workers.errors import InputError

_BUFFER = 1 << 20


def read_parquet(source: Source) -> Table:
    """Read a Parquet file, or several as one table; pandas' index is left aside."""
    tables: list[pa.Table] = []
    first: tuple[list[str], Chosen] | None = None
    rows = 0
    for part in files_of(source.path):
        regular_file(str(part.path))
        with _opened(part, source, first) as (file, names, chosen):
            first, rows = (names, chosen), rows + file.metadata.num_rows
            check_size(source.path, rows * len(names) * 8)
            columns = [names[c] for c in chosen.columns]
            own = [name for name in dict.fromkeys(columns) if name not in part.partition]
            tables.append(_with_partition(file.read(own), part, columns))
    if first is None:
        raise InputError("a data source must have rows", shown(source.path), "add some")
    return assemble(_joined(tables, source), *first, source)


def parquet_blocks(source: Source) -> Iterator[Table]:
    """Yield the rows of Parquet files whose columns are known, block by block."""
    first = None
    for part in files_of(source.path):
        options = {"buffer_size": _BUFFER, "pre_buffer": False}
        with _opened(part, source, first, **options) as (file, names, chosen):
            first = (names, chosen)
            columns = [names[c] for c in chosen.columns]
            own = [name for name in dict.fromkeys(columns) if name not in part.partition]
            for batch in file.iter_batches(rows_at_once(len(columns)), columns=own):
                table = _with_partition(pa.Table.from_batches([batch]), part, columns)
                yield assemble(table, names, chosen, source)
                source = replace(source, first_row=source.first_row + len(batch))


def _with_partition(table: pa.Table, part: ParquetFile, columns: list[str]) -> pa.Table:
    """Return the columns of a table, with those that its folders tell."""
    for name, value in part.partition.items():
        if name in columns:
            table = table.append_column(name, pa.repeat(value, table.num_rows))
    return table.select(columns)


def _joined(tables: list[pa.Table], source: Source) -> pa.Table:
    """Return the rows of all files; a column may be of whole numbers in one, of others in another.

    Names may stand twice, so that they are numbered meanwhile.
    """
    if len(tables) == 1:
        return tables[0]
    names = [str(place) for place in range(tables[0].num_columns)]
    try:
        return pa.concat_tables(
            [_plain(table.rename_columns(names)) for table in tables], promote_options="permissive"
        )
    except pa.ArrowException as error:
        raise InputError(
            f"the columns of all files of {shown(source.path)} must have types that go together",
            shown(error),
            "convert one",
        ) from None


def _plain(table: pa.Table) -> pa.Table:
    """Return a table without dictionaries, each of which may be another, but as their values."""
    for place, column in enumerate(table.columns):
        if pa.types.is_dictionary(column.type):
            values = column.cast(column.type.value_type).dictionary_encode()
            table = table.set_column(place, table.column_names[place], values.unify_dictionaries())
    return table


@contextmanager
def _opened(
    part: ParquetFile, source: Source, first: tuple[list[str], Chosen] | None, **options: Any
) -> Iterator[tuple[Any, list[str], Chosen]]:
    """Open a file, and choose among its columns; which those of the first one decide."""
    path = regular_file(str(part.path), limited=False)
    try:
        with pyarrow.parquet.ParquetFile(path, **options) as file:
            names = [n for n in file.schema_arrow.names if not n.startswith("__index_level_")]
            names = [*(n for n in names if n not in part.partition), *part.partition]
            if first is not None:
                _check_columns(part, names, first[0])
            yield file, *(first or (names, choose(names, source, named=True)))
    except InputError:
        raise
    except Exception as error:  # a damaged file makes Arrow raise almost anything
        raise InputError(
            f"{shown(path)} must be a Parquet file",
            shown(error),
            "replace it or correct format",
        ) from None


def _check_columns(part: ParquetFile, names: list[str], wanted: list[str]) -> None:
    if sorted(names) != sorted(wanted):
        odd = sorted({*names} ^ {*wanted})
        raise InputError(
            "Parquet files that are read as one must have the same columns",
            f"{listed(odd)} {'is' if len(odd) == 1 else 'are'} not in all, as"
            f" {shown(part.path)} shows",
            "add or drop it",
        )
