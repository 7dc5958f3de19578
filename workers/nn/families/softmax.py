"""The kernel of softmax cross-entropy, which works on the transposed scores.

Rows are short: across them, and not along them, every loop runs over neighbours in memory.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.nn.families.elementary import falling
from workers.nn.jit import inlined, kernel
from workers.nn.layout import Floats, Integers


@inlined
def _shift(scores: Floats, b: Floats, t: Floats, top: Floats) -> None:
    """Put the scores with their biases, less each row's greatest, into ``t``."""
    batch, width = scores.shape
    for r in range(batch):
        s = scores[r]
        for j in range(width):
            t[j, r] = s[j] + b[j]
        top[r] = t[0, r]
    for j in range(1, width):
        for r in range(batch):
            top[r] = t[j, r] if t[j, r] > top[r] else top[r]
    for j in range(width):
        for r in range(batch):
            t[j, r] -= top[r]


@inlined
def _log_masses(t: Floats, mass: Floats, weights: Floats) -> Any:
    """Sum the powers of each row; return the sum of the logarithms of these, times the weights.

    A logarithm is slow, so without weights it is taken of the product of 8 rows' sums.
    """
    batch = mass.shape[0]
    total, product = 0.0, 1.0
    mass[:] = 0
    for j in range(t.shape[0]):
        for r in range(batch):
            mass[r] += t[j, r]
    if weights.shape[0] > 0:
        for r in range(batch):
            total += weights[r] * np.log(mass[r])
        return total
    for r in range(batch):
        product *= mass[r]
        if r % 8 == 7 or r == batch - 1:
            total += np.log(product)
            product = 1.0
    return total


@inlined
def _wanted(t: Floats, targets: NDArray[Any], weights: Floats, kept: Any, spread: Any) -> Any:
    """Sum the scores, as the smoothed targets weigh them, over the rows."""
    width, batch = t.shape
    total = 0.0
    if weights.shape[0] > 0:
        for r in range(batch):
            total += weights[r] * (kept * t[targets[r], r])
        for j in range(width):
            for r in range(batch):
                total += weights[r] * (spread * t[j, r])
        return total
    for r in range(batch):
        total += kept * t[targets[r], r]
    if spread != 0:
        flat = t.reshape(width * batch)
        for i in range(flat.shape[0]):
            total += spread * flat[i]
    return total


@kernel
def softmax(
    scores: Floats,
    rows: Floats,
    bias: int,
    targets: NDArray[Any],
    weights: Floats,
    clock: Integers,
    smoothing: Floats,
    gradient: Floats,
    totals: NDArray[np.float64],
) -> None:
    """Compute ``-sum_j q_j log p_j``, p the softmax of s, q the smoothed target."""
    batch, width = scores.shape[1], scores.shape[2]
    kind = scores.dtype.type
    one, share, weighted = kind(1), kind(1) / kind(batch), weights.shape[1] > 0
    scratch = np.empty((width + 1) * batch, scores.dtype)
    flat, mass = scratch[: width * batch], scratch[width * batch :]
    t = flat.reshape(width, batch)
    for k in range(scores.shape[0]):
        db, b = gradient[k, bias : bias + width], rows[k, bias : bias + width]
        spread, kept = smoothing[k] / kind(width), one - smoothing[k]
        split = k * targets.shape[0] // scores.shape[0]
        w = weights[split, clock[1] : clock[1] + batch] if weighted else weights[split]
        y = targets[split, clock[1] : clock[1] + batch]
        _shift(scores[k], b, t, mass)
        wanted = _wanted(t, y, w, kept, spread)
        for i in range(flat.shape[0]):
            flat[i] = falling(flat[i], one)
        totals[k] += _log_masses(t, mass, w) - wanted
        db[:] = 0
        for r in range(batch):
            s, target = scores[k, r], y[r]
            part = w[r] * share if weighted else share
            scale = part / mass[r]
            for j in range(width):
                d = t[j, r] * scale - spread * part
                s[j] = d
                db[j] += d
            s[target] -= kept * part
            db[target] -= kept * part
