"""How the learning rate and the momentum change over the budget."""

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from workers.nn.spec import NetworkSpec

Times = NDArray[np.float64]
Schedule = Callable[[NetworkSpec, Times, int], Times]


def _constant(_spec: NetworkSpec, times: Times, _epochs: int) -> Times:
    """Return 1 at all times."""
    return np.ones_like(times)


SCHEDULES: Final[Mapping[str, Schedule]] = {"constant": _constant}


def plan(spec: NetworkSpec, times: Times, *, epochs: int) -> NDArray[np.float64]:
    """Return learning rate and momentum ``(times, 2)`` at times counted in epochs.

    ``epochs`` is the whole budget.
    """
    rate = spec.learning_rate * SCHEDULES[spec.schedule](spec, times, epochs)
    return np.stack([rate, np.full_like(times, spec.momentum)], axis=1)
