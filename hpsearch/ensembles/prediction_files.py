"""Files of predictions: written block by block, whole or not at all."""

import gzip
import json
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, BinaryIO, Final, cast

import pandas as pd
import pyarrow as pa
import pyarrow.parquet
from numpy.typing import NDArray

from workers.errors import InputError

ROW_GROUP: Final = 1 << 17
"""A Parquet file gets a row group for so many rows."""


@dataclass(frozen=True, eq=False)
class Block:
    """Predictions for some rows, ``named``, and the columns ``kept`` of their file."""

    kept: pa.Table
    named: pd.DataFrame

    def table(self) -> pa.Table:
        """Return both as one Arrow table, typed as they are."""
        named = pa.Table.from_pandas(self.named, preserve_index=False)
        columns = [*self.kept.columns, *named.columns]
        fields = [*self.kept.schema, *named.schema]
        return pa.Table.from_arrays(columns, schema=pa.schema(fields))

    def frame(self) -> pd.DataFrame:
        """Return both as one data frame, kept columns as text."""
        kept = {n: _as_text(self.kept.column(n)) for n in self.kept.column_names}
        return pd.concat([pd.DataFrame(kept, index=self.named.index), self.named], axis=1)


Blocks = Iterable[Block]


def write_csv(file: BinaryIO, blocks: Blocks) -> int:
    """Write CSV, and return how many rows; floats in the fewest digits that give them back.

    Classes that are numbers are written as their columns are called: 1, not 1.0.
    """
    rows = 0
    for block in blocks:
        named = block.named
        if "probability" in named and named["prediction"].dtype.kind == "f":
            named = named.assign(prediction=[_short(x) for x in named["prediction"]])
        frame = Block(block.kept, named).frame()
        file.write(frame.to_csv(index=False, header=not rows).encode())
        rows += len(frame)
    return rows


def _write_packed_csv(file: BinaryIO, blocks: Blocks) -> int:
    with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as packed:
        return write_csv(cast(BinaryIO, packed), blocks)


def _write_parquet(file: BinaryIO, blocks: Blocks) -> int:
    tables = (block.table() for block in blocks)
    waiting, rows = [next(tables)], 0
    with pyarrow.parquet.ParquetWriter(file, waiting[0].schema) as writer:
        for table in tables:
            if sum(map(len, waiting)) >= ROW_GROUP:
                writer.write_table(pa.concat_tables(waiting))
                rows, waiting = rows + sum(map(len, waiting)), []
            waiting.append(table)
        writer.write_table(pa.concat_tables(waiting))
    return rows + sum(map(len, waiting))


def _write_jsonl(file: BinaryIO, blocks: Blocks) -> int:
    """Write a JSON object a row; what is not finite is null."""
    rows = 0
    for block in blocks:
        # pandas cuts floats to 15 digits, which do not give all of them back.
        for row in block.table().to_pylist():
            plain = {name: _plain(value) for name, value in row.items()}
            file.write(f"{json.dumps(plain, ensure_ascii=False, default=str)}\n".encode())
        rows += len(block.named)
    return rows


Write = Callable[[BinaryIO, Blocks], int]

FORMATS: Mapping[str, Write] = MappingProxyType(
    {
        ".csv": write_csv,
        ".csv.gz": _write_packed_csv,
        ".parquet": _write_parquet,
        ".jsonl": _write_jsonl,
    }
)
"""What a file of predictions may be, by its suffix in small letters."""


def check_output(output: Path, data: Path) -> Write:
    """Return what writes the file, once there can be such a file.

    Raises
    ------
    InputError
        If there can't.
    """
    # os.path says no where pathlib raises: to names that are too long.
    there = os.path.isdir(output.parent)  # noqa: PTH112
    if not output.name or not there or os.path.isdir(output):  # noqa: PTH112
        raise bad_output(output, "")
    if os.path.exists(output) and os.path.exists(data) and os.path.samefile(output, data):  # noqa: PTH110, PTH121
        raise InputError("--output must not be the data", str(output), "name another file")
    for suffix, write in FORMATS.items():
        if output.name.lower().endswith(suffix):
            return write
    *others, last = FORMATS
    rule = f"--output must end in {', '.join(others)} or {last}"
    raise InputError(rule, str(output), "choose one, or - for CSV on stdout")


def bad_output(output: Path, why: str) -> InputError:
    """Return what is to be said of a file that can't be written."""
    return InputError(
        "--output must be a file in a folder that is there", f"{output}{why}", "correct the path"
    )


def _as_text(column: pa.ChunkedArray) -> Sequence[str] | NDArray[Any]:
    """Return a column of any type as CSV has it: nothing for a missing value."""
    kind = column.type
    if pa.types.is_floating(kind):  # In the fewest digits that give it back.
        column = column.cast(pa.string())
    return ["" if value is None else str(value) for value in column.to_pylist()]


def _plain(value: object) -> object:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _short(number: float) -> str:
    return str(int(number)) if number.is_integer() else str(number)
