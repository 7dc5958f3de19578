"""The steps of preprocessing, each fitted in float64 on blocks of training rows.

Every step is ``(x - shift) * factor`` with a vector, or ``(x - shift) @ factor`` with a
matrix; formulas after the notes of Stanford's CS231n, "Data preprocessing".
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.errors import InputError

Array = NDArray[np.float64]
Blocks = Callable[[], Iterator[Array]]
"""Called anew, it yields the training rows again, block by block (rows, features)."""

FLOOR = 1e-3
"""Whitening divides by no standard deviation below this share of the largest one."""


@dataclass(frozen=True, eq=False)
class Step:
    """One fitted step: ``shift`` (features,), ``factor`` (features,) or (features, outputs)."""

    shift: Array
    factor: Array

    def apply(self, x: Array) -> Array:
        """Return ``(x - shift) * factor``, with the matrix product if factor is a matrix."""
        centred = x - self.shift
        if self.factor.ndim == 1:
            centred *= self.factor
            return centred
        return centred @ self.factor


def _mean(blocks: Blocks) -> tuple[Array, int]:
    total, rows = 0.0, 0
    for block in blocks():
        total, rows = total + block.sum(axis=0), rows + len(block)
    return np.asarray(total / rows), rows


def _range(blocks: Blocks) -> tuple[Array, Array]:
    lows, highs = zip(*((b.min(axis=0), b.max(axis=0)) for b in blocks()), strict=True)
    return np.min(lows, axis=0), np.max(highs, axis=0)


def _inverse(spread: Array, constant: NDArray[np.bool_]) -> Array:
    """Return ``1 / spread``, and 0 for constant features, which then become 0."""
    safe = ~constant & (spread > np.finfo(np.float64).tiny)
    return np.divide(1.0, spread, out=np.zeros_like(spread), where=safe)


def _center(blocks: Blocks) -> Step:
    """``x - mean``; a constant feature becomes 0 (CS231n, "Data preprocessing")."""
    low, high = _range(blocks)
    mean = np.where(low == high, low, _mean(blocks)[0])
    return Step(mean, np.ones_like(mean))


def _standardize(blocks: Blocks) -> Step:
    """``(x - mean) / std``, std with divisor N (CS231n, "Normalization")."""
    shift = _center(blocks).shift
    low, high = _range(blocks)
    squares, rows = 0.0, 0
    for block in blocks():
        squares, rows = squares + np.square(block - shift).sum(axis=0), rows + len(block)
    return Step(shift, _inverse(np.sqrt(np.asarray(squares) / rows), low == high))


def _scale(blocks: Blocks) -> Step:
    """``(x - min) / (max - min)``, which maps the training rows to [0, 1]."""
    low, high = _range(blocks)
    return Step(low, _inverse(high - low, low == high))


def _pca(blocks: Blocks) -> Step:
    """``(x - mean) @ U``: rotate onto the covariance's eigenvectors (CS231n, "PCA")."""
    shift, directions, _ = _principal(blocks)
    return Step(shift, directions)


def _whiten(blocks: Blocks) -> Step:
    """``(x - mean) @ U / max(s, FLOOR * s[0])``, s the directions' standard deviations.

    The training rows' covariance becomes the identity, but for directions below the
    floor, whose noise is not blown up (CS231n, "Whitening").
    """
    shift, directions, deviations = _principal(blocks)
    return Step(shift, directions / np.maximum(deviations, FLOOR * deviations[0]))


def _principal(blocks: Blocks) -> tuple[Array, Array, Array]:
    """Return the mean, the directions that vary (as columns) and their deviations.

    Directions come in order of falling variance, each with its largest entry positive,
    so that a rerun finds the same signs; those without variance are left out.
    """
    shift = _center(blocks).shift
    rows, size = 0, len(shift)
    covariance = np.zeros((size, size))
    for block in blocks():
        centred = block - shift
        covariance += centred.T @ centred
        rows += len(block)
    if not np.isfinite(covariance).all():
        raise InputError(
            "features must have a finite variance", "larger values", "scale or standardize first"
        )
    variances, vectors = np.linalg.eigh(covariance / rows)
    variances, vectors = variances[::-1], vectors[:, ::-1]
    keep = variances > variances[0] * max(rows, size) * np.finfo(np.float64).eps
    if variances[0] <= 0 or not keep.any():
        raise InputError("some feature must vary", "constant features only", "check the data")
    vectors = vectors[:, keep]
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None], axis=0)
    return shift, vectors * np.sign(largest), np.sqrt(variances[keep])


PREPROCESSORS: dict[str, Callable[[Blocks], Step]] = {
    "center": _center,
    "standardize": _standardize,
    "scale": _scale,
    "pca": _pca,
    "whiten": _whiten,
}
"""Every step by its name in a config's ``data.preprocess``."""
