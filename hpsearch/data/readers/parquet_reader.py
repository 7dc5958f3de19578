"""The reader of Parquet files."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.parquet

from hpsearch.data.readers.blocks import rows_at_once
from hpsearch.data.tables.columns import Chosen, assemble, choose
from hpsearch.data.tables.raw_table import (
    Source,
    Table,
    check_size,
    regular_file,
    shown,
)
from workers.errors import InputError

_BUFFER = 1 << 20


def read_parquet(source: Source) -> Table:
    """Read a Parquet file; pandas' index is left aside."""
    regular_file(source.path)
    with _opened(source) as (file, names, chosen):
        check_size(source.path, file.metadata.num_rows * len(names) * 8)
        columns = [names[c] for c in chosen.columns]
        table = file.read(list(dict.fromkeys(columns))).select(columns)
    return assemble(table, names, chosen, source)


def parquet_blocks(source: Source) -> Iterator[Table]:
    """Yield the rows of a Parquet file whose columns are known, block by block."""
    with _opened(source, buffer_size=_BUFFER, pre_buffer=False) as (file, names, chosen):
        columns = [names[c] for c in chosen.columns]
        rows = rows_at_once(len(columns))
        for batch in file.iter_batches(rows, columns=list(dict.fromkeys(columns))):
            table = pa.Table.from_batches([batch]).select(columns)
            yield assemble(table, names, chosen, source)
            source = replace(source, first_row=source.first_row + len(batch))


@contextmanager
def _opened(source: Source, **options: Any) -> Iterator[tuple[Any, list[str], Chosen]]:
    """Open a file, and choose among its columns."""
    path = regular_file(source.path, limited=False)
    try:
        with pyarrow.parquet.ParquetFile(path, **options) as file:
            names = [n for n in file.schema_arrow.names if not n.startswith("__index_level_")]
            yield file, names, choose(names, source, named=True)
    except InputError:
        raise
    except Exception as error:  # a damaged file makes Arrow raise almost anything
        raise InputError(
            f"{shown(source.path)} must be a Parquet file",
            shown(error),
            "replace it or correct format",
        ) from None
