"""Values of a category to inputs: one input a value, or a code by which a vector is looked up.

What is fitted on the training rows is float64 ``[missing, other, *places]``: whether a missing
value and any other one count as values of their own, and the places of those that do. Values come
as `workers.data.columns.Column` has them: places, -1 for an unknown one, NaN for a missing one.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Limits:
    """Which values of a category count; the others share one.

    Those that ``min_frequency`` training rows have or more, the ``max_categories`` most frequent.
    Columns of at most ``one_hot_max_size`` values become an input a value, others a code.
    """

    min_frequency: int = 5
    max_categories: int = 1000
    one_hot_max_size: int = 50


def fit(values: Array, limits: Limits) -> Array:
    """Return what counts in the training rows ``(rows,)``; nothing where all have the same."""
    missing = np.isnan(values)
    places, counts = np.unique(values[~missing & (values >= 0)], return_counts=True)
    often = np.flatnonzero(counts >= limits.min_frequency)
    chosen = often[np.argsort(-counts[often], kind="stable")][: limits.max_categories]
    kept = np.sort(places[chosen])
    other = bool((~missing & ~np.isin(values, kept)).any())
    if len(kept) + other + missing.any() == 1:
        return np.zeros(2)
    return np.concatenate([[float(missing.any()), float(other)], kept])


def count(part: Array) -> int:
    """Return how many values count."""
    return len(part) - 2 + int(part[:2].sum())


def codes(part: Array, values: Array) -> Array:
    """Return each value's number among those that count, -1 where it has none.

    The places come first, then missing, then other: as the columns of :func:`one_hot` do.
    """
    (missing, other), kept = part[:2].astype(bool), part[2:]
    rest = float(len(kept) + missing) if other else -1.0
    found: Array = np.full(len(values), rest)
    if len(kept):
        nearest = np.minimum(np.searchsorted(kept, values), len(kept) - 1)
        known = kept[nearest] == values
        found[known] = nearest[known]
    if missing:
        found[np.isnan(values)] = len(kept)
    return found


def one_hot(part: Array, values: Array) -> Array:
    """Return a column for each value that counts, ``(rows, values)``: 1 where it is this one."""
    each = np.arange(count(part))
    return np.equal(codes(part, values)[:, np.newaxis], each).astype(np.float64)


def fits(part: NDArray[Any], size: int) -> bool:
    """Return whether an array can be what :func:`fit` made of a category of ``size`` values."""
    if len(part) < 2 or not np.isin(part[:2], (0, 1)).all():
        return False
    places = part[2:]
    return bool(np.isin(places, np.arange(size)).all() and (np.diff(places) > 0).all())
