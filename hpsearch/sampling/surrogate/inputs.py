"""Points that a Gaussian process knows or is asked about, as arrays."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Inputs:
    """Settings at points of time: ``features`` ``(points, columns)`` and ``times`` ``(points,)``.

    ``scales`` says of each column to which of the length scales it belongs.
    """

    features: Array
    times: Array
    scales: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.times)

    def joined(self, others: "Inputs") -> "Inputs":
        """Return these points and then the others."""
        features = np.concatenate([self.features, others.features])
        return Inputs(features, np.concatenate([self.times, others.times]), self.scales)

    def squares(self, others: "Inputs") -> Array:
        """Return squared distances, ``(length scales, points, other points)``."""
        found = np.zeros((max(self.scales, default=-1) + 1, len(self), len(others)))
        for column, scale in enumerate(self.scales):
            found[scale] += np.subtract.outer(*(x.features[:, column] for x in (self, others))) ** 2
        return found

    def gaps(self, others: "Inputs") -> Array:
        """Return distances in time, ``(points, other points)``."""
        return np.abs(np.subtract.outer(self.times, others.times))
