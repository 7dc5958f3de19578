"""Matrix products as prepared calls, each in the form in which the BLAS is fastest.

OpenBLAS multiplies small matrices without packing them, but slowly if the right one is
transposed. What these choices gain is measured in ``benchmarks/README.md``. They depend on
shapes alone, so a member's numbers don't depend on its stack.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

import numpy as np

from workers.nn.jit import kernel
from workers.nn.layout import Floats

Call = Callable[[], object]

UNPACKED: Final = 1_000_000
"""Multiplications up to which OpenBLAS packs nothing, where its kernels know how."""

_BLOCK: Final = 16
_ROWS_THAT_PAY: Final = 32


def flat(values: Floats) -> Floats:
    """Return a lone member's matrix, or the stack of several as it is."""
    return values[0] if len(values) == 1 else values


def operands(below: Floats, out: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Return views for a product in which the members of a split share its inputs."""
    splits = len(below)
    if splits in (1, len(out)):
        return flat(below), flat(out), weights
    parts = [a.reshape(splits, -1, *a.shape[1:]) for a in (out, weights)]
    return below[:, np.newaxis], parts[0], parts[1]


def turned(values: Floats) -> Floats:
    """Return every member's matrix transposed, as a view."""
    return np.swapaxes(values, -1, -2)


def product(left: Floats, right: Floats, out: Floats) -> list[Call]:
    """Return the calls of ``out = left @ right``, of matrices or stacks of them.

    What is a little too large to be multiplied without packing is done in two halves.
    """
    rows, inner = left.shape[-2:]
    if UNPACKED < rows * inner * right.shape[-1] <= 2 * UNPACKED:
        halves = (slice(rows // 2), slice(rows // 2, None))
        return [partial(np.matmul, left[..., h, :], right, out[..., h, :]) for h in halves]
    # A lone matrix: a third less to call. Vectors have a routine of their own in either.
    plain = out.ndim == 2 and out.flags.c_contiguous and min(*left.shape, *right.shape) > 1
    return [partial(np.dot if plain else np.matmul, left, right, out)]


def product_turned(left: Floats, right: Floats, out: Floats) -> list[Call]:
    """Return the calls of ``out = left @ right.T``, where it pays through a copy of the right."""
    rows, inner = left.shape[-2:]
    width = right.shape[-2]
    if rows < _ROWS_THAT_PAY or rows * inner * width > 2 * UNPACKED:
        return product(left, turned(right), out)
    copy = np.empty((*right.shape[:-2], inner, width), right.dtype)
    stacks = (values.reshape(-1, *values.shape[-2:]) for values in (right, copy))
    return [partial(turn, *stacks), *product(left, copy, out)]


@kernel
def turn(matrices: Floats, out: Floats) -> None:
    """Copy the transposes of ``(members, height, width)`` to ``(members, width, height)``.

    In strips, so that what is written lies together.
    """
    height, width = matrices.shape[1], matrices.shape[2]
    whole = height // _BLOCK * _BLOCK
    for k in range(matrices.shape[0]):
        source, target = matrices[k], out[k]
        for top in range(0, whole, _BLOCK):
            for j in range(width):
                for i in range(top, top + _BLOCK):
                    target[j, i] = source[i, j]
        for i in range(whole, height):
            for j in range(width):
                target[j, i] = source[i, j]
