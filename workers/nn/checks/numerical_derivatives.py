"""Derivatives of a loss from its values, and how far a slope is from them."""

from typing import Final

import numpy as np

from workers.nn.checks.checked_losses import Loss
from workers.nn.layout import Floats

STEPS: Final = (1e-3, 1e-4, 1e-5)
ROUNDING: Final = 2e-15  # of a loss of at most 1
SMOOTH: Final = 1e-4
ROUNDED: Final = 1e-7


def relative_error(
    loss: Loss, row: Floats, place: slice, direction: Floats, slope: float
) -> float | None:
    """Return ``|a - n|/max(|a|, |n|)`` of a slope along ``direction`` in ``row[place]``.

    ``n`` is the centred difference of fourth order, ``(4*D(h) - D(2*h))/3``. Of the steps
    the largest is taken that crosses no kink and over which ``D`` hardly bends; it has the
    least rounding. None: each step crosses a kink. A difference that rounding of the loss
    explains is at most ``ROUNDED``.
    """
    size, error = max(1.0, abs(loss(row)[0])), None
    for step in STEPS:
        found = _derivatives(loss, row, place, step * direction)
        if found is None:
            continue
        second, fourth = (value / step for value in found)
        resolution = ROUNDING * size / step
        difference = abs(slope - fourth)
        if not np.isfinite(difference):
            return float("nan")
        error = difference / max(abs(slope), abs(fourth)) if difference else 0.0
        if difference <= resolution:
            error = min(error, ROUNDED)
        if abs(fourth - second) <= SMOOTH * abs(fourth) + resolution:
            break
    return error


def _derivatives(loss: Loss, row: Floats, place: slice, move: Floats) -> tuple[float, float] | None:
    """Return ``D(h)`` and ``(4*D(h) - D(2*h))/3``, times h; None where they cross a kink."""
    values, winners = [], None
    for factor in (2, -2, 1, -1):
        moved = row.copy()
        moved[place] += factor * move
        value, won = loss(moved)
        winners = won if winners is None else winners
        if not np.array_equal(won, winners):
            return None
        values.append(value)
    far, near = (values[0] - values[1]) / 4, (values[2] - values[3]) / 2
    return near, (4 * near - far) / 3
