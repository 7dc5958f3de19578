"""Means over instances with intervals, and differences paired by instance."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000

Values = NDArray[np.float64]
"""One mean over the seeds for each instance."""


def interval(values: Values) -> tuple[float, float]:
    """Return the 95 % interval of the mean over instances (percentile bootstrap)."""
    rng = np.random.default_rng(0)
    chosen = rng.integers(len(values), size=(RESAMPLES, len(values)))
    low, high = np.quantile(values[chosen].mean(axis=1), [0.025, 0.975])
    return float(low), float(high)


def better(values: Values, others: Values) -> float:
    """Return on which share of the instances the values are lower; ties count half."""
    return float(np.mean((values < others) + 0.5 * (values == others)))


def cells(found: Mapping[str, Values], name: str, rival: str) -> list[str]:
    """Return the mean difference from a rival with its interval, and where it is lower."""
    if name == rival:
        return ["", ""]
    gap = found[name] - found[rival]
    low, high = interval(gap)
    share = better(found[name], found[rival])
    return [f"{gap.mean():+.3f} [{low:+.3f}, {high:+.3f}]", f"{share:.0%}"]
