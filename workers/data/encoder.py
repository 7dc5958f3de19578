"""Raw rows to numbers and flags: fitted on training rows, stored in each checkpoint as arrays.

Numbers are what preprocessing goes on with: a number, or a date's position in time, missing
ones filled with the median of the training rows. Flags are a network's inputs as they are: whether
a number or a date is missing, a category's value (one input a value), a date's place in its year,
month, week and day. Codes are the values of the categories that have many: a network looks vectors
up by them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from workers.data import calendar, categories
from workers.data.categories import Limits
from workers.data.columns import Column
from workers.data.preprocessing import Preprocessing
from workers.errors import CheckpointError

Array = NDArray[np.float64]

_LOOKUP: Final = "lookup"


@dataclass(frozen=True, eq=False)
class Encoder:
    """One part a column, see :func:`fit_encoder`.

    A part is float64. Of a number it is ``[fill, flagged]``; of a date ``[fill, flagged, year,
    month, week, day]``, whether missing ones are flagged and which cycles are told; of a category
    ``[missing, other, *places]``: whether these two have an input, and the values that have one.
    ``coded`` numbers the categories that become codes.
    """

    columns: tuple[Column, ...]
    parts: tuple[Array, ...]
    coded: tuple[int, ...] = ()

    def numbers(self, x: NDArray[Any]) -> Array:
        """Return the numbers, ``(rows, columns that are no categories)``, in their order.

        Without any, one column of zeros.
        """
        found = [
            np.where(np.isnan(values), part[0], values)
            for column, part, values in self._each(x)
            if column.kind != "category"
        ]
        return np.stack(found, axis=1) if found else np.zeros((len(x), 1))

    def flags(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """Return the flags, ``(rows, flags)``, column by column."""
        found = [np.empty((len(x), 0), np.float32)]
        for place, (column, part, values) in enumerate(self._each(x)):
            if place not in self.coded:
                found.append(_FLAGS[column.kind](part, values).astype(np.float32))
        return np.concatenate(found, axis=1)

    def codes(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """Return the codes, ``(rows, coded columns)``: counted from 0, -1 stands for no vector."""
        each = self._each(x)
        found = [categories.codes(*each[place][1:]) for place in self.coded]
        return np.array(found, np.float32).reshape(len(found), len(x)).T

    @property
    def code_values(self) -> tuple[int, ...]:
        """How many values each coded column has."""
        return tuple(categories.count(self.parts[place]) for place in self.coded)

    @property
    def width(self) -> int:
        """How many flags and codes there are."""
        row = np.zeros((1, len(self.columns)))
        return int(self.flags(row).shape[1]) + len(self.coded)

    def _each(self, x: NDArray[Any]) -> list[tuple[Column, Array, Array]]:
        rows = np.asarray(x, np.float64)
        return list(zip(self.columns, self.parts, rows.T, strict=True))

    def to_arrays(self) -> dict[str, Array]:
        """Return the arrays by name: ``0.number``, ``1.category``, ``2.lookup``, ..."""
        kinds = [column.kind for column in self.columns]
        return {
            f"{place}.{_LOOKUP if place in self.coded else kind}": part
            for place, (kind, part) in enumerate(zip(kinds, self.parts, strict=True))
        }

    @classmethod
    def from_arrays(
        cls, arrays: Mapping[str, NDArray[Any]], columns: Sequence[Column]
    ) -> "Encoder":
        """Return what :meth:`to_arrays` named.

        Raises
        ------
        CheckpointError
            If these are not the parts of such columns.
        """
        coded = tuple(n for n in range(len(columns)) if f"{n}.{_LOOKUP}" in arrays)
        kinds = [_LOOKUP if n in coded else column.kind for n, column in enumerate(columns)]
        names = [f"{place}.{kind}" for place, kind in enumerate(kinds)]
        if sorted(names) != sorted(arrays):
            raise CheckpointError("the encoder's arrays are not those of the columns")
        parts = tuple(np.asarray(arrays[name]) for name in names)
        for place, (part, column) in enumerate(zip(parts, columns, strict=True)):
            fits = part.dtype == np.float64 and part.ndim == 1 and _fits(part, column)
            if not fits or (place in coded and column.kind != "category"):
                name = names[place]
                raise CheckpointError(f"the encoder's array {name} is not that of its column")
        return cls(tuple(columns), parts, coded)


def fit_encoder(columns: Sequence[Column], x: NDArray[Any], limits: Limits) -> Encoder:
    """Return the encoder of raw training rows ``(rows, columns)``.

    A value that no training row has is like a rare one, at prediction too; without rare ones in
    training it has no input at all, so that none is untrained.
    """
    rows = np.asarray(x, np.float64)
    parts = [_FITS[c.kind](values, limits) for c, values in zip(columns, rows.T, strict=True)]
    coded = [
        place
        for place, (column, part) in enumerate(zip(columns, parts, strict=True))
        if column.kind == "category" and categories.count(part) > limits.one_hot_max_size
    ]
    return Encoder(tuple(columns), tuple(parts), tuple(coded))


def prepared(
    x: NDArray[Any], encoder: Encoder | None, preprocessing: Preprocessing
) -> NDArray[np.float32]:
    """Return a network's inputs: the numbers, preprocessed, then the flags, and then the codes."""
    if encoder is None:
        return preprocessing.transform(x)
    columns = encoder.numbers(x[:1]).shape[1]
    made = np.empty((len(x), preprocessing.outputs(columns) + encoder.width), np.float32)
    step = preprocessing.rows_at_once(columns)
    for start in range(0, len(x), step):  # So that what is in between is small.
        rows = x[start : start + step]
        parts = [preprocessing.transform(encoder.numbers(rows)), encoder.flags(rows)]
        parts.append(encoder.codes(rows))
        np.concatenate(parts, axis=1, out=made[start : start + step])
    return made


def _fit_number(values: Array, limits: Limits) -> Array:
    del limits
    known = values[~np.isnan(values)]
    fill = float(np.median(known)) if len(known) else 0.0
    return np.array([fill, 0 < len(known) < len(values)], np.float64)


def _fit_date(values: Array, limits: Limits) -> Array:
    cycles = calendar.cycles(values[~np.isnan(values)])
    varies = [bool(len(cycle)) and cycle.min() < cycle.max() for cycle in cycles]
    return np.concatenate([_fit_number(values, limits), np.array(varies, np.float64)])


def _flag_missing(part: Array, values: Array) -> Array:
    return np.isnan(values)[:, np.newaxis][:, : int(part[1])].astype(np.float64)


def _flag_date(part: Array, values: Array) -> Array:
    filled = np.where(np.isnan(values), part[0], values)
    told = [turn for turn, wanted in zip(calendar.cycles(filled), part[2:], strict=True) if wanted]
    waves = [wave(2 * np.pi * turn)[:, np.newaxis] for turn in told for wave in (np.sin, np.cos)]
    return np.concatenate([_flag_missing(part, values), *waves], axis=1)


def _fits(part: Array, column: Column) -> bool:
    if not np.isfinite(part).all():
        return False
    if column.kind != "category":
        length = 2 if column.kind == "number" else 6
        return len(part) == length and bool(np.isin(part[1:], (0, 1)).all())
    return categories.fits(part, len(column.values))


_FITS: Final[Mapping[str, Callable[[Array, Limits], Array]]] = {
    "number": _fit_number,
    "date": _fit_date,
    "category": categories.fit,
}
_FLAGS: Final[Mapping[str, Callable[[Array, Array], Array]]] = {
    "number": _flag_missing,
    "date": _flag_date,
    "category": categories.one_hot,
}
