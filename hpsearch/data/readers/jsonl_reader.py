"""The reader of JSON lines: an object a row, whose keys are the columns."""

import pyarrow as pa
import pyarrow.json

from hpsearch.data.readers.columns import table_of
from hpsearch.data.readers.raw_table import Source, Table, check_text, read_bytes, shown
from workers.errors import InputError


def read_jsonl(source: Source) -> Table:
    """Read JSON lines in UTF-8, gzipped or not; keys that a row lacks are missing values."""
    data = read_bytes(source.path)
    check_text(data, source.path)
    options = pa.json.ReadOptions(use_threads=False, block_size=max(1 << 20, len(data)))
    try:
        table = pa.json.read_json(pa.BufferReader(data), options)
    except pa.ArrowException as error:
        raise InputError(
            f"{shown(source.path)} must hold a JSON object a line", shown(error), "check the file"
        ) from None
    return table_of(table, source)
