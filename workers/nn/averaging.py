"""Averages of the parameters over the training: running (exponential) and stochastic."""

import numpy as np

from workers.nn.jit import kernel
from workers.nn.layout import Floats, Integers


@kernel
def track(average: Floats, parameters: Floats, decay: Floats) -> None:
    """Move the running average on: ``a = decay*a + (1 - decay)*x``, over rows, in place."""
    for k in range(average.shape[0]):
        keep = decay[0]
        take = decay[1]
        a, x = average[k], parameters[k]
        for i in range(a.shape[0]):
            a[i] = keep * a[i] + take * x[i]


def unbiased(average: Floats, decay: float, counts: Integers) -> Floats:
    """Return running averages ``(members, parameters)`` rid of their start at zero.

    ``a / (1 - decay**count)``; a member without a step has no average: NaN.
    """
    with np.errstate(all="ignore"):
        corrected: Floats = (average / (1 - decay**counts)[:, None]).astype(average.dtype)
    return corrected
