"""Named columns: which are features, which is the target, and their values as arrays."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hpsearch.data.readers.raw_table import Source, Table, listed, shown
from workers.errors import InputError

_TARGETS = ("target", "label", "class", "y")


def choose(names: list[str], source: Source, *, named: bool) -> tuple[list[int], int | None]:
    """Return the columns that are features and the one that is the target, if wanted."""
    counts = Counter(names)
    if named and len(counts) < len(names):
        twice = listed([name for name, count in counts.items() if count > 1])
        raise InputError(
            f"column names of {shown(source.path)} must differ", f"{twice} twice", "rename"
        )
    target = _find_target(names, source, named=named) if source.labelled else None
    if source.features is None:
        return [c for c in range(len(names)) if c != target], target
    return _match(names, source.features, source, named=named), target


def _match(names: list[str], wanted: tuple[str, ...], source: Source, *, named: bool) -> list[int]:
    """Return the columns of ``wanted``: by name, or by position where a side has no names."""
    positions = {name: column for column, name in enumerate(names)}
    missing = [name for name in wanted if name not in positions]
    if not missing and (named or len(names) - len(wanted) in (0, 1)):
        return [positions[name] for name in wanted]
    rest = [column for name, column in positions.items() if not named or name != source.target]
    nameless = not named or all(name.isdecimal() for name in wanted)
    if nameless and not source.labelled and len(rest) == len(wanted):
        return rest
    what = f" without {listed(missing)}" if missing else ""
    raise InputError(
        f"{shown(source.path)} must have the {len(wanted)} feature columns",
        f"{len(names)} columns{what}",
        "give it the columns of the training data",
    )


def _find_target(names: list[str], source: Source, *, named: bool) -> int:
    target = source.target
    found = [c for c, name in enumerate(names) if name.lower() in _TARGETS]
    if target is None and named and len(found) == 1:
        return found[0]
    if isinstance(target, int) and target < len(names):
        return target
    if isinstance(target, str) and target in names:
        return names.index(target)
    raise InputError(
        f"target must name a column of {shown(source.path)}, or give its number from 0",
        "none" if target is None else shown(target),
        f"choose one of {listed(names)}",
    )


def assemble(table: pa.Table, names: Sequence[str], source: Source, *, labelled: bool) -> Table:
    """Return the rows of an Arrow table; ``names`` are its columns, the target last."""
    columns = list(names)
    target = columns.pop() if labelled else str(source.target)
    x = np.empty((table.num_rows, len(columns)), np.float64)
    for column, name in enumerate(columns):
        x[:, column] = _numbers(table.column(column), name, source)
    y = _label_values(table.column(len(columns))) if labelled else None
    return Table(x, y, source.features or tuple(columns), target)


def _numbers(column: pa.ChunkedArray, name: str, source: Source) -> NDArray[Any]:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    real = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal)
    if not any(test(kind) for test in real):
        raise InputError(
            "features must be numbers",
            f"column {shown(name)} of type {kind} in {shown(source.path)}",
            "encode or drop it",
        )
    if pa.types.is_boolean(kind):
        column = column.cast(pa.uint8())
    return np.asarray(column.cast(pa.float64(), safe=False).to_numpy())


def _label_values(column: pa.ChunkedArray) -> NDArray[Any]:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.cast(kind.value_type), kind.value_type
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return np.asarray(column.to_numpy())
    if pa.types.is_boolean(kind) and not column.null_count:
        return np.asarray(column.to_numpy())
    values = np.empty(len(column), object)
    values[:] = [_text(value) for value in column.to_pylist()]
    return values


def _text(value: object) -> str:
    return "" if value is None else str(value).strip()
