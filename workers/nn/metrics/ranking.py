"""Metrics of how probabilities rank the rows: a class against the rest."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from workers.nn.layout import Floats

CHANCE: Final = 0.5
"""The area under the curve of scores that say nothing, or that have nothing to tell apart."""


def roc_auc(
    predictions: Floats, wanted: NDArray[Any], units: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the area under the ROC curve, over several classes their mean.

    Of a class it is the share of pairs, a row of the class and another one, in which the former
    has the greater probability, equal ones counting half: by midranks, in ``O(n log n)`` (Hanley
    and McNeil, The Meaning and Use of the Area under a ROC Curve, 1982). Of two classes the second
    is taken, of more each against the rest, as in scikit-learn's ``roc_auc_score`` with
    ``multi_class="ovr"``. A class that no row has, or all rows have, is left out, and `CHANCE` is
    what remains without any; there scikit-learn has NaN.

    >>> likely = np.array([0.1, 0.4, 0.4, 0.8])
    >>> shares = np.stack([1 - likely, likely], axis=-1)
    >>> float(roc_auc(shares, np.array([0, 0, 1, 1]), np.ones(1)))  # 3 pairs of 4, and a half
    0.875
    """
    del units
    areas, known = [], []
    for scores, positive in _each_class(predictions, wanted):
        hits, first, last = _ranked(scores, positive)
        count = hits.sum(axis=-1)
        pairs = count * (hits.shape[-1] - count)
        # Twice the pairs lost: what stands before the class's rows, less themselves.
        lost = (hits * (first + last)).sum(axis=-1) - count * (count - 1)
        areas.append(1 - lost / np.maximum(2 * pairs, 1))
        known.append(pairs > 0)
    counts = np.stack(known, axis=-1)
    total, kept = np.where(counts, np.stack(areas, axis=-1), 0).sum(axis=-1), counts.sum(axis=-1)
    return np.where(kept > 0, total / np.maximum(kept, 1), CHANCE)


def average_precision(
    predictions: Floats, wanted: NDArray[Any], units: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the average precision ``sum_n (R_n - R_(n-1)) P_n``, over several classes their mean.

    Precision P and recall R are those of all rows down to each distinct probability, so of a class
    it is the mean over its rows of the share of the class among the rows at least as likely. Of two
    classes the second is taken, of more each against the rest, as in scikit-learn's
    ``average_precision_score`` of a class's column each. A class without rows has 0, as there.

    >>> likely = np.array([0.1, 0.4, 0.4, 0.8])
    >>> shares = np.stack([1 - likely, likely], axis=-1)
    >>> float(average_precision(shares, np.array([0, 0, 1, 1]), np.ones(1)))  # (1 + 2/3) / 2
    0.8333333333333333
    """
    del units
    found = []
    for scores, positive in _each_class(predictions, wanted):
        hits, _, last = _ranked(scores, positive)
        reached = np.take_along_axis(hits.cumsum(axis=-1), last, axis=-1)
        count = np.maximum(hits.sum(axis=-1), 1)
        found.append((hits * (reached / (last + 1))).sum(axis=-1) / count)
    return np.asarray(np.stack(found, axis=-1).mean(axis=-1))


def _each_class(
    predictions: Floats, wanted: NDArray[Any]
) -> Iterator[tuple[Floats, NDArray[np.int64]]]:
    """Yield the probability ``(..., rows)`` of each class, of two the second, 1 for its rows."""
    classes = predictions.shape[-1]
    for number in range(1 if classes == 2 else 0, classes):
        scores = np.ascontiguousarray(predictions[..., number])
        yield scores, np.broadcast_to(wanted == number, scores.shape).astype(np.int64)


def _ranked(
    scores: Floats, positive: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return ``positive`` by falling score, and the first and last place of each row's equals."""
    order = np.argsort(-scores, axis=-1)
    falling = np.take_along_axis(scores, order, axis=-1)
    rows = scores.shape[-1]
    differs = falling[..., 1:] != falling[..., :-1]
    end = np.ones((*scores.shape[:-1], 1), np.bool_)
    place = np.arange(rows)
    begins = np.where(np.concatenate([end, differs], axis=-1), place, 0)
    ends = np.where(np.concatenate([differs, end], axis=-1), place, rows - 1)
    first = np.maximum.accumulate(begins, axis=-1)
    last = np.minimum.accumulate(ends[..., ::-1], axis=-1)[..., ::-1]
    return np.take_along_axis(positive, order, axis=-1), first, last
