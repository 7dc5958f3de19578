"""The reader of Feather files, Arrow's own."""

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.feather

from hpsearch.data.readers.blocks import rows_at_once
from hpsearch.data.tables.columns import table_of
from hpsearch.data.tables.raw_table import (
    Source,
    Table,
    check_size,
    regular_file,
    shown,
)
from workers.errors import InputError


def read_feather(source: Source) -> Table:
    """Read a Feather file; pandas' index is left aside."""
    path = regular_file(source.path)
    try:
        table = pyarrow.feather.read_table(path, memory_map=False)
        table.validate(full=True)  # Arrow believes offsets otherwise.
    except Exception as error:  # a damaged file makes Arrow raise almost anything
        raise _damaged(source, error) from None
    check_size(source.path, table.nbytes)
    return table_of(_without_index(table), source)


def feather_blocks(source: Source) -> Iterator[Table]:
    """Yield the rows of a Feather file whose columns are known, block by block.

    A file of the format's first version is read as a whole.
    """
    path = regular_file(source.path, limited=False)
    with path.open("rb") as file:
        if file.read(4) == b"FEA1":
            yield read_feather(source)
            return
    for table in _tables(source, str(path)):
        yield table_of(_without_index(table), source)
        source = replace(source, first_row=source.first_row + table.num_rows)


def _tables(source: Source, path: str) -> Iterator[pa.Table]:
    """Yield a file's batches, those of many rows in parts."""
    try:
        with pa.OSFile(path) as file, pa.ipc.open_file(file) as reader:
            for number in range(reader.num_record_batches):
                table = pa.Table.from_batches([reader.get_batch(number)])
                table.validate(full=True)
                step = rows_at_once(table.num_columns)
                for start in range(0, table.num_rows, step):
                    yield table.slice(start, step)
    except Exception as error:
        raise _damaged(source, error) from None


def _without_index(table: pa.Table) -> pa.Table:
    names = table.column_names
    kept = [place for place, name in enumerate(names) if not name.startswith("__index_level_")]
    return table.select(kept)


def _damaged(source: Source, error: Exception) -> InputError:
    return InputError(
        f"{shown(source.path)} must be a Feather file",
        shown(error),
        "replace it or correct format",
    )
