"""Tables of vectors: the last inputs are codes, whose place is taken by rows of a table.

What is computed is the product of a one-hot matrix and the table, in a network whose first layer
it is: ``out = onehot(codes) @ table``, and on the way back ``d_table = onehot(codes).T @ d_out``.
A code that no vector belongs to is a row of zeros.
"""

from functools import partial

import numpy as np

from workers.nn.jit import kernel
from workers.nn.layout import Floats, Integers, Layout, views
from workers.nn.network.products import Call, flat, product_turned
from workers.nn.network.stack import Stack


def looked_up(net: Stack, inputs: Floats, out: Floats) -> Call:
    """Return the call that puts the first layer's inputs ``(members, batch, width)`` into out."""
    return partial(gather, inputs, net.rows, _places(net.layout), out)


def looked_up_back(net: Stack, slope: Floats, inputs: Floats, mask: Floats | None) -> list[Call]:
    """Return the calls from the gradient of the first layer's products to that of the tables.

    ``mask`` is what dropout multiplied the first layer's inputs by.
    """
    places = _places(net.layout)
    first = places[0, 0]
    weights = views(net.rows, net.layout.weights[0])[..., first:, :]
    d = np.empty((*slope.shape[:2], weights.shape[-2]), slope.dtype)
    calls = product_turned(flat(slope), weights, flat(d))
    if mask is not None:
        calls.append(partial(np.multiply, d, mask[..., first:], d))
    return [*calls, partial(scatter, d, inputs, net.gradient, places)]


def _places(layout: Layout) -> Integers:
    """Return for each column of codes ``(first input, start of its table, values, size)``."""
    sizes = [table.shape[1] for table in layout.tables]
    codes = sum(lookup.columns for lookup in layout.lookups)
    place, found = layout.features - codes, []
    for lookup, table, size in zip(layout.lookups, layout.tables, sizes, strict=True):
        for _ in range(lookup.columns):
            found.append((place, table.start, lookup.values, size))
            place += size
    return np.array(found)


@kernel
def gather(inputs: Floats, rows: Floats, tables: Integers, out: Floats) -> None:
    """Put the inputs, with vectors in the place of codes, into ``out``.

    ``inputs`` is ``(members or splits, batch, features)``, ``out`` ``(members, batch, width)``,
    ``tables`` as of ``_places``.
    """
    plain = tables[0, 0]
    zero = out.dtype.type(0)
    for k in range(out.shape[0]):
        source, row = inputs[k * inputs.shape[0] // out.shape[0]], rows[k]
        for r in range(out.shape[1]):
            for j in range(plain):
                out[k, r, j] = source[r, j]
            for c in range(tables.shape[0]):
                place, start, values, size = tables[c, 0], tables[c, 1], tables[c, 2], tables[c, 3]
                code = source[r, plain + c]
                if zero <= code and code < values:
                    vector = start + np.int64(code) * size
                    for j in range(size):
                        out[k, r, place + j] = row[vector + j]
                else:
                    for j in range(size):
                        out[k, r, place + j] = zero


@kernel
def scatter(d: Floats, inputs: Floats, gradient: Floats, tables: Integers) -> None:
    """Add each vector's gradient ``d`` ``(members, batch, vectors)`` to its row of the table.

    The tables' part of ``gradient`` ``(members, parameters)`` begins at zeros.
    """
    plain = tables[0, 0]
    zero = d.dtype.type(0)
    for k in range(d.shape[0]):
        source, into = inputs[k * inputs.shape[0] // d.shape[0]], gradient[k]
        for c in range(tables.shape[0]):
            start, values, size = tables[c, 1], tables[c, 2], tables[c, 3]
            into[start : start + values * size] = zero
        for c in range(tables.shape[0]):
            place, start, values, size = tables[c, 0], tables[c, 1], tables[c, 2], tables[c, 3]
            for r in range(d.shape[1]):
                code = source[r, plain + c]
                if zero <= code and code < values:
                    vector = start + np.int64(code) * size
                    for j in range(size):
                        into[vector + j] += d[k, r, place - plain + j]
