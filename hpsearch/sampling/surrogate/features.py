"""Params as rows of numbers, places in a range, and candidates to choose from."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpsearch.space.dimensions import (
    CategoricalDimension,
    Dimension,
    FixedDimension,
    IntDimension,
    Numeric,
    is_active,
)
from hpsearch.space.scales import from_scale, last_step, on_grid, to_scale, width
from hpsearch.space.space import SearchSpace

Params = Mapping[str, Any]

SPREADS = (0.02, 0.07, 0.2)
"""Standard deviations of steps from a good trial, in widths of a range."""

CHANGE = 0.2
"""The probability that a step changes a choice."""

INACTIVE = 0.5
"""A range's feature in a trial that doesn't have the dimension."""


def scales(space: SearchSpace) -> tuple[int, ...]:
    """Return of each column of :func:`rows` which dimension it belongs to, from 0."""
    found: list[int] = []
    for index, name in enumerate(space.free):
        dimension = space[name]
        columns = len(dimension.choices) if isinstance(dimension, CategoricalDimension) else 1
        found += [index] * columns
    return tuple(found)


def rows(space: SearchSpace, some: Sequence[Params]) -> NDArray[np.float64]:
    """Return params as ``(trials, columns)``: places in a range, a column for each choice.

    Any two choices are 1 apart.
    """
    columns = [column for name in space.free for column in _columns(name, space[name], some)]
    return np.array(columns, np.float64).reshape(len(columns), len(some)).T


def _columns(name: str, dimension: Dimension, some: Sequence[Params]) -> list[list[float]]:
    if isinstance(dimension, CategoricalDimension):
        marks = [json.dumps(params.get(name)) for params in some]
        return [
            [np.sqrt(0.5) * (mark == json.dumps(choice)) for mark in marks]
            for choice in dimension.choices
        ]
    if isinstance(dimension, FixedDimension):
        return []
    place = _unit(dimension)
    return [[place(params[name]) if name in params else INACTIVE for params in some]]


def candidates(
    space: SearchSpace, good: Sequence[Params], *, count: int, rng: np.random.Generator
) -> list[Params]:
    """Return so many random params of the space, and as many a step away from good ones."""
    parents: list[Params] = [{}] * count
    if good:
        parents += [good[i] for i in rng.integers(len(good), size=count)]
    spreads = rng.choice(SPREADS, size=len(parents))
    columns = {name: _drawn(name, space[name], parents, spreads, rng) for name in space.free}
    some = [
        dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)
    ]
    if any(dimension.when for dimension in space.values()):
        return [_active(space, params) for params in some]
    return list(some)


def _active(space: SearchSpace, params: Params) -> Params:
    """Return what of the params the conditions allow."""
    found: dict[str, Any] = {}
    for name in space.free:
        if is_active(space[name], space.complete(found)):
            found[name] = params[name]
    return found


def _drawn(
    name: str,
    dimension: Dimension,
    parents: Sequence[Params],
    spreads: NDArray[np.float64],
    rng: np.random.Generator,
) -> list[Any]:
    """Return a value for each parent: near its own, or anywhere if it has none."""
    fresh, steps = rng.random(len(parents)), spreads * rng.standard_normal(len(parents))
    if isinstance(dimension, CategoricalDimension):
        keeps = rng.random(len(parents)) >= CHANGE
        anew = [dimension.choices[int(place * len(dimension.choices))] for place in fresh]
        return [
            parent[name] if keep and parent.get(name) in dimension.choices else value
            for parent, keep, value in zip(parents, keeps, anew, strict=True)
        ]
    if isinstance(dimension, FixedDimension):
        return [dimension.value] * len(parents)
    place = _places(dimension)
    places = [
        place(parent[name]) + step if name in parent else anywhere
        for parent, anywhere, step in zip(parents, fresh, steps, strict=True)
    ]
    return _values(dimension, np.clip(places, 0.0, 1.0))


def _unit(dimension: Numeric) -> Callable[[float], float]:
    """Return :func:`hpsearch.space.scales.to_unit` of one dimension, for many values."""
    low, span = to_scale(dimension, dimension.low), width(dimension)
    if span == 0:
        return lambda _: 0.5
    if dimension.log:
        return lambda value: (math.log10(value) - low) / span
    return lambda value: (value - low) / span


def _places(dimension: Numeric) -> Callable[[float], float]:
    """Return what tells where a value lies, from 0 to 1; a step is the middle of its share."""
    low, step = dimension.low, dimension.step
    if dimension.log or step is None:
        return _unit(dimension)
    shares = last_step(dimension) + 1
    return lambda value: ((value - low) / step + 0.5) / shares


def _values(dimension: Numeric, places: NDArray[np.float64]) -> list[Any]:
    """Return the values at places, the inverse of :func:`_places`."""
    if not dimension.log and dimension.step is not None:
        last = last_step(dimension)
        return [on_grid(dimension, min(int(place * (last + 1)), last)) for place in places]
    low, span = to_scale(dimension, dimension.low), width(dimension)
    found = [from_scale(dimension, low + place * span) for place in places.tolist()]
    kept = [min(max(value, dimension.low), dimension.high) for value in found]
    return [round(value) for value in kept] if isinstance(dimension, IntDimension) else kept
