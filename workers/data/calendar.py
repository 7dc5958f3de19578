"""Where a moment lies in its year, month, week and day."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

DAY_SECONDS = 86_400.0


def cycles(seconds: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return the share of its year, month, week and day that is over at each moment.

    Moments are seconds since 1970 began, without a time zone; weeks begin on Monday.

    >>> [float(share[0].round(3)) for share in cycles(np.array([86400.0 * 45 + 43200]))]
    [0.125, 0.518, 0.929, 0.5]
    """
    whole = np.floor(seconds).astype("datetime64[s]")
    days = np.floor(seconds / DAY_SECONDS)
    year, month = _share(whole, seconds, "Y"), _share(whole, seconds, "M")
    week = ((days + 3) % 7 + seconds / DAY_SECONDS - days) / 7
    return [year, month, week, seconds / DAY_SECONDS - days]


def _share(whole: NDArray[Any], seconds: NDArray[np.float64], unit: str) -> NDArray[np.float64]:
    first = whole.astype(f"datetime64[{unit}]")
    start, end = (
        moment.astype("datetime64[s]").astype(np.float64) for moment in (first, first + 1)
    )
    return np.asarray((seconds - start) / (end - start))
