"""Named columns: which are features, which is the target, and their values as arrays."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hpsearch.data.readers.kinds import values_of
from hpsearch.data.readers.raw_table import Source, Table, listed, shown
from workers.errors import InputError

_TARGETS = ("target", "label", "class", "y")


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which columns of a file are read: their numbers from 0, and what the features are called."""

    features: tuple[int, ...]
    target: int | None
    beside: tuple[int, ...]
    names: tuple[str, ...]

    @property
    def columns(self) -> list[int]:
        """All of them: the features, the target if there is one, those beside."""
        return [*self.features, *(() if self.target is None else (self.target,)), *self.beside]


def choose(names: list[str], source: Source, *, named: bool) -> Chosen:
    """Return which columns are features, which is the target, if wanted, and which lie beside."""
    twice = [name for name, count in Counter(names).items() if count > 1 and name]
    if named and twice:
        rule = f"column names of {shown(source.path)} must differ"
        raise InputError(rule, f"{listed(twice)} twice", "rename")
    _check_names(source.beside, names, source)
    target = _find_target(names, source, named=named) if source.labelled else None
    beside = tuple(names.index(name) for name in source.beside)
    if source.features is None:
        features = tuple(_wanted(names, target, source))
        return Chosen(features, target, beside, tuple(names[c] for c in features))
    features = tuple(_match(names, source.features, source, named=named))
    return Chosen(features, target, beside, source.features)


def _check_names(wanted: Sequence[str], names: list[str], source: Source) -> None:
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise InputError(
            f"data and --keep must name columns of {shown(source.path)}",
            listed(unknown),
            f"choose among {listed(names)}",
        )


def _wanted(names: list[str], target: int | None, source: Source) -> list[int]:
    """Return all columns with a name but the target, those beside and those to drop."""
    _check_names((*source.drop, *source.kinds), names, source)
    left = {*source.drop, *source.beside, ""}
    return [c for c, name in enumerate(names) if c != target and name not in left]


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


def table_of(table: pa.Table, source: Source) -> Table:
    """Return the rows of an Arrow table whose columns have names and types."""
    names = list(table.column_names)
    chosen = choose(names, source, named=True)
    return assemble(table.select(chosen.columns), names, chosen, source)


def assemble(
    table: pa.Table, names: Sequence[str], chosen: Chosen, source: Source, *, typed: bool = True
) -> Table:
    """Return the rows of an Arrow table of the chosen columns, ``names`` being the file's.

    ``typed`` says that the file tells types. Columns that tell nothing are left out.
    """
    features = len(chosen.features)
    target = str(source.target) if chosen.target is None else names[chosen.target]
    first = features + (chosen.target is not None)
    try:
        found = [
            values_of(table.column(place), name, source, typed=typed)
            for place, name in enumerate(chosen.names)
        ]
        y = None if chosen.target is None else _label_values(table.column(features))
    except (pa.ArrowException, UnicodeDecodeError) as error:  # as a damaged file has it
        rule = f"the values of {shown(source.path)} must be readable"
        raise InputError(rule, shown(error), "replace it") from None
    kept = found if source.known else [one for one in found if one.left_out is None]
    x = np.empty((table.num_rows, len(kept)), np.float64)
    for place, one in enumerate(kept):
        x[:, place] = one.values
    described = tuple(one.column for one in kept)
    return Table(
        x,
        y,
        tuple(column.name for column in described),
        target,
        typed,
        described if any(column.kind != "number" for column in described) else None,
        tuple(f"{one.column.name}: {one.left_out}" for one in found if one.left_out),
        {names[c]: table.column(first + place) for place, c in enumerate(chosen.beside)},
    )


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
