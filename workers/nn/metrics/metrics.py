"""Metrics: a member of the family is a function of predictions and what was wanted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from workers.nn.layout import Floats
from workers.nn.metrics.classification import accuracy
from workers.nn.metrics.regression import mse, r2

Function = Callable[[Floats, NDArray[Any], NDArray[np.float64]], NDArray[np.float64]]

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
