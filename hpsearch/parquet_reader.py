"""The reader of Parquet files."""

import pyarrow as pa
import pyarrow.parquet

from hpsearch.columns import assemble, choose
from hpsearch.tables import MAX_BYTES, Source, Table, regular_file, shown
from workers.errors import InputError


def read_parquet(source: Source) -> Table:
    """Read a Parquet file; its feature columns must be numbers or booleans."""
    path = regular_file(source.path)
    try:
        with pa.parquet.ParquetFile(path) as file:
            names = [n for n in file.schema_arrow.names if not n.startswith("__index_level_")]
            if file.metadata.num_rows * max(1, len(names)) * 8 > MAX_BYTES:
                raise InputError(
                    f"a data file must hold at most {MAX_BYTES >> 30} GiB unpacked",
                    f"{shown(source.path)}, which holds more",
                    "take fewer rows or columns",
                )
            features, target = choose(names, source, named=True)
            columns = [names[c] for c in [*features, *([] if target is None else [target])]]
            table = file.read(columns).select(columns)
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{shown(source.path)} must be a Parquet file",
            shown(error),
            "replace it or correct format",
        ) from None
    return assemble(table, columns, source, labelled=target is not None)
