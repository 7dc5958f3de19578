"""A regression's targets in the units in which networks learn them, and back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.data.column_statistics import moments
from workers.errors import CheckpointError

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class TargetScale:
    """Targets are learned as ``(y - mean) / deviation``, column by column.

    ``mean`` and ``deviation`` are ``(outputs,)``, made by :func:`fit`. So the usual initial
    weights and learning rates suit them, whatever their units.
    """

    mean: Array
    deviation: Array

    def apply(self, y: NDArray[Any]) -> NDArray[np.float32]:
        """Return targets ``(rows, outputs)`` as networks learn them."""
        return ((y.astype(np.float64) - self.mean) / self.deviation).astype(np.float32)

    def restore(self, predictions: NDArray[Any]) -> Array:
        """Return a network's predictions ``(rows, outputs)`` in the targets' own units."""
        return predictions.astype(np.float64) * self.deviation + self.mean

    def to_arrays(self) -> dict[str, Array]:
        """Return both arrays by name."""
        return {"mean": self.mean, "deviation": self.deviation}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]], outputs: int) -> "TargetScale":
        """Return what :meth:`to_arrays` named.

        Raises
        ------
        CheckpointError
            If names, shapes or values are not those of a scale.
        """
        good = set(arrays) == {"mean", "deviation"} and all(
            array.dtype == np.float64 and array.shape == (outputs,) and np.isfinite(array).all()
            for array in arrays.values()
        )
        if not good or not (arrays["deviation"] > 0).all():
            raise CheckpointError("the checkpoint's targets must be a mean and a deviation above 0")
        return cls(arrays["mean"], arrays["deviation"])


def fit(y: NDArray[Any]) -> TargetScale:
    """Fit mean and standard deviation (divisor N) on the training rows ``(rows, outputs)``.

    A column that never varies, or by no more than rounding, is only shifted.

    >>> fit(np.array([[1.0, 7.0], [5.0, 7.0]])).deviation
    array([2., 1.])
    """
    mean, deviation = moments(lambda: iter([y.astype(np.float64)]))
    usable = np.isfinite(deviation) & (deviation > np.finfo(np.float64).tiny)
    return TargetScale(mean, np.where(usable, deviation, 1.0))
