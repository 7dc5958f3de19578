"""The reader of Parquet files."""

import pyarrow.parquet

from hpsearch.data.readers.columns import assemble, choose
from hpsearch.data.readers.raw_table import Source, Table, check_size, regular_file, shown
from workers.errors import InputError


def read_parquet(source: Source) -> Table:
    """Read a Parquet file; its feature columns must be numbers or booleans."""
    path = regular_file(source.path)
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            names = [n for n in file.schema_arrow.names if not n.startswith("__index_level_")]
            check_size(source.path, file.metadata.num_rows * len(names) * 8)
            chosen = choose(names, source, named=True)
            columns = [names[c] for c in chosen.columns]
            table = file.read(list(dict.fromkeys(columns))).select(columns)
    except InputError:
        raise
    except Exception as error:  # a damaged file makes Arrow raise almost anything
        raise InputError(
            f"{shown(source.path)} must be a Parquet file",
            shown(error),
            "replace it or correct format",
        ) from None
    return assemble(table, names, chosen, source)
