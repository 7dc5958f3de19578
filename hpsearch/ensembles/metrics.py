"""Scores of predictions, and what a search's metric is called among them."""

from collections.abc import Container, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.ensembles.fitted_network import Floats
from workers.nn.metrics.metrics import METRICS, metric_of


def measure(
    task: str, predictions: Floats, y: NDArray[Any], *, only: Container[str] = METRICS
) -> dict[str, float]:
    """Return the `workers.nn.metrics.metrics` of a task.

    Parameters
    ----------
    task
        ``classification`` or ``regression``.
    predictions
        Probabilities ``(rows, classes)``, or predicted targets ``(rows, outputs)``.
    y
        Class indices ``(rows,)``, or targets ``(rows, outputs)``.
    only
        The names of those that are wanted.

    >>> measure("classification", np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([0, 0]))["accuracy"]
    0.5
    """
    return {
        name: float(metric.function(predictions, y, np.ones(1)))
        for name, metric in METRICS.items()
        if metric.task == task and name in only
    }


def measured(metric: str, task: str) -> str:
    """Return the name in :func:`measure` by which a search's metric ranks predictions.

    A loss that networks are trained with is of their scores; of an average of predictions it
    is the log loss, or the mean squared error.

    >>> measured("ema_val_accuracy", "classification"), measured("val_loss", "classification")
    ('accuracy', 'log_loss')
    """
    name = metric.removeprefix("ema_").removeprefix("val_")
    return {"classification": "log_loss", "regression": "mse"}[task] if name == "loss" else name


def leading(names: Iterable[str], metric: str) -> list[str]:
    """Return which scores a person reads first: usual ones, losses, and then the search's metric.

    >>> leading(["val_roc_auc", "val_brier", "val_log_loss", "val_accuracy"], "ema_val_roc_auc")
    ['val_log_loss', 'val_accuracy', 'val_roc_auc']
    """
    own, first, last = metric_of(metric), [], []
    for name in names:
        found = metric_of(name)
        if found is None or found.usual or name.endswith("_loss"):
            first.append(name)
        elif found is own:
            last.append(name)
    return first + last


def renamed(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return a summary whose log losses have their name: before 0.2 they were called losses."""
    names = {"val_loss": "val_log_loss", "test_loss": "test_log_loss"}
    return {
        key: {names.get(name, name): score for name, score in value.items()}
        if key in ("best", "ensemble") and isinstance(value, dict)
        else value
        for key, value in summary.items()
    }
