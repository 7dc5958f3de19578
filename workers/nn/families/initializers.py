"""How the weights of a layer start; biases start at 0."""

import math
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from workers.nn.layout import Floats, Layout, views
from workers.nn.spec import NetworkSpec

Initializer = Callable[[np.random.Generator, tuple[int, ...], float | None], Floats]


def _normal(rng: np.random.Generator, shape: tuple[int, ...], scale: float | None) -> Floats:
    """Draw from ``N(0, scale^2)``."""
    return rng.standard_normal(shape) * (0.01 if scale is None else scale)


def _uniform(rng: np.random.Generator, shape: tuple[int, ...], scale: float | None) -> Floats:
    """Draw from ``U(-scale, scale)``."""
    bound = 0.01 if scale is None else scale
    return rng.uniform(-bound, bound, shape)


def _xavier_uniform(
    rng: np.random.Generator, shape: tuple[int, ...], scale: float | None
) -> Floats:
    """Draw from ``U(-b, b)``, ``b = sqrt(6/(fan_in + fan_out))`` (Glorot and Bengio 2010)."""
    bound = (scale or 1.0) * math.sqrt(6 / sum(shape))
    return rng.uniform(-bound, bound, shape)


def _xavier_normal(rng: np.random.Generator, shape: tuple[int, ...], scale: float | None) -> Floats:
    """Draw from ``N(0, 2/(fan_in + fan_out))`` (Glorot and Bengio 2010)."""
    return rng.standard_normal(shape) * ((scale or 1.0) * math.sqrt(2 / sum(shape)))


def _he(rng: np.random.Generator, shape: tuple[int, ...], scale: float | None) -> Floats:
    """Draw from ``N(0, 2/fan_in)`` (He et al. 2015)."""
    return rng.standard_normal(shape) * ((scale or 1.0) * math.sqrt(2 / shape[0]))


INITIALIZERS: Final[Mapping[str, Initializer]] = {
    "normal": _normal,
    "uniform": _uniform,
    "xavier_uniform": _xavier_uniform,
    "xavier_normal": _xavier_normal,
    "he": _he,
}


def initial(spec: NetworkSpec, layout: Layout, *, rng: np.random.Generator) -> Floats:
    """Return a member's first row of parameters: random weights, zero biases, unit scales.

    A maxout unit's fan-out counts all its pieces. A table's vectors are drawn from ``N(0, 1/size)``
    whatever the initializer: about as long as the rows of the one-hot code that they replace.
    """
    row = np.zeros(layout.size)
    for table in layout.tables:
        vectors = rng.standard_normal(table.shape) / math.sqrt(table.shape[1])
        row[table.start : table.stop] = vectors.ravel()
    for tensor in layout.weights:
        weights = views(row[np.newaxis], tensor)
        weights[...] = INITIALIZERS[spec.initializer](rng, weights.shape, spec.initial_scale)
    for tensor in layout.scales:
        row[tensor.start : tensor.stop] = 1
    return row
