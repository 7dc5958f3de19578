"""All points of a finite search space."""

import itertools
from typing import Any

from hpsearch.space.dimensions import CategoricalDimension, Dimension, FixedDimension
from hpsearch.space.scales import last_step, on_grid
from hpsearch.space.space import SearchSpace


def points(space: SearchSpace) -> list[dict[str, Any]]:
    """Return every combination of the values of the free dimensions, conditions aside.

    Raises
    ------
    ValueError
        If one has a continuous range.
    """
    names = space.free
    every = itertools.product(*(values(space[name]) for name in names))
    return [dict(zip(names, point, strict=True)) for point in every]


def values(dimension: Dimension) -> list[Any]:
    """Return all values of a dimension that has finitely many.

    Raises
    ------
    ValueError
        For a continuous range.
    """
    if isinstance(dimension, FixedDimension):
        return [dimension.value]
    if isinstance(dimension, CategoricalDimension):
        return [*dimension.choices]
    if dimension.step is None:
        raise ValueError("a continuous range has no last value")
    return [on_grid(dimension, step) for step in range(last_step(dimension) + 1)]
