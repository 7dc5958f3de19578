"""Averages of the parameters over the training: running (exponential) and stochastic."""

import numpy as np

from workers.nn.jit import kernel
from workers.nn.layout import Floats


@kernel
def track(average: Floats, rows: Floats, decay: Floats) -> None:
    """Move the running averages on: ``a = decay*a + (1 - decay)*x``, over rows, in place.

    ``decay`` holds the decay and 1 minus it.
    """
    for k in range(average.shape[0]):
        keep, take = decay[0], decay[1]
        a, x = average[k], rows[k]
        for i in range(a.shape[0]):
            a[i] = keep * a[i] + take * x[i]


def unbiased(average: Floats, decay: float, count: int) -> Floats:
    """Return a running average rid of its start at zero: ``a/(1 - decay**count)``.

    Before the first update there is no average: NaN.

    >>> unbiased(np.array([0.2]), 0.9, 1)
    array([2.])
    """
    if count == 0:
        return np.full_like(average, np.nan)
    with np.errstate(all="ignore"):
        corrected: Floats = (average.astype(np.float64) / (1 - decay**count)).astype(average.dtype)
    return corrected
