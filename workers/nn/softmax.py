"""The kernel of softmax cross-entropy, whose rows share one loop of exponentials."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.nn.elementary import falling
from workers.nn.jit import inlined, kernel
from workers.nn.layout import Floats, Integers


@inlined
def _shift(s: Floats, b: Floats, target: Any, kept: Any, spread: Any) -> Any:
    """Add the biases, subtract the greatest score, return ``sum_j q_j s_j``."""
    s[0] += b[0]
    top = s[0]
    for j in range(1, s.shape[0]):
        s[j] += b[j]
        top = s[j] if s[j] > top else top
    for j in range(s.shape[0]):
        s[j] -= top
    wanted = kept * s[target]
    if spread != 0:
        for j in range(s.shape[0]):
            wanted += spread * s[j]
    return wanted


@inlined
def _gradient(s: Floats, db: Floats, scale: Any, spread: Any) -> None:
    """Turn powers into the gradient, but for the target's share, and sum it up."""
    for j in range(s.shape[0]):
        d = s[j] * scale - spread
        s[j] = d
        db[j] += d


@kernel
def softmax(
    scores: Floats,
    rows: Floats,
    bias: int,
    targets: NDArray[Any],
    clock: Integers,
    smoothing: Floats,
    gradient: Floats,
    totals: NDArray[np.float64],
) -> None:
    """Compute ``-sum_j q_j log p_j``, p the softmax of s, q the smoothed target.

    Rows are short, so the exponentials of all are taken in one loop; and a logarithm is
    slow, so it is taken of the product of 8 rows' sums.
    """
    batch, width = scores.shape[1], scores.shape[2]
    kind = scores.dtype.type
    one, share = kind(1), kind(1) / kind(batch)
    for k in range(scores.shape[0]):
        db, b = gradient[k, bias : bias + width], rows[k, bias : bias + width]
        db[:] = 0
        spread, kept = smoothing[k] / kind(width), one - smoothing[k]
        total, product = 0.0, 1.0
        for r in range(batch):
            total -= _shift(scores[k, r], b, targets[clock[1] + r], kept, spread)
        flat = scores[k].reshape(batch * width)
        for i in range(flat.shape[0]):
            flat[i] = falling(flat[i], one)
        for r in range(batch):
            s, target = scores[k, r], targets[clock[1] + r]
            mass = s[0]
            for j in range(1, width):
                mass += s[j]
            product *= mass
            if r % 8 == 7 or r == batch - 1:
                total += np.log(product)
                product = 1.0
            _gradient(s, db, share / mass, spread * share)
            s[target] -= kept * share
            db[target] -= kept * share
        totals[k] += total
