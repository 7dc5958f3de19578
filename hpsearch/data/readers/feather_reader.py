"""The reader of Feather files, Arrow's own."""

import pyarrow.feather

from hpsearch.data.readers.columns import table_of
from hpsearch.data.readers.raw_table import Source, Table, check_size, regular_file, shown
from workers.errors import InputError


def read_feather(source: Source) -> Table:
    """Read a Feather file; pandas' index is left aside."""
    path = regular_file(source.path)
    try:
        table = pyarrow.feather.read_table(path, memory_map=False)
        table.validate(full=True)  # Arrow believes offsets otherwise.
        names = table.column_names
    except Exception as error:  # a damaged file makes Arrow raise almost anything
        raise InputError(
            f"{shown(source.path)} must be a Feather file",
            shown(error),
            "replace it or correct format",
        ) from None
    check_size(source.path, table.nbytes)
    kept = [place for place, name in enumerate(names) if not name.startswith("__index_level_")]
    return table_of(table.select(kept), source)
