"""Metrics: a member of the family is a function of predictions and what was wanted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.floating[Any]]
Function = Callable[[Values, NDArray[Any], NDArray[np.float64]], NDArray[np.float64]]

_PREFIXES = ("ema_", "train_", "val_", "test_")


@dataclass(frozen=True, slots=True)
class Metric:
    """A function, the task of its predictions, which way is better, and whether 1 is the best.

    The function gets ``predictions``: probabilities ``(..., rows, classes)`` in classification,
    else targets ``(..., rows, outputs)``; what was ``wanted``: class indices ``(..., rows)`` or
    targets ``(..., rows, outputs)``; and in regression ``units`` ``(..., outputs)``, how much of
    a target's own units is 1. It returns ``(...)``.
    """

    function: Function
    task: Literal["classification", "regression"]
    direction: Literal["maximize", "minimize"]
    bounded: bool = False


def accuracy(
    predictions: Values, wanted: NDArray[Any], units: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the share of rows whose class is the first of the largest probability.

    >>> float(accuracy(np.array([[0.9, 0.1], [0.5, 0.5]]), np.array([1, 0]), np.ones(1)))
    0.5
    """
    del units
    return np.asarray((predictions.argmax(axis=-1) == wanted).mean(axis=-1))


def mse(
    predictions: Values, wanted: NDArray[Any], units: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean over rows and outputs of ``(prediction - wanted)**2``, in own units.

    >>> float(mse(np.array([[1.0], [3.0]]), np.array([[1.0], [1.0]]), np.array([10.0])))
    200.0
    """
    return np.asarray((_errors(predictions, wanted) * units**2).mean(axis=-1))


def r2(
    predictions: Values, wanted: NDArray[Any], units: NDArray[np.float64]
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


METRICS: Final[Mapping[str, Metric]] = MappingProxyType(
    {
        "accuracy": Metric(accuracy, "classification", "maximize", bounded=True),
        "mse": Metric(mse, "regression", "minimize"),
        "r2": Metric(r2, "regression", "maximize", bounded=True),
    }
)
"""The metrics by name; the loss that networks are trained with is one more."""


def metric_of(name: str) -> Metric | None:
    """Return the metric that a column such as ``ema_val_accuracy`` is of; None for a loss.

    >>> metric_of("ema_val_accuracy") is METRICS["accuracy"], metric_of("test_log_loss")
    (True, None)
    """
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return METRICS.get(name)


def _errors(predictions: Values, wanted: NDArray[Any]) -> NDArray[np.float64]:
    """Return the mean squared error of each output, in float64."""
    return np.asarray(((predictions.astype(np.float64) - wanted) ** 2).mean(axis=-2))


def _variance(wanted: NDArray[Any]) -> NDArray[np.float64]:
    """Return each output's variance: exactly 0 where all are the same, however a mean rounds."""
    varies = wanted.max(axis=-2) > wanted.min(axis=-2)
    return np.where(varies, np.var(wanted, axis=-2, dtype=np.float64), 0)
