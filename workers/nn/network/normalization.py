"""Batch normalization of pre-activations (Ioffe and Szegedy 2015).

``z' = scale*(z - mean)/sqrt(variance + eps)`` over the mini-batch, per member and unit; the
shift is the bias that the activation adds. A member's row of statistics holds, for each
layer, the running means and then the running (biased) variances of its units.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from workers.nn.jit import kernel
from workers.nn.layout import Floats, Integers

EPSILON: Final = 1e-5


@kernel
def normalize(
    z: Floats,
    rows: Floats,
    scale: int,
    statistics: Floats,
    start: int,
    decay: NDArray[np.float64],
    counts: Integers,
    clock: Integers,
    normed: Floats,
    inverse: Floats,
) -> None:
    """Normalize by the batch's statistics, in place, and move the running ones on.

    Keeps the normalized values in ``normed`` and ``1/sqrt(variance + eps)`` in ``inverse``
    ``(members, units)`` for the way back. The running statistics are plain means over the
    updates ``counts + clock[0]`` until these are so many that the decay takes over.
    """
    batch, units = z.shape[1], z.shape[2]
    kind = z.dtype.type
    share = kind(1) / kind(batch)
    mean, variance = np.empty(units, z.dtype), np.empty(units, z.dtype)
    for k in range(z.shape[0]):
        take = kind(max(1.0 - decay[k], 1.0 / np.float64(counts[k] + clock[0] + 1)))
        means = statistics[k, start : start + units]
        variances = statistics[k, start + units : start + 2 * units]
        factors = rows[k, scale : scale + units]
        mean[:] = 0
        variance[:] = 0
        for r in range(batch):
            for j in range(units):
                mean[j] += z[k, r, j]
        for j in range(units):
            mean[j] *= share
        for r in range(batch):
            for j in range(units):
                centred = z[k, r, j] - mean[j]
                normed[k, r, j] = centred
                variance[j] += centred * centred
        for j in range(units):
            v = variance[j] * share
            inverse[k, j] = kind(1) / np.sqrt(v + kind(EPSILON))
            means[j] += take * (mean[j] - means[j])
            variances[j] += take * (v - variances[j])
        for r in range(batch):
            for j in range(units):
                n = normed[k, r, j] * inverse[k, j]
                normed[k, r, j] = n
                z[k, r, j] = n * factors[j]


@kernel
def normalize_back(
    d: Floats, rows: Floats, gradient: Floats, scale: int, normed: Floats, inverse: Floats
) -> None:
    """Turn the gradient on the normalized values into the one on the given, in place.

    ``d_z = scale*inverse*(d - mean(d) - normed*mean(d*normed))``, the means over the batch.
    """
    batch, units = d.shape[1], d.shape[2]
    kind = d.dtype.type
    share = kind(1) / kind(batch)
    sums, factor = np.empty(units, d.dtype), np.empty(units, d.dtype)
    for k in range(d.shape[0]):
        products, factors = gradient[k, scale : scale + units], rows[k, scale : scale + units]
        sums[:] = 0
        products[:] = 0
        for r in range(batch):
            for j in range(units):
                sums[j] += d[k, r, j]
                products[j] += d[k, r, j] * normed[k, r, j]
        for j in range(units):
            factor[j] = factors[j] * inverse[k, j]
        for r in range(batch):
            for j in range(units):
                pull = (sums[j] + normed[k, r, j] * products[j]) * share
                d[k, r, j] = factor[j] * (d[k, r, j] - pull)


@kernel
def standardize(z: Floats, rows: Floats, scale: int, statistics: Floats, start: int) -> None:
    """Normalize by the running statistics, in place, as at test time."""
    kind = z.dtype.type
    units = z.shape[2]
    factor = np.empty(units, z.dtype)
    for k in range(z.shape[0]):
        means = statistics[k, start : start + units]
        for j in range(units):
            variance = statistics[k, start + units + j]
            factor[j] = rows[k, scale + j] / np.sqrt(variance + kind(EPSILON))
        for r in range(z.shape[1]):
            for j in range(units):
                z[k, r, j] = (z[k, r, j] - means[j]) * factor[j]
