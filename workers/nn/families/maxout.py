"""The kernels of maxout, the activation with several linear pieces (Goodfellow et al. 2013)."""

import numpy as np

from workers.nn.jit import kernel
from workers.nn.layout import Floats


@kernel
def maxout(z: Floats, rows: Floats, bias: int, _number: Floats, out: Floats) -> None:
    """Add the biases to ``z``, whose pieces lie side by side, and take the greatest."""
    units = out.shape[2]
    for k in range(z.shape[0]):
        b = rows[k, bias : bias + z.shape[2]]
        for r in range(z.shape[1]):
            for j in range(z.shape[2]):
                z[k, r, j] = z[k, r, j] + b[j]
            for j in range(units):
                out[k, r, j] = z[k, r, j]
            for piece in range(1, z.shape[2] // units):
                for j in range(units):
                    s, top = z[k, r, piece * units + j], out[k, r, j]
                    out[k, r, j] = top if s <= top else s


@kernel
def maxout_back(
    d: Floats, z: Floats, gradient: Floats, bias: int, _number: Floats, out: Floats
) -> None:
    """Give each unit's gradient to its winning piece, the first of equals."""
    units = d.shape[2]
    zero, one = d.dtype.type(0), d.dtype.type(1)
    top, winner = np.empty(units, d.dtype), np.empty(units, d.dtype)
    for k in range(z.shape[0]):
        db = gradient[k, bias : bias + z.shape[2]]
        db[:] = 0
        for r in range(z.shape[1]):
            winner[:] = 0
            for j in range(units):
                top[j] = z[k, r, j]
            number = zero
            for start in range(units, z.shape[2], units):
                number += one
                piece = z[k, r, start : start + units]
                for j in range(units):
                    winner[j] = winner[j] if piece[j] <= top[j] else number
                    top[j] = top[j] if piece[j] <= top[j] else piece[j]
            number = zero
            for start in range(0, z.shape[2], units):
                into, sums = out[k, r, start : start + units], db[start : start + units]
                for j in range(units):
                    s = d[k, r, j] if winner[j] == number else zero
                    into[j] = s
                    sums[j] += s
                number += one
