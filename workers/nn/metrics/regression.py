"""Metrics of predicted targets, in their own units."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.nn.layout import Floats


def mse(
    predictions: Floats, wanted: NDArray[Any], units: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean over rows and outputs of ``(prediction - wanted)**2``, in own units.

    >>> float(mse(np.array([[1.0], [3.0]]), np.array([[1.0], [1.0]]), np.array([10.0])))
    200.0
    """
    return np.asarray((_errors(predictions, wanted) * units**2).mean(axis=-1))


def rmse(
    predictions: Floats, wanted: NDArray[Any], units: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean over outputs of the root of their mean squared error, in own units.

    Of several outputs that is not the root of `mse`: each root is taken first, as in scikit-learn's
    ``root_mean_squared_error``.

    >>> float(rmse(np.array([[3.0, 1.0]]), np.array([[0.0, 0.0]]), np.array([10.0, 1.0])))
    15.5
    """
    return np.asarray((np.sqrt(_errors(predictions, wanted)) * units).mean(axis=-1))


def mae(
    predictions: Floats, wanted: NDArray[Any], units: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean over rows and outputs of ``abs(prediction - wanted)``, in own units.

    >>> float(mae(np.array([[1.0], [3.0]]), np.array([[2.0], [1.0]]), np.array([10.0])))
    15.0
    """
    misses = np.abs(predictions.astype(np.float64) - wanted).mean(axis=-2)
    return np.asarray((misses * units).mean(axis=-1))


def r2(
    predictions: Floats, wanted: NDArray[Any], units: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean over outputs of ``1 - squared errors / variance`` of the targets.

    Where a target does not vary it is 1 for perfect predictions, else 0, as in scikit-learn's
    ``r2_score``.

    >>> float(r2(np.array([[1.0], [1.0]]), np.array([[0.0], [2.0]]), np.ones(1)))
    0.0
    """
    del units
    errors, spread = _errors(predictions, wanted), _variance(wanted)
    varies = spread > 0
    explained = np.where(varies, 1 - errors / np.where(varies, spread, 1), errors == 0)
    return np.asarray(explained.mean(axis=-1))


def _errors(predictions: Floats, wanted: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean squared error of each output, in float64."""
    return np.asarray(((predictions.astype(np.float64) - wanted) ** 2).mean(axis=-2))


def _variance(wanted: NDArray[Any]) -> NDArray[np.float64]:
    """Return each output's variance: exactly 0 where all are the same, however a mean rounds."""
    varies = wanted.max(axis=-2) > wanted.min(axis=-2)
    return np.where(varies, np.var(wanted, axis=-2, dtype=np.float64), 0)
