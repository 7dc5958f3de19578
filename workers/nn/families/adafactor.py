"""Adafactor, the one update rule that looks at a whole tensor (Shazeer and Stern 2018)."""

from typing import Any

import numpy as np

from workers.nn.jit import inlined, kernel
from workers.nn.layout import Floats, Integers


@inlined
def _factored(g: Floats, means: Floats, old: Any, rest: Any) -> None:
    """Divide the matrix ``g`` by its factored root mean square, in place.

    ``means`` holds the running means of ``g**2`` over the columns, then over the rows.
    """
    kind = g.dtype.type
    height, width = g.shape
    row_means, column_means = means[:height], means[height : height + width]
    inverse = np.empty(width, g.dtype)
    total = 0.0
    for j in range(width):
        column_means[j] *= old
    for i in range(height):
        row, squares = g[i], kind(0)
        for j in range(width):
            square = row[j] * row[j] + kind(1e-30)
            column_means[j] += rest / kind(height) * square
        for j in range(width):
            squares += row[j] * row[j] + kind(1e-30)
        row_means[i] = old * row_means[i] + rest / kind(width) * squares
        total += np.float64(row_means[i])
    for j in range(width):
        inverse[j] = kind(1) / np.sqrt(column_means[j])
    for i in range(height):
        row, factor = g[i], kind(np.sqrt(total / np.float64(height) / np.float64(row_means[i])))
        for j in range(width):
            row[j] = row[j] * inverse[j] * factor  # the means' product may underflow


@inlined
def _whole(g: Floats, means: Floats, old: Any, rest: Any) -> None:
    """Divide ``g`` by the root of the running mean of each ``g**2``, in place."""
    kind = g.dtype.type
    for i in range(g.shape[0]):
        means[i] = old * means[i] + rest * (g[i] * g[i] + kind(1e-30))
        g[i] /= np.sqrt(means[i])


@inlined
def _root_mean_square(values: Floats) -> Any:
    """Return the root mean square, in lanes so that it need not wait for each addition."""
    lanes = np.zeros(16)
    whole = values.shape[0] // 16
    blocks = values[: whole * 16].reshape(whole, 16)
    for i in range(whole):
        for j in range(16):
            lanes[j] += np.float64(blocks[i, j]) * np.float64(blocks[i, j])
    total = 0.0
    for j in range(16):
        total += lanes[j]
    for i in range(whole * 16, values.shape[0]):
        total += np.float64(values[i]) * np.float64(values[i])
    return np.sqrt(total / np.float64(values.shape[0]))


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
        share = np.float64(now[4]) ** -0.8
        old, rest = kind(1.0 - share), kind(share)
        for s in range(segments.shape[0]):
            start, stop = segments[s, 0], segments[s, 1]
            height, width = segments[s, 3], segments[s, 4]
            x, g, v = rows[k, start:stop], gradient[k, start:stop], memory[k, 0, start:stop]
            if segments[s, 2]:
                l2 = kind(knobs[k, 0])
                for i in range(x.shape[0]):
                    g[i] += l2 * x[i]
            if height + width < stop - start:
                _factored(g.reshape(height, width), v, old, rest)
            else:
                _whole(g, v, old, rest)
            size = max(1e-3, _root_mean_square(x)) / max(1.0, _root_mean_square(g))
            scale = kind(np.float64(now[0]) * np.float64(scales[k, s]) * size)
            for i in range(x.shape[0]):
                x[i] -= scale * g[i]
