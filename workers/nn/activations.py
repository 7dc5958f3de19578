"""Activations: each adds the bias and bends the pre-activations in one pass.

A forward kernel gets ``z`` ``(members, batch, units)`` without its bias, the parameter
rows with the bias's offset, one number per member, and ``out``; a backward kernel turns
``d``, the gradient on the activations, into the one on ``z`` and sums the bias's
gradient. All but maxout work in place and need no more than their own output.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from workers.nn.jit import kernel
from workers.nn.layout import Floats

Forward = Callable[[Floats, Floats, int, Floats, Floats], None]
Backward = Callable[[Floats, Floats, Floats, int, Floats, Floats], None]


@dataclass(frozen=True, slots=True)
class Activation:
    """Two kernels, and which field of the spec they get as their number."""

    forward: Forward
    backward: Backward
    parameter: str | None = None
    in_place: bool = True


@kernel
def _identity(z: Floats, rows: Floats, bias: int, _number: Floats, _out: Floats) -> None:
    for k in range(z.shape[0]):
        for r in range(z.shape[1]):
            for j in range(z.shape[2]):
                z[k, r, j] = z[k, r, j] + rows[k, bias + j]


@kernel
def _identity_back(
    d: Floats, _a: Floats, gradient: Floats, bias: int, _number: Floats, _out: Floats
) -> None:
    for k in range(d.shape[0]):
        gradient[k, bias : bias + d.shape[2]] = 0
        for r in range(d.shape[1]):
            for j in range(d.shape[2]):
                gradient[k, bias + j] += d[k, r, j]


@kernel
def _relu(z: Floats, rows: Floats, bias: int, _number: Floats, _out: Floats) -> None:
    zero = z.dtype.type(0)
    for k in range(z.shape[0]):
        for r in range(z.shape[1]):
            for j in range(z.shape[2]):
                s = z[k, r, j] + rows[k, bias + j]
                z[k, r, j] = zero if s < zero else s


@kernel
def _relu_back(
    d: Floats, a: Floats, gradient: Floats, bias: int, _number: Floats, _out: Floats
) -> None:
    zero = d.dtype.type(0)
    for k in range(d.shape[0]):
        gradient[k, bias : bias + d.shape[2]] = 0
        for r in range(d.shape[1]):
            for j in range(d.shape[2]):
                s = zero if a[k, r, j] <= zero else d[k, r, j]
                d[k, r, j] = s
                gradient[k, bias + j] += s


@kernel
def _tanh(z: Floats, rows: Floats, bias: int, _number: Floats, _out: Floats) -> None:
    for k in range(z.shape[0]):
        for r in range(z.shape[1]):
            for j in range(z.shape[2]):
                z[k, r, j] = np.tanh(z[k, r, j] + rows[k, bias + j])


@kernel
def _tanh_back(
    d: Floats, a: Floats, gradient: Floats, bias: int, _number: Floats, _out: Floats
) -> None:
    one = d.dtype.type(1)
    for k in range(d.shape[0]):
        gradient[k, bias : bias + d.shape[2]] = 0
        for r in range(d.shape[1]):
            for j in range(d.shape[2]):
                s = d[k, r, j] * (one - a[k, r, j] * a[k, r, j])
                d[k, r, j] = s
                gradient[k, bias + j] += s


ACTIVATIONS: Final[Mapping[str, Activation]] = {
    "identity": Activation(_identity, _identity_back),
    "relu": Activation(_relu, _relu_back),
    "tanh": Activation(_tanh, _tanh_back),
}
