"""Inverted dropout from counter-based random numbers.

A mask is a function of the member's key, the step, the layer and the element alone: no
generator's state exists, and masks don't depend on the stack.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.nn.jit import kernel
from workers.nn.layout import Floats, Integers

Keys = NDArray[np.uint64]


@kernel
def mix(bits: Any) -> Any:
    """Return well-mixed 64 bits of 64 bits: splitmix64's finalizer (Steele et al. 2014)."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


@kernel
def dropout(
    values: Floats,
    rates: Floats,
    keys: Keys,
    clock: Integers,
    layer: int,
    mask: Floats,
    out: Floats,
) -> None:
    """Drop units: ``out = values * mask``, the mask 0 with the member's rate, else 1/(1-rate).

    ``values`` is ``(members or 1, batch, units)``, ``mask`` and ``out`` ``(members, batch,
    units)``, ``rates`` ``(members, layers)``. Inverted: evaluation needs no scaling.
    """
    golden = np.uint64(0x9E3779B97F4A7C15)
    one = values.dtype.type(1)
    zero = values.dtype.type(0)
    place = np.uint64(clock[0]) * np.uint64(65536) + np.uint64(layer)
    for k in range(out.shape[0]):
        source = values[k if values.shape[0] > 1 else 0]
        rate = rates[k, layer]
        kept = one / (one - rate)
        bar = np.uint64(rate * 4294967296.0)
        base = mix(keys[k] ^ mix(place * golden))
        for r in range(out.shape[1]):
            for j in range(out.shape[2]):
                element = np.uint64(r * out.shape[2] + j + 1)
                drawn = mix(base + element * golden) >> np.uint64(32)
                m = kept if drawn >= bar else zero
                mask[k, r, j] = m
                out[k, r, j] = source[r, j] * m


@kernel
def masked(d: Floats, mask: Floats) -> None:
    """Multiply a gradient by the mask of its forward pass, in place."""
    for k in range(d.shape[0]):
        for r in range(d.shape[1]):
            for j in range(d.shape[2]):
                d[k, r, j] *= mask[k, r, j]
