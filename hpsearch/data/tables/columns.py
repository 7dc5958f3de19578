"""Named columns: which are features, which is the target, and their values as arrays."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hpsearch.data.tables.kinds import Values, is_number, values_of
from hpsearch.data.tables.numbers import as_numbers
from hpsearch.data.tables.raw_table import Source, Table, listed, shown
from hpsearch.data.tables.texts import labels_of
from workers.data.columns import Column
from workers.errors import InputError

_ROWS = 1 << 12
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
    """Return the rows of an Arrow table of the chosen columns, see :class:`Rows`."""
    rows = Rows(names, chosen, source, typed=typed)
    rows.add(table)
    return rows.table()


class Rows:
    """Raw rows that come in parts, Arrow tables of the chosen columns: numbers go to their place.

    ``names`` are the file's columns, ``typed`` says that it tells types, and so many ``rows`` are
    expected. Columns that tell nothing are left out in the end.
    """

    def __init__(
        self, names: Sequence[str], chosen: Chosen, source: Source, *, typed: bool, rows: int = 0
    ) -> None:
        self._names, self._chosen, self._source, self._typed = names, chosen, source, typed
        self._x = np.empty((rows, len(chosen.features)))
        self._count = 0
        self._parts: list[list[pa.ChunkedArray]] = [[] for _ in chosen.columns]
        self._told: dict[int, bool] = {}

    def add(self, table: pa.Table) -> None:
        """Take more rows, whose columns have the same types as those before."""
        end = self._count + table.num_rows
        if end > len(self._x):
            old, self._x = self._x, np.empty((max(end, 3 * self._count // 2), self._x.shape[1]))
            self._x[: self._count] = old[: self._count]
        for place, column in enumerate(table.columns):
            name = self._chosen.names[place] if place < len(self._chosen.names) else None
            if name is None or not is_number(column.type, name, self._source):
                self._parts[place].append(column)
            else:
                values = as_numbers(column)
                self._x[self._count : end, place] = values
                self._told[place] = self._told.get(place) or not bool(np.isnan(values).all())
        self._count = end

    def table(self) -> Table:
        """Return all rows; raises InputError if a column is of no kind, or of several."""
        chosen, features = self._chosen, len(self._chosen.features)
        parts = [joined(part) if part else None for part in self._parts]
        try:
            found = [self._found(place, column) for place, column in enumerate(parts[:features])]
            y = None if chosen.target is None else labels_of(parts[features], self._source)
        except (pa.ArrowException, UnicodeDecodeError) as error:  # as a damaged file has it
            rule = f"the values of {shown(self._source.path)} must be readable"
            raise InputError(rule, shown(error), "replace it") from None
        kept = [n for n, one in enumerate(found) if self._source.known or one.left_out is None]
        described = tuple(found[n].column for n in kept)
        beside = zip(chosen.beside, parts[len(parts) - len(chosen.beside) :], strict=True)
        return Table(
            _columns(self._x[: self._count], kept),
            y,
            tuple(column.name for column in described),
            str(self._source.target) if chosen.target is None else self._names[chosen.target],
            self._typed,
            described if any(column.kind != "number" for column in described) else None,
            tuple(f"{one.column.name}: {one.left_out}" for one in found if one.left_out),
            {self._names[c]: column for c, column in beside},
        )

    def _found(self, place: int, column: pa.ChunkedArray | None) -> Values:
        """Return what a feature is, with its values in their place."""
        name, x = self._chosen.names[place], self._x[: self._count, place]
        if column is None:
            return Values(Column(name), x, None if self._told.get(place) else "without a value")
        found = values_of(column, name, self._source, typed=self._typed)
        x[...] = found.values
        return found


def joined(parts: Sequence[pa.ChunkedArray]) -> pa.ChunkedArray:
    """Return parts of a column as one, without a copy."""
    return pa.chunked_array([chunk for part in parts for chunk in part.chunks], parts[0].type)


def _columns(x: NDArray[np.float64], kept: Sequence[int]) -> NDArray[np.float64]:
    """Return some columns of contiguous rows, which take their place."""
    if len(kept) == x.shape[1]:
        return x
    found = x.reshape(-1)[: len(x) * len(kept)].reshape(len(x), len(kept))
    for start in range(0, len(x), _ROWS):
        found[start : start + _ROWS] = x[start : start + _ROWS, kept]
    return found
