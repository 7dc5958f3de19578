"""Adafactor, the one update rule that looks at a whole tensor (Shazeer and Stern 2018)."""

from typing import Any

import numpy as np

from workers.nn.jit import inlined, kernel
from workers.nn.layout import Floats, Integers


@inlined
def _factor(g: Floats, x: Floats, means: Floats, l2: Any, old: Any, shape: tuple[int, int]) -> None:
    """Add the penalty to ``g`` and move the means of ``g**2`` on: rows' first, then columns'."""
    inputs, units = shape
    tiny, rest = g.dtype.type(1e-30), g.dtype.type(1) - old
    for j in range(inputs + units):
        means[j] *= old
    for i in range(inputs):
        total = g.dtype.type(0)
        for j in range(units):
            d = g[i * units + j] + l2 * x[i * units + j]
            g[i * units + j] = d
            square = rest * (d * d + tiny)
            total += square
            means[inputs + j] += square / g.dtype.type(inputs)
        means[i] += total / g.dtype.type(units)


@inlined
def _divide(g: Floats, means: Floats, shape: tuple[int, int]) -> None:
    """Divide ``g`` by the root of ``rows' mean * columns' mean / mean``, in place."""
    inputs, units = shape
    total = g.dtype.type(0)
    for i in range(inputs):
        total += means[i]
    for i in range(inputs):
        share = means[i] * g.dtype.type(inputs) / total
        for j in range(units):
            g[i * units + j] /= np.sqrt(share * means[inputs + j])


@kernel
def adafactor(
    clock: Integers,
    rates: Floats,
    knobs: Floats,
    segments: Integers,
    scales: Floats,
    rows: Floats,
    gradient: Floats,
    memory: Floats,
) -> None:
    """Step ``x -= rate*max(1e-3, rms(x))*u/max(1, rms(u))``, ``u = g/sqrt(v)``.

    ``v`` is factored per matrix, into the means of ``g**2`` over rows and columns with
    decay ``1 - t**-0.8``: that is what the method is; over the flat row it would be
    RMSProp. The factors lie at the beginning of the matrix's place in ``memory``. Tensors
    too small to gain from it (biases) keep the mean of every ``g**2``.
    """
    kind = rows.dtype.type
    for k in range(rows.shape[0]):
        now = rates[clock[0], k]
        old = kind(1) - now[4] ** kind(-0.8)
        for s in range(segments.shape[0]):
            start, stop = segments[s, 0], segments[s, 1]
            inputs, units = segments[s, 3], segments[s, 4]
            l2 = knobs[k, 0] if segments[s, 2] else kind(0)
            x, g, v = rows[k, start:stop], gradient[k, start:stop], memory[k, 0, start:stop]
            if inputs + units < stop - start:
                _factor(g, x, v, l2, old, (inputs, units))
                _divide(g, v, (inputs, units))
            else:
                for i in range(stop - start):
                    d = g[i] + l2 * x[i]
                    v[i] = old * v[i] + (kind(1) - old) * (d * d + kind(1e-30))
                    g[i] = d / np.sqrt(v[i])
            size, step = kind(0), kind(0)
            for i in range(stop - start):
                size += x[i] * x[i]
                step += g[i] * g[i]
            count = kind(stop - start)
            scale = now[0] * scales[k, s] * max(kind(1e-3), np.sqrt(size / count))
            scale /= max(kind(1), np.sqrt(step / count))
            for i in range(stop - start):
                x[i] -= scale * g[i]
