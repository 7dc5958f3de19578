"""The reader of JSON lines: an object a row, whose keys are the columns."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.json

from hpsearch.data.readers.blocks import ends_of_lines, text_blocks
from hpsearch.data.tables.columns import choose, table_of
from hpsearch.data.tables.raw_table import Source, Table, check_text, read_bytes, shown
from workers.errors import InputError

_ROW = re.compile(r"(?<=in row )\d+")


def read_jsonl(source: Source) -> Table:
    """Read JSON lines in UTF-8, gzipped or not; keys that a row lacks are missing values."""
    data = read_bytes(source.path)
    check_text(data, source.path)
    return table_of(_parse(data, source), source)


def jsonl_blocks(source: Source) -> Iterator[Table]:
    """Yield the rows of JSON lines whose columns are known, block by block.

    The file is read twice: what type a column is of follows from all rows, as in `read_jsonl`.
    """
    types: dict[str, pa.DataType] = {}
    for table in _tables(source, None):
        for field in table.schema:
            types[field.name] = _joined(types.get(field.name, pa.null()), field.type)
    names = list(types)
    wanted = {names[c]: types[names[c]] for c in choose(names, source, named=True).columns}
    for table in _tables(source, pa.schema(wanted)):
        yield table_of(table, source)
        source = replace(source, first_row=source.first_row + table.num_rows)


def _tables(source: Source, schema: pa.Schema | None) -> Iterator[pa.Table]:
    for data in text_blocks(Source(source.path), ends_of_lines):
        if data.strip():
            table = _parse(data, source, schema)
            yield table
            source = replace(source, first_row=source.first_row + table.num_rows)


def _parse(data: bytes, source: Source, schema: pa.Schema | None = None) -> pa.Table:
    """Return the columns of a schema, or all as they are."""
    options = pa.json.ReadOptions(use_threads=False, block_size=max(1 << 20, len(data)))
    others = "infer" if schema is None else "ignore"
    how = pa.json.ParseOptions(explicit_schema=schema, unexpected_field_behavior=others)
    try:
        return pa.json.read_json(pa.BufferReader(data), options, how)
    except pa.ArrowException as error:
        told = str(error).removeprefix("JSON parse error: ")
        found = _ROW.sub(lambda row: str(int(row[0]) + source.first_row), told)
        raise InputError(
            f"{shown(source.path)} must hold a JSON object a line", shown(found), "check the file"
        ) from None


def _joined(one: pa.DataType, other: pa.DataType) -> pa.DataType:
    """Return the type that values of both are read as; the first where there is none."""
    pair = [one, other]
    if any(map(pa.types.is_timestamp, pair)) and any(map(pa.types.is_string, pair)):
        return pa.string()  # Text that looks like a moment is one where all is.
    try:
        both = [pa.schema({"": kind}) for kind in pair]
        return pa.unify_schemas(both, promote_options="permissive").field(0).type
    except pa.ArrowException:
        return one
