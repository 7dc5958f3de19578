"""What looks odd in a regression's targets, given how they are to be learned."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.config.search_config import SearchConfig
from hpsearch.space.space import ends, text_of

LARGE_TARGETS = 30.0
"""From this standard deviation on, targets are set against the learning rates."""

LOST_DIGITS = 1e-6
"""Targets whose standard deviation is below this share of their mean lose digits in 32 bits."""


def target_warnings(config: SearchConfig, targets: NDArray[Any]) -> list[str]:
    """Return a line for each way in which a regression's targets are not fit to be learned.

    Targets ``(rows, outputs)`` that are learned as they are make the output's weights grow
    with them, and the rates at which training is stable shrink. Those that vary little about
    a large mean lose digits in 32 bits.
    """
    if config.data.task != "regression":
        return []
    return [*_lost_digits(targets), *_large_targets(config, targets)]


def _lost_digits(targets: NDArray[Any]) -> Iterator[str]:
    deviation = targets.std(axis=0, dtype=np.float64)
    mean = np.abs(targets.mean(axis=0, dtype=np.float64))
    for column in np.flatnonzero(deviation < LOST_DIGITS * mean)[:1]:
        yield (
            f"data.target: the targets vary by {text_of(float(deviation[column]))} about a mean of "
            f"{text_of(float(mean[column]))}, of which 32-bit floating point keeps 7 digits; "
            f"set data.scale_targets: true"
        )


def _large_targets(config: SearchConfig, targets: NDArray[Any]) -> list[str]:
    deviation = float(targets.std(axis=0, dtype=np.float64).max())
    rate = config.search_space.get("learning_rate")
    highest = config.network.learning_rate if rate is None else max(ends(rate))
    if deviation < LARGE_TARGETS or highest * deviation < 1:
        return []
    return [
        f"data.target: the targets have a standard deviation of {text_of(deviation)}, with which "
        f"learning rates up to {text_of(highest)} may diverge; "
        f"set data.scale_targets: true, or lower the range of learning_rate"
    ]
