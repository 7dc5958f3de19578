"""Raw rows to numbers and flags: fitted on training rows, stored in each checkpoint as arrays.

Numbers are what preprocessing goes on with: a number, or a date's position in time, missing
ones filled with the median of the training rows. Flags are a network's inputs as they are: whether
a number or a date is missing, a category's value (one input a value), a date's place in its year,
month, week and day.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from workers.data import calendar
from workers.data.columns import Column
from workers.data.preprocessing import Preprocessing
from workers.errors import CheckpointError

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Limits:
    """Which values of a category get an input; the others share one.

    Those that ``min_frequency`` training rows have or more, the ``max_categories`` most frequent.
    """

    min_frequency: int = 5
    max_categories: int = 50


@dataclass(frozen=True, eq=False)
class Encoder:
    """One part a column, see :func:`fit_encoder`.

    A part is float64. Of a number it is ``[fill, flagged]``; of a date ``[fill, flagged, year,
    month, week, day]``, whether missing ones are flagged and which cycles are told; of a category
    ``[missing, other, *places]``: whether these two have an input, and the values that have one.
    """

    columns: tuple[Column, ...]
    parts: tuple[Array, ...]

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
        for column, part, values in self._each(x):
            found.append(_FLAGS[column.kind](part, values).astype(np.float32))
        return np.concatenate(found, axis=1)

    @property
    def width(self) -> int:
        """How many flags there are."""
        return int(self.flags(np.zeros((1, len(self.columns)))).shape[1])

    def _each(self, x: NDArray[Any]) -> list[tuple[Column, Array, Array]]:
        rows = np.asarray(x, np.float64)
        return list(zip(self.columns, self.parts, rows.T, strict=True))

    def to_arrays(self) -> dict[str, Array]:
        """Return the arrays by name: ``0.number``, ``1.category``, ..."""
        return {
            f"{place}.{column.kind}": part
            for place, (column, part) in enumerate(zip(self.columns, self.parts, strict=True))
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
        names = [f"{place}.{column.kind}" for place, column in enumerate(columns)]
        if sorted(names) != sorted(arrays):
            raise CheckpointError("the encoder's arrays are not those of the columns")
        parts = tuple(np.asarray(arrays[name]) for name in names)
        for name, part, column in zip(names, parts, columns, strict=True):
            if part.dtype != np.float64 or part.ndim != 1 or not _fits(part, column):
                raise CheckpointError(f"the encoder's array {name} is not that of its column")
        return cls(tuple(columns), parts)


def fit_encoder(columns: Sequence[Column], x: NDArray[Any], limits: Limits) -> Encoder:
    """Return the encoder of raw training rows ``(rows, columns)``.

    A value that no training row has is like a rare one, at prediction too; without rare ones in
    training it has no input at all, so that none is untrained.
    """
    rows = np.asarray(x, np.float64)
    parts = [_FITS[c.kind](values, limits) for c, values in zip(columns, rows.T, strict=True)]
    return Encoder(tuple(columns), tuple(parts))


def prepared(
    x: NDArray[Any], encoder: Encoder | None, preprocessing: Preprocessing
) -> NDArray[np.float32]:
    """Return a network's inputs: the numbers, preprocessed, and then the flags."""
    if encoder is None:
        return preprocessing.transform(x)
    columns = encoder.numbers(x[:1]).shape[1]
    made = np.empty((len(x), preprocessing.outputs(columns) + encoder.width), np.float32)
    step = preprocessing.rows_at_once(columns)
    for start in range(0, len(x), step):  # So that what is in between is small.
        rows = x[start : start + step]
        parts = [preprocessing.transform(encoder.numbers(rows)), encoder.flags(rows)]
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


def _fit_category(values: Array, limits: Limits) -> Array:
    missing = np.isnan(values)
    places, counts = np.unique(values[~missing & (values >= 0)], return_counts=True)
    often = np.flatnonzero(counts >= limits.min_frequency)
    chosen = often[np.argsort(-counts[often], kind="stable")][: limits.max_categories]
    kept = np.sort(places[chosen])
    other = bool((~missing & ~np.isin(values, kept)).any())
    if len(kept) + other + missing.any() == 1:  # The same in all rows.
        return np.zeros(2)
    return np.concatenate([[float(missing.any()), float(other)], kept])


def _flag_missing(part: Array, values: Array) -> Array:
    return np.isnan(values)[:, np.newaxis][:, : int(part[1])].astype(np.float64)


def _flag_date(part: Array, values: Array) -> Array:
    filled = np.where(np.isnan(values), part[0], values)
    told = [turn for turn, wanted in zip(calendar.cycles(filled), part[2:], strict=True) if wanted]
    waves = [wave(2 * np.pi * turn)[:, np.newaxis] for turn in told for wave in (np.sin, np.cos)]
    return np.concatenate([_flag_missing(part, values), *waves], axis=1)


def _flag_category(part: Array, values: Array) -> Array:
    (missing, other), kept = part[:2].astype(bool), part[2:]
    found = values[:, np.newaxis] == kept
    gone, rest = np.isnan(values), ~found.any(axis=1)
    if missing:
        rest = rest & ~gone
    extra = [flags[:, np.newaxis] for flags, there in ((gone, missing), (rest, other)) if there]
    return np.concatenate([found, *extra], axis=1).astype(np.float64)


def _fits(part: Array, column: Column) -> bool:
    if not np.isfinite(part).all():
        return False
    if column.kind != "category":
        length = 2 if column.kind == "number" else 6
        return len(part) == length and bool(np.isin(part[1:], (0, 1)).all())
    places = part[2:]
    inside = bool(np.isin(places, np.arange(len(column.values))).all())
    return (
        len(part) > 1
        and inside
        and bool((np.diff(places) > 0).all() and np.isin(part[:2], (0, 1)).all())
    )


_FITS: Final[Mapping[str, Callable[[Array, Limits], Array]]] = {
    "number": _fit_number,
    "date": _fit_date,
    "category": _fit_category,
}
_FLAGS: Final[Mapping[str, Callable[[Array, Array], Array]]] = {
    "number": _flag_missing,
    "date": _flag_date,
    "category": _flag_category,
}
