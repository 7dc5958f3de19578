"""The scale of a range: linear or logarithmic, with or without steps."""

import math
from collections.abc import Callable
from decimal import Decimal

from hpsearch.space.dimensions import IntDimension, Numeric


def to_scale(dimension: Numeric, value: float) -> float:
    """Return ``log10(value)`` on a logarithmic dimension and ``value`` on a linear one."""
    return math.log10(value) if dimension.log else float(value)


def from_scale(dimension: Numeric, coordinate: float) -> float:
    """Return the value at a coordinate, the inverse of :func:`to_scale`."""
    # Clamped to what a float holds.
    return 10.0 ** min(max(coordinate, -307.0), 308.0) if dimension.log else coordinate


def width(dimension: Numeric) -> float:
    """Return the width of the range: in decades if logarithmic, else in its own units.

    >>> from hpsearch.space.dimensions import FloatDimension
    >>> width(FloatDimension(type="float", low=1e-6, high=10.0, log=True))
    7.0
    """
    return to_scale(dimension, dimension.high) - to_scale(dimension, dimension.low)


def to_unit(dimension: Numeric, value: float) -> float:
    """Return a value's place in its range on the dimension's scale: 0 at low, 1 at high.

    Places of values outside are below 0 or above 1; a range of one value gives 0.5.
    """
    span = width(dimension)
    if span == 0:
        return 0.5
    return (to_scale(dimension, value) - to_scale(dimension, dimension.low)) / span


def from_unit(dimension: Numeric, place: float) -> float | int:
    """Return the value at a place in ``[0, 1]``, the inverse of :func:`to_unit`.

    Whole numbers are rounded; steps are not considered.
    """
    if place in (0, 1):
        return dimension.high if place else dimension.low
    coordinate = to_scale(dimension, dimension.low) + place * width(dimension)
    value = min(max(from_scale(dimension, coordinate), dimension.low), dimension.high)
    return round(value) if isinstance(dimension, IntDimension) else value


def on_grid(dimension: Numeric, steps: int) -> float | int:
    """Return ``low + steps * step`` in decimal arithmetic, so that 3 steps of 0.1 are 0.3."""
    value = Decimal(str(dimension.low)) + steps * Decimal(str(dimension.step or 0))
    return int(value) if isinstance(dimension, IntDimension) else float(value)


def last_step(dimension: Numeric) -> int:
    """Return how many steps fit between low and high."""
    return math.floor((dimension.high - dimension.low) / (dimension.step or 1) + 1e-9)


def snapped(
    dimension: Numeric, low: float, high: float, outer: tuple[float, float]
) -> tuple[float, float]:
    """Return a range rounded outwards to the dimension's steps, but inside `outer`.

    The steps are counted from the dimension's low. Without steps nothing is rounded.
    """
    step = dimension.step
    if step is None:
        return low, high

    def steps(value: float) -> float:
        return (value - dimension.low) / step

    # What is within a billionth of a step is on it: 10 ** log10(8) is below 8.
    least, most = (
        _whole(math.ceil, steps(outer[0]) - 1e-9),
        _whole(math.floor, steps(outer[1]) + 1e-9),
    )
    first = max(math.floor(steps(low) + 1e-9), least)
    last = min(math.ceil(steps(high) - 1e-9), most)
    return on_grid(dimension, int(first)), on_grid(dimension, int(last))


def _whole(rounding: Callable[[float], int], value: float) -> float:
    return rounding(value) if math.isfinite(value) else value
