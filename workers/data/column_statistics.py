"""Statistics of columns that come in blocks of rows, in float64."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Blocks = Callable[[], Iterator[Array]]
"""Called anew, it yields the training rows again, block by block (rows, features)."""

GATHERED = 1 << 23
"""Whole columns are gathered by so many values at a time: 64 MiB."""


def moments(blocks: Blocks) -> tuple[Array, Array]:
    """Return the features' means and standard deviations (divisor N); 0 of constant ones.

    Constant is also what varies by no more than the rounding of its own mean:
    ``deviation <= rows*eps*abs(mean)``, as in scikit-learn's ``StandardScaler``. Sums are of
    values over a power of two, so that squares neither overflow nor vanish.
    """
    low, high = column_range(blocks)
    size = power_above(np.maximum(np.abs(low), np.abs(high)))
    total, rows = np.zeros_like(low), 0
    for block in blocks():
        total, rows = total + (block / size).sum(axis=0), rows + len(block)
    mean = np.where(low == high, low, total / rows * size)
    size = power_above(np.maximum(high - mean, mean - low))
    squares = np.zeros_like(low)
    for block in blocks():
        squares += np.square((block - mean) / size).sum(axis=0)
    deviation = np.sqrt(squares / rows) * size
    noise = rows * np.finfo(np.float64).eps * np.abs(mean)
    return mean, np.where((low == high) | (deviation <= noise), 0.0, deviation)


def power_above(sizes: Array) -> Array:
    """Return the power of two above each size, of the same shape."""
    return np.asarray(np.ldexp(1.0, np.clip(np.frexp(sizes)[1], -1021, 1023)))


def column_range(blocks: Blocks) -> tuple[Array, Array]:
    """Return the columns' smallest and largest values, each (features,)."""
    lows, highs = zip(*((b.min(axis=0), b.max(axis=0)) for b in blocks()), strict=True)
    return np.min(lows, axis=0), np.max(highs, axis=0)


def quantiles(blocks: Blocks, count: int) -> Array:
    """Return ``(count, features)`` quantiles of equal distance, the smallest and largest included.

    Those between two sorted values are interpolated linearly. Their positions are fractions of
    whole numbers, so that of as many quantiles as rows each is a value, to the bit. Sorting takes
    whole columns: as many at a time as GATHERED values have room for, at least one, and a pass
    over the blocks each time. With one row, all are its values.
    """
    return np.column_stack([_quantiles(column, count) for column in _sorted_columns(blocks)])


def _sorted_columns(blocks: Blocks) -> Iterator[Array]:
    shapes = [block.shape for block in blocks()]
    rows, width = sum(shape[0] for shape in shapes), shapes[0][1]
    size = max(1, GATHERED // rows)
    for first in range(0, width, size):
        group = np.empty((min(size, width - first), rows))
        start = 0
        for block in blocks():
            group[:, start : start + len(block)] = block[:, first : first + size].T
            start += len(block)
        group.sort(axis=1)
        yield from group


def _quantiles(ordered: Array, count: int) -> Array:
    place, rest = np.divmod(np.arange(count) * (len(ordered) - 1), count - 1)
    below, above = ordered[place], ordered[np.minimum(place + 1, len(ordered) - 1)]
    share = rest / (count - 1)
    found: Array = np.clip(below * (1 - share) + above * share, below, above)
    return found
