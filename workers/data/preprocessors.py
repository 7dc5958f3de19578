"""The family of steps of preprocessing, each fitted in float64 on blocks of training rows.

Formulas of the affine ones are after the notes of Stanford's CS231n, "Data preprocessing".
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from workers.data.column_statistics import (
    Array,
    Blocks,
    column_range,
    moments,
    power_above,
    quantiles,
)
from workers.data.steps import Affine, SmoothClip, Step, ToNormal
from workers.errors import InputError

FLOOR = 1e-3
"""Whitening divides by no standard deviation below this share of the largest one."""

QUANTILES = 1000
"""At most so many quantiles of a column are kept."""


@dataclass(frozen=True)
class Preprocessor:
    """A member of the family: what fits a step, and the kind of step that a checkpoint holds."""

    fit: Callable[[Blocks], Step]
    kind: type[Step] = Affine


def _inverse(spread: Array) -> Array:
    """Return ``1 / spread``, and 0 for constant features, which then become 0."""
    safe = spread > np.finfo(np.float64).tiny
    return np.divide(1.0, spread, out=np.zeros_like(spread), where=safe)


def _center(blocks: Blocks) -> Step:
    """``x - mean``; a constant feature becomes 0 (CS231n, "Data preprocessing").

    What is constant but for rounding is 0 from here on, or the next step would blow it up.
    """
    mean, deviation = moments(blocks)
    low, high = column_range(blocks)
    return Affine(mean, np.where((deviation > 0) | (low == high), 1.0, 0.0))


def _standardize(blocks: Blocks) -> Step:
    """``(x - mean) / std``, std with divisor N (CS231n, "Normalization")."""
    mean, deviation = moments(blocks)
    return Affine(mean, _inverse(deviation))


def _scale(blocks: Blocks) -> Step:
    """``(x - min) / (max - min)``, which maps the training rows to [0, 1]."""
    low, high = column_range(blocks)
    _, deviation = moments(blocks)
    return Affine(low, _inverse(np.where(deviation > 0, high - low, 0.0)))


def _robust(blocks: Blocks) -> SmoothClip:
    """``(x - median) / (q75 - q25)``, then clipped smoothly to [-3, 3] (see `SmoothClip`).

    Where the quartiles are one value, or one but for rounding, ``(max - min) / 2`` takes their
    place. As RealMLP does: Holzmüller, Grinsztajn and Steinwart, "Better by Default: Strong
    Pre-Tuned MLPs and Boosted Trees on Tabular Data" (2024).
    """
    low, lower, median, upper, high = quantiles(blocks, 5)
    _, deviation = moments(blocks)
    half = upper / 2 - lower / 2  # The whole may overflow.
    varies = half > 2 * np.finfo(np.float64).eps * np.abs(median)
    factor = np.where(varies, _inverse(half) / 2, _inverse(high / 2 - low / 2))
    return SmoothClip(median, np.where(deviation == 0, 0.0, factor))


def _quantile(blocks: Blocks) -> ToNormal:
    """Quantiles of the training rows to those of the standard normal (see `ToNormal`).

    Of all rows up to QUANTILES, else so many at equal distance. After scikit-learn's
    ``QuantileTransformer(output_distribution="normal", subsample=None)``.
    """
    _, deviation = moments(blocks)
    rows = sum(len(block) for block in blocks())
    values = quantiles(blocks, max(2, min(QUANTILES, rows)))
    constant = deviation <= np.finfo(np.float64).tiny
    return ToNormal(np.where(constant, values[0], values))


def _pca(blocks: Blocks) -> Step:
    """``(x - mean) @ U``: rotate onto the covariance's eigenvectors (CS231n, "PCA")."""
    shift, directions, _ = _principal(blocks)
    return Affine(shift, directions)


def _whiten(blocks: Blocks) -> Step:
    """``(x - mean) @ U / max(s, FLOOR * s[0])``, s the directions' standard deviations.

    The training rows' covariance becomes the identity, but for directions below the
    floor, whose noise is not blown up (CS231n, "Whitening").
    """
    shift, directions, deviations = _principal(blocks)
    return Affine(shift, directions / np.maximum(deviations, FLOOR * deviations[0]))


def _principal(blocks: Blocks) -> tuple[Array, Array, Array]:
    """Return the mean, the directions that vary (as columns) and their deviations.

    Directions come in order of falling variance, each with its largest entry positive,
    so that a rerun finds the same signs; those without variance are left out.
    """
    shift, spread = moments(blocks)
    if not np.isfinite(spread).all():
        raise InputError(
            "features must have a finite variance", "larger values", "scale or standardize first"
        )
    if not spread.any():
        raise InputError("some feature must vary", "constant features only", "check the data")
    unit = power_above(spread.max())
    rows, size = 0, len(shift)
    covariance = np.zeros((size, size))
    for block in blocks():
        centred = np.where(spread > 0, (block - shift) / unit, 0.0)
        covariance += centred.T @ centred
        rows += len(block)
    variances, vectors = np.linalg.eigh(covariance / rows)
    variances, vectors = variances[::-1], vectors[:, ::-1]
    keep = variances > variances[0] * max(rows, size) * np.finfo(np.float64).eps
    vectors = vectors[:, keep]
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None], axis=0)
    return shift, vectors * np.sign(largest), np.sqrt(variances[keep]) * unit


PREPROCESSORS: dict[str, Preprocessor] = {
    "center": Preprocessor(_center),
    "standardize": Preprocessor(_standardize),
    "scale": Preprocessor(_scale),
    "robust": Preprocessor(_robust, SmoothClip),
    "quantile": Preprocessor(_quantile, ToNormal),
    "pca": Preprocessor(_pca),
    "whiten": Preprocessor(_whiten),
}
"""Every step by its name in a config's ``data.preprocess``."""
