"""Metrics of predicted classes and of their probabilities."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.nn.layout import Floats


def accuracy(
    predictions: Floats, wanted: NDArray[Any], units: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the share of rows whose class is the first of the largest probability.

    >>> float(accuracy(np.array([[0.9, 0.1], [0.5, 0.5]]), np.array([1, 0]), np.ones(1)))
    0.5
    """
    del units
    return np.asarray((predictions.argmax(axis=-1) == wanted).mean(axis=-1))
