"""Stacking: weights of at least 0 that sum to 1, fitted on held-out predictions."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

Floats = NDArray[np.floating[Any]]

SETTLED: Final = 1e-9
"""The fit is over once a step gains less than this of the mean log likelihood."""

STEPS: Final = 2_000

_EPSILON: Final = 2.0**-52
"""Probabilities of the right class are at least so large, as in the log loss."""

LEAST: Final = 1e-3
"""A member that weighs less is none."""


def mixture_weights(predictions: Sequence[Floats], y: NDArray[Any]) -> NDArray[np.float64]:
    r"""Return the weights ``(candidates,)`` of averaged probabilities with the least log loss.

    ``predictions`` are ``(rows, classes)`` each, ``y`` class indices ``(rows,)``. The mean of
    ``log(sum_k w_k p_k(y))`` is concave; its greatest value is found by expectation maximization,
    of which no step is worse: ``w_k <- w_k * mean(p_k(y) / sum_j w_j p_j(y))`` (Dempster, Laird and
    Rubin 1977).
    """
    rows = np.arange(len(y))
    right = np.stack([np.asarray(one, np.float64)[rows, y] for one in predictions], axis=1)
    right = np.maximum(right, _EPSILON)
    weights: NDArray[np.float64] = np.full(right.shape[1], 1 / right.shape[1])
    reached = -np.inf
    for _ in range(STEPS):
        mixed = right @ weights
        likelihood = float(np.log(mixed).mean())
        if likelihood < reached + SETTLED:
            break
        reached = likelihood
        weights = weights * (right / mixed[:, np.newaxis]).mean(axis=0)
    weights /= weights.sum()
    return weights


def least_squares_weights(predictions: Sequence[Floats], y: NDArray[Any]) -> NDArray[np.float64]:
    """Return the weights ``(candidates,)`` of averaged targets with the least squared error.

    ``predictions`` and ``y`` are ``(rows, outputs)``. Non-negative least squares with one row more,
    which lets the weights sum to 1 (Breiman, Stacked Regressions, 1996).
    """
    outcomes = np.asarray(y, np.float64).reshape(len(y), -1)
    size = float(np.abs(outcomes).max()) or 1.0
    columns = np.stack([np.asarray(one, np.float64).ravel() for one in predictions], axis=1) / size
    # The sum's row weighs more than all others together can ask for.
    much = 1e4 * max(1.0, float(np.linalg.norm(columns)))
    left = np.vstack([columns, np.full(columns.shape[1], much)])
    found, _ = nnls(left, np.append(outcomes.ravel() / size, much))
    total = found.sum()
    return np.asarray(found / total if total > 0 else np.full(len(found), 1 / len(found)))


def stacked(
    predictions: Sequence[Floats], y: NDArray[Any], size: int, *, task: str
) -> dict[int, float]:
    """Return the positions and weights of at most ``size`` candidates.

    Where more have a weight the greatest are fitted once again, by themselves.
    """
    fit = mixture_weights if task == "classification" else least_squares_weights
    chosen = list(range(len(predictions)))
    weights = fit(predictions, y)
    while True:
        order = sorted(range(len(chosen)), key=lambda place: -weights[place])[:size]
        kept = sorted(place for place in order if weights[place] >= LEAST)
        if len(kept) == len(chosen):
            return {index: float(w) for index, w in zip(chosen, weights, strict=True)}
        chosen = [chosen[place] for place in kept]
        weights = fit([predictions[index] for index in chosen], y)
