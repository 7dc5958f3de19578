"""Metrics: a member of the family is a function of predictions and what was wanted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from workers.nn.layout import Floats
from workers.nn.metrics.classification import (
    accuracy,
    balanced_accuracy,
    brier,
    f1_macro,
    log_loss,
)
from workers.nn.metrics.ranking import average_precision, roc_auc
from workers.nn.metrics.regression import mae, mse, r2, rmse

Function = Callable[[Floats, NDArray[Any], NDArray[np.float64]], NDArray[np.float64]]

_PREFIXES = ("ema_", "train_", "val_", "test_")


@dataclass(frozen=True, slots=True)
class Metric:
    """A function, the task of its predictions, which way is better, whether 1 is the best.

    The function gets ``predictions``: probabilities ``(..., rows, classes)`` in classification,
    else targets ``(..., rows, outputs)``; what was ``wanted``: class indices ``(..., rows)`` or
    targets ``(..., rows, outputs)``; and in regression ``units`` ``(..., outputs)``, how much of
    a target's own units is 1. It returns ``(...)``.

    What is ``usual`` is told after every epoch; other metrics only where a search pursues them.
    """

    function: Function
    task: Literal["classification", "regression"]
    direction: Literal["maximize", "minimize"]
    bounded: bool = False
    usual: bool = False


METRICS: Final[Mapping[str, Metric]] = MappingProxyType(
    {
        "accuracy": Metric(accuracy, "classification", "maximize", bounded=True, usual=True),
        "log_loss": Metric(log_loss, "classification", "minimize"),
        "balanced_accuracy": Metric(balanced_accuracy, "classification", "maximize", bounded=True),
        "f1_macro": Metric(f1_macro, "classification", "maximize", bounded=True),
        "roc_auc": Metric(roc_auc, "classification", "maximize", bounded=True),
        "average_precision": Metric(average_precision, "classification", "maximize", bounded=True),
        "brier": Metric(brier, "classification", "minimize"),
        "mse": Metric(mse, "regression", "minimize", usual=True),
        "r2": Metric(r2, "regression", "maximize", bounded=True, usual=True),
        "mae": Metric(mae, "regression", "minimize"),
        "rmse": Metric(rmse, "regression", "minimize"),
    }
)
"""The metrics by name; the loss that networks are trained with is one more."""


def metric_of(name: str) -> Metric | None:
    """Return the metric that a column such as ``ema_val_accuracy`` is of; None for a loss.

    >>> metric_of("ema_val_accuracy") is METRICS["accuracy"], metric_of("test_loss")
    (True, None)
    """
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    return METRICS.get(name)


def told(task: str, pursued: str) -> dict[str, Metric]:
    """Return the metrics of a task that are usual, and the one that ``pursued`` is of.

    >>> list(told("classification", "ema_val_accuracy"))
    ['accuracy']
    """
    own = metric_of(pursued)
    return {
        name: metric
        for name, metric in METRICS.items()
        if metric.task == task and (metric.usual or metric is own)
    }
