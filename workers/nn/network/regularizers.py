"""Penalties on weights, gradient clipping, max-norm, and inverted dropout.

Dropout's random numbers are counter-based: a mask is a function of the member's key, the
step, the layer and the element alone. No generator's state exists, and masks don't depend
on the stack.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.nn.jit import inlined, kernel
from workers.nn.layout import Floats, Integers

Keys = NDArray[np.uint64]


def penalty(row: Floats, penalized: int, *, l2: float, l1: float) -> float:
    """Return ``l2/2*sum(w**2) + l1*sum(|w|)`` of the weights, the row's first values.

    >>> penalty(np.array([3.0, -4.0, 100.0]), 2, l2=0.1, l1=1.0)
    8.25
    """
    weights = row[:penalized].astype(np.float64)
    return float(l2 / 2 * (weights @ weights) + l1 * np.abs(weights).sum())


@inlined
def _squares(g: Floats) -> float:
    """Return the sum of squares, in lanes so that it need not wait for each addition.

    In float64, where the squares of float32 neither overflow nor vanish.
    """
    lanes = np.zeros(16)
    whole = g.shape[0] // 16
    blocks = g[: whole * 16].reshape(whole, 16)
    for i in range(whole):
        for j in range(16):
            lanes[j] += np.float64(blocks[i, j]) * np.float64(blocks[i, j])
    total = 0.0
    for j in range(16):
        total += lanes[j]
    for i in range(whole * 16, g.shape[0]):
        total += np.float64(g[i]) * np.float64(g[i])
    return total


@kernel
def penalize(rows: Floats, gradient: Floats, penalized: int, numbers: NDArray[np.float64]) -> None:
    """Add L1 and L2 to the gradient, then scale it to at most the member's greatest norm.

    ``numbers`` is ``(members, 3)``: l2, l1 and the greatest norm, 0 for none.
    """
    kind = rows.dtype.type
    zero = kind(0)
    for k in range(rows.shape[0]):
        x, g = rows[k], gradient[k]
        l2, l1, limit = kind(numbers[k, 0]), kind(numbers[k, 1]), numbers[k, 2]
        if l2 != zero or l1 != zero:
            for i in range(penalized):
                sign = l1 if x[i] > zero else (-l1 if x[i] < zero else zero)
                g[i] += l2 * x[i] + sign
        if limit > 0.0:
            norm = np.sqrt(_squares(g))
            if norm > limit:
                scale = limit / norm
                for i in range(g.shape[0]):
                    g[i] = kind(np.float64(g[i]) * scale)


@inlined
def _shorten_columns(w: Floats, limit: Any) -> None:
    """Scale each column to at most this norm, in place."""
    factors = np.zeros(w.shape[1])
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            factors[j] += np.float64(w[i, j]) * np.float64(w[i, j])
    for j in range(w.shape[1]):
        norm = np.sqrt(factors[j])
        factors[j] = limit / norm if norm > limit else 1.0
    for i in range(w.shape[0]):
        for j in range(w.shape[1]):
            w[i, j] = w.dtype.type(np.float64(w[i, j]) * factors[j])


@inlined
def _shorten_rows(w: Floats, limit: Any) -> None:
    """Scale each row to at most this norm, in place."""
    for j in range(w.shape[0]):
        norm = np.sqrt(_squares(w[j]))
        if norm > limit:
            factor = limit / norm
            for i in range(w.shape[1]):
                w[j, i] = w.dtype.type(np.float64(w[j, i]) * factor)


@kernel
def shorten(
    rows: Floats,
    start: int,
    height: int,
    width: int,
    turned: bool,
    limits: NDArray[np.float64],
) -> None:
    """Scale the weights into each unit to at most the member's norm, 0 for none.

    The layer's weights are ``rows[:, start:]`` as ``(members, height, width)``; ``turned``
    ones have a row for each unit, others a column.
    """
    for k in range(rows.shape[0]):
        if limits[k] > 0.0:
            w = rows[k, start : start + height * width].reshape((height, width))
            if turned:
                _shorten_rows(w, limits[k])
            else:
                _shorten_columns(w, limits[k])


@inlined
def _mix(bits: Any) -> Any:
    """Return well-mixed 64 bits of 64 bits: splitmix64's finalizer (Steele et al. 2014)."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


@kernel
def dropout(
    values: Floats,
    rates: NDArray[np.float64],
    keys: Keys,
    clock: Integers,
    layer: int,
    mask: Floats,
    out: Floats,
) -> None:
    """Drop units: ``out = values * mask``, the mask 0 with the member's rate, else 1/(1-rate).

    ``values`` is ``(members or splits, batch, units)``, ``mask`` and ``out`` ``(members, batch,
    units)``, ``rates`` ``(members, layers)``. Inverted: evaluation needs no scaling.
    """
    golden = np.uint64(0x9E3779B97F4A7C15)
    kind = values.dtype.type
    zero = kind(0)
    place = np.uint64(clock[0]) * np.uint64(65536) + np.uint64(layer)
    for k in range(out.shape[0]):
        source = values[k * values.shape[0] // out.shape[0]]
        kept = kind(1.0 / (1.0 - rates[k, layer]))
        bar = np.uint64(rates[k, layer] * 4294967296.0)
        base = _mix(keys[k] ^ _mix(place * golden))
        for r in range(out.shape[1]):
            for j in range(out.shape[2]):
                element = np.uint64(r * out.shape[2] + j + 1)
                drawn = _mix(base + element * golden) >> np.uint64(32)
                m = kept if drawn >= bar else zero
                mask[k, r, j] = m
                out[k, r, j] = source[r, j] * m
