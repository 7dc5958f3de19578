"""Scores of predictions, and what a search's metric is called among them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.ensembles.fitted_network import Floats
from workers.nn.metrics.metrics import METRICS


def measure(task: str, predictions: Floats, y: NDArray[Any]) -> dict[str, float]:
    """Return the `workers.nn.metrics.metrics` of a task, in classification ``log_loss`` too.

    Parameters
    ----------
    task
        ``classification`` or ``regression``.
    predictions
        Probabilities ``(rows, classes)``, or predicted targets ``(rows, outputs)``.
    y
        Class indices ``(rows,)``, or targets ``(rows, outputs)``.

    >>> measure("classification", np.array([[0.9, 0.1], [0.4, 0.6]]), np.array([0, 0]))["accuracy"]
    0.5
    """
    found = {
        name: float(metric.function(predictions, y, np.ones(1)))
        for name, metric in METRICS.items()
        if metric.task == task
    }
    if task == "regression":
        return found
    chosen = predictions[np.arange(len(y)), y].astype(np.float64)
    tiny = np.finfo(np.float32).tiny
    return found | {"log_loss": float(-np.log(np.maximum(chosen, tiny)).mean())}


def measured(metric: str, task: str) -> str:
    """Return the name in :func:`measure` by which a search's metric ranks predictions.

    A loss that networks are trained with is of their scores; of an average of predictions it
    is the log loss, or the mean squared error.

    >>> measured("ema_val_accuracy", "classification"), measured("val_loss", "classification")
    ('accuracy', 'log_loss')
    """
    name = metric.removeprefix("ema_").removeprefix("val_")
    return {"classification": "log_loss", "regression": "mse"}[task] if name == "loss" else name


def renamed(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Return a summary whose log losses have their name: before 0.2 they were called losses."""
    names = {"val_loss": "val_log_loss", "test_loss": "test_log_loss"}
    return {
        key: {names.get(name, name): score for name, score in value.items()}
        if key in ("best", "ensemble") and isinstance(value, dict)
        else value
        for key, value in summary.items()
    }
