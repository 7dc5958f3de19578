"""Averages of the parameters over the training: running (exponential) and stochastic."""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.nn.jit import kernel
from workers.nn.layout import Floats


@kernel
def track(average: NDArray[np.float64], rows: Floats, keep: float) -> None:
    """Move the running averages on: ``a = keep*a + (1 - keep)*x``, over rows, in place.

    In float32 a decay near 1 and 1 minus it would not sum to 1, nor would small changes add up.
    """
    take = 1.0 - keep
    for k in range(average.shape[0]):
        a, x = average[k], rows[k]
        for i in range(a.shape[0]):
            a[i] = keep * a[i] + take * x[i]


def unbiased(
    average: NDArray[np.float64], decay: float, count: int, dtype: np.dtype[Any]
) -> Floats:
    """Return a running average rid of its start at zero: ``a/(1 - decay**count)``.

    Before the first update there is no average: NaN.

    >>> unbiased(np.array([0.2]), 0.9, 1, np.dtype(np.float32))
    array([2.], dtype=float32)
    """
    if count == 0:
        return np.full_like(average, np.nan, dtype)
    with np.errstate(all="ignore"):
        corrected: Floats = (average / -math.expm1(count * math.log(decay))).astype(dtype)
    return corrected
