"""Metrics of predicted classes and of their probabilities."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from workers.nn.layout import Floats

LEAST: Final = float(np.finfo(np.float64).eps)
"""What a smaller probability counts as in a log loss, in scikit-learn as here."""


def accuracy(
    predictions: Floats, wanted: NDArray[Any], units: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the share of rows whose class is the first of the largest probability.

    >>> float(accuracy(np.array([[0.9, 0.1], [0.5, 0.5]]), np.array([1, 0]), np.ones(1)))
    0.5
    """
    del units
    return np.asarray((predictions.argmax(axis=-1) == wanted).mean(axis=-1))


def balanced_accuracy(
    predictions: Floats, wanted: NDArray[Any], units: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean over classes of the share of a class's rows that are told to be of it.

    A class without rows is left out, as in scikit-learn's ``balanced_accuracy_score``.

    >>> chosen = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.8, 0.2]])
    >>> float(balanced_accuracy(chosen, np.array([0, 0, 0, 1]), np.ones(1)))  # (2/3 + 0) / 2
    0.3333333333333333
    """
    del units
    hits, _, there = _counts(predictions, wanted)
    return _mean(hits, there, of=there > 0)


def f1_macro(
    predictions: Floats, wanted: NDArray[Any], units: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean over classes of ``2*hits / (rows told to be of it + rows of it)``.

    A class that neither has rows nor is told of any is left out, as in scikit-learn's
    ``f1_score`` with ``average="macro"``.

    >>> chosen = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [0.8, 0.2]])
    >>> float(f1_macro(chosen, np.array([0, 0, 0, 1]), np.ones(1)))  # (4/6 + 0) / 2
    0.3333333333333333
    """
    del units
    hits, told, there = _counts(predictions, wanted)
    return _mean(2 * hits, told + there, of=told + there > 0)


def log_loss(
    predictions: Floats, wanted: NDArray[Any], units: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return ``-mean(log(p))`` of the probability p of the true class, from `LEAST` to 1 - `LEAST`.

    It is scikit-learn's ``log_loss`` of probabilities in float64.

    >>> float(log_loss(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([0, 1]), np.ones(1)))
    0.34657359027997275
    """
    del units
    indices = wanted[..., np.newaxis]
    chosen = np.take_along_axis(predictions, indices, axis=-1)[..., 0].astype(np.float64, order="C")
    return np.asarray(-np.log(np.clip(chosen, LEAST, 1 - LEAST)).mean(axis=-1))


def brier(
    predictions: Floats, wanted: NDArray[Any], units: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean over rows of the squared errors of the probabilities, summed over classes.

    Of two classes it is that of the second one alone, from 0 to 1, else from 0 to 2: what
    ``brier_score_loss`` is in scikit-learn from 1.7 on, with its ``scale_by_half="auto"`` (Brier,
    Verification of Forecasts Expressed in Terms of Probability, 1950, has the sum for two as well).

    >>> float(brier(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([0, 1]), np.ones(1)))
    0.125
    >>> float(brier(np.array([[0.5, 0.25, 0.25]]), np.array([0]), np.ones(1)))
    0.375
    """
    del units
    classes = predictions.shape[-1]
    first = 1 if classes == 2 else 0
    truth = wanted[..., np.newaxis] == np.arange(first, classes)
    errors = (predictions[..., first:].astype(np.float64, order="C") - truth) ** 2
    return np.asarray(errors.sum(axis=-1).mean(axis=-1))


def _counts(
    predictions: Floats, wanted: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return ``(..., classes)``: rows rightly told to be of a class, told to be, and of it."""
    classes = np.arange(predictions.shape[-1])
    told = predictions.argmax(axis=-1)[..., np.newaxis] == classes
    there = wanted[..., np.newaxis] == classes
    return (told & there).sum(axis=-2), told.sum(axis=-2), there.sum(axis=-2)


def _mean(
    above: NDArray[np.int64], below: NDArray[np.int64], *, of: NDArray[np.bool_]
) -> NDArray[np.float64]:
    """Return the mean quotient of the classes that count."""
    shares = np.where(of, above / np.where(of, below, 1), 0)
    return np.asarray(shares.sum(axis=-1) / of.sum(axis=-1))
