"""Batch normalization of pre-activations (Ioffe and Szegedy 2015).

``z' = scale*(z - mean)/sqrt(variance + eps)`` over the mini-batch, per member and unit; the
shift is the bias that the activation adds. A member's row of statistics holds, for each
layer, the running means and then the running (biased) variances of its units.
"""

import numpy as np

from workers.nn.jit import kernel
from workers.nn.layout import Floats, Integers

EPSILON = 1e-5


@kernel
def normalize(
    z: Floats,
    rows: Floats,
    scale: int,
    statistics: Floats,
    start: int,
    decay: Floats,
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
    members, batch, units = z.shape
    kind = z.dtype.type
    share = kind(1) / kind(batch)
    for k in range(members):
        take = max(kind(1) - decay[k], kind(1) / kind(counts[k] + clock[0] + 1))
        mean, variance = np.zeros(units, z.dtype), np.zeros(units, z.dtype)
        for r in range(batch):
            for j in range(units):
                mean[j] += z[k, r, j] * share
        for r in range(batch):
            for j in range(units):
                centred = z[k, r, j] - mean[j]
                normed[k, r, j] = centred
                variance[j] += centred * centred * share
        for j in range(units):
            inverse[k, j] = kind(1) / np.sqrt(variance[j] + kind(EPSILON))
            a, b = start + j, start + units + j
            statistics[k, a] += take * (mean[j] - statistics[k, a])
            statistics[k, b] += take * (variance[j] - statistics[k, b])
        for r in range(batch):
            for j in range(units):
                n = normed[k, r, j] * inverse[k, j]
                normed[k, r, j] = n
                z[k, r, j] = n * rows[k, scale + j]


@kernel
def normalize_back(
    d: Floats, rows: Floats, gradient: Floats, scale: int, normed: Floats, inverse: Floats
) -> None:
    """Turn the gradient on the normalized values into the one on the given, in place.

    ``d_z = scale*inverse*(d - mean(d) - normed*mean(d*normed))``, the means over the batch.
    """
    members, batch, units = d.shape
    kind = d.dtype.type
    share = kind(1) / kind(batch)
    for k in range(members):
        sums = np.zeros(units, d.dtype)
        gradient[k, scale : scale + units] = 0
        for r in range(batch):
            for j in range(units):
                sums[j] += d[k, r, j]
                gradient[k, scale + j] += d[k, r, j] * normed[k, r, j]
        for r in range(batch):
            for j in range(units):
                pull = (sums[j] + normed[k, r, j] * gradient[k, scale + j]) * share
                d[k, r, j] = rows[k, scale + j] * inverse[k, j] * (d[k, r, j] - pull)


@kernel
def standardize(z: Floats, rows: Floats, scale: int, statistics: Floats, start: int) -> None:
    """Normalize by the running statistics, in place, as at test time."""
    kind = z.dtype.type
    units = z.shape[2]
    for k in range(z.shape[0]):
        for r in range(z.shape[1]):
            for j in range(units):
                mean, variance = statistics[k, start + j], statistics[k, start + units + j]
                inverse = kind(1) / np.sqrt(variance + kind(EPSILON))
                z[k, r, j] = (z[k, r, j] - mean) * inverse * rows[k, scale + j]
