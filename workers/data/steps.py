"""What a fitted step of preprocessing is: named arrays, and a pure function that applies them."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, fields
from typing import Final, final

import numpy as np

from workers.data.column_statistics import Array

BOUND: Final = 3.0
"""What a smooth clip leads to, but never beyond."""

EDGE: Final = 1e-7
"""The share that a lowest value counts as, 1 - EDGE a highest: -5.2 and 5.2 on the normal scale."""


@dataclass(frozen=True, eq=False)
class Step(ABC):
    """A fitted step of one kind; its fields are float64 arrays, named so in checkpoints."""

    @abstractmethod
    def columns(self) -> tuple[int, int]:
        """Return how many columns it takes, and how many it gives.

        Raises ValueError if the arrays, each finite, are not those of such a step.
        """

    @abstractmethod
    def apply(self, x: Array) -> Array:
        """Return the rows ``(rows, inputs)`` as ``(rows, outputs)``; ``x`` stays as it is.

        What is not finite must not become finite, so that it is refused in the end.
        """

    def arrays(self) -> dict[str, Array]:
        """Return the arrays by name, in the order of the fields."""
        return {field.name: getattr(self, field.name) for field in fields(self)}


@final
@dataclass(frozen=True, eq=False)
class Affine(Step):
    """``(x - shift) * factor`` with a vector, ``(x - shift) @ factor`` with a matrix.

    ``shift`` is (inputs,), ``factor`` (inputs,) or (inputs, outputs).
    """

    shift: Array
    factor: Array

    def columns(self) -> tuple[int, int]:
        """Return how many columns it takes, and how many it gives."""
        shift, factor = self.shift.shape, self.factor.shape
        if len(shift) != 1 or len(factor) not in (1, 2) or factor[0] != shift[0]:
            raise ValueError("a shift and a factor of the same inputs")
        return shift[0], factor[-1]

    def apply(self, x: Array) -> Array:
        """Return the shifted rows, times the factor."""
        centred = x - self.shift
        if self.factor.ndim == 1:
            centred *= self.factor
            return centred
        return centred @ self.factor


@final
@dataclass(frozen=True, eq=False)
class SmoothClip(Step):
    """``z / sqrt(1 + (z / BOUND)**2)`` of ``z = (x - shift) * factor``.

    Around 0 it is z, and far from it BOUND or -BOUND. ``shift`` and ``factor`` are (inputs,).
    """

    shift: Array
    factor: Array

    def columns(self) -> tuple[int, int]:
        """Return how many columns it takes and gives."""
        if self.shift.ndim != 1 or self.factor.shape != self.shift.shape:
            raise ValueError("a shift and a factor for each input")
        return len(self.shift), len(self.shift)

    def apply(self, x: Array) -> Array:
        """Return the shifted and scaled rows, clipped."""
        z = (x - self.shift) * self.factor
        # A square would overflow where hypot does not; an infinite z makes NaN.
        z /= np.hypot(1.0, z / BOUND)
        return z


@final
@dataclass(frozen=True, eq=False)
class ToNormal(Step):
    """The standard normal distribution's quantile of the share of training values below x.

    ``quantiles`` is (count, inputs): each column's, ascending at equal distance of shares from 0
    to 1. Between two of them the share is interpolated linearly; a value that several share has
    the mean of their shares; the ends and what lies beyond have EDGE and 1 - EDGE. A column whose
    quantiles are all one value becomes 0. Equals scikit-learn's ``QuantileTransformer`` but for
    such columns and two habits of that: it takes all within 1e-7 of an end for the end, whatever
    the column's unit, and it rounds where its quantiles lie, which moves ties of up to 1000 rows.
    """

    quantiles: Array

    def columns(self) -> tuple[int, int]:
        """Return how many columns it takes and gives."""
        if self.quantiles.ndim != 2 or len(self.quantiles) < 2:
            raise ValueError("two or more quantiles of each input")
        if (self.quantiles[1:] < self.quantiles[:-1]).any():
            raise ValueError("quantiles that ascend")
        return self.quantiles.shape[1], self.quantiles.shape[1]

    def apply(self, x: Array) -> Array:
        """Return the rows on the scale of the normal distribution."""
        from scipy.special import ndtri  # its import takes 0.2 s

        shares = np.empty(x.shape)
        for column, quantiles in enumerate(self.quantiles.T):
            shares[:, column] = _shares(x[:, column], quantiles)
        z: Array = ndtri(np.clip(shares, EDGE, 1 - EDGE))
        z[:, self.quantiles[0] == self.quantiles[-1]] = 0.0
        z[~np.isfinite(x)] = np.nan
        return z


def _shares(x: Array, quantiles: Array) -> Array:
    """Return the shares ``(rows,)`` of one column, from 0 to 1."""
    levels = np.linspace(0.0, 1.0, len(quantiles))
    highest = np.interp(x, quantiles, levels)
    lowest = -np.interp(-x, -quantiles[::-1], -levels[::-1])
    shares: Array = (highest + lowest) / 2
    shares[x >= quantiles[-1]] = 1.0
    shares[x <= quantiles[0]] = 0.0
    return shares
